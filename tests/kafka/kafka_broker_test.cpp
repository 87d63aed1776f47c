// The Kafka connectors against Apache Kafka itself: transactions, and what a mock cluster cannot
// refuse. Skipped, with a message, where no broker can be started: see broker.sh.
#include "catch.hpp"
#include "kafka/support.hpp"

#include <freshet/testing/contracts.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace freshet::test;
namespace fr = freshet;
namespace kafka = freshet::kafka;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

struct text_value {
  std::string operator()(const std::string& row) const { return row; }
};

std::string new_topic(const std::string& brokers, int partitions = 2) {
  static int made = 0;
  std::string name = "topic." + std::to_string(++made);
  create_topic(brokers, name, partitions);
  return name;
}

kafka::write_options once(const std::string& brokers, const std::string& topic) {
  return {.brokers = brokers, .transactional_id = "sink of " + topic, .connect_within = patient};
}

std::unique_ptr<fr::sink<std::string>> open_sink(const std::string& topic,
                                                 kafka::write_options options) {
  return *kafka::write(topic, text_value{}, std::move(options)).open<std::string>({});
}

fr::batch<std::string> batch_of(const std::vector<std::string>& rows) {
  fr::batch<std::string> made;
  for (const std::string& each : rows) {
    made.positions.push_back({made.values.size(), 0, 0});
    made.values.push_back(each);
  }
  return made;
}

std::vector<std::string> sorted(std::vector<std::string> all) {
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("kafka::write keeps the contract of sinks in transactions", "[kafka][contract][slow]") {
  real_broker* broker = real_broker::get();
  if (broker == nullptr) return;
  const auto new_place = [&]() -> fr::sink_place<std::string> {
    const std::string topic = new_topic(broker->brokers());
    return {.open =
                [=] {
                  return kafka::write(topic, text_value{}, once(broker->brokers(), topic))
                      .open<std::string>({});
                },
            .published = [=] { return values_of(broker->brokers(), topic); }};
  };
  fr::check_sink<std::string>(new_place, {"a", "b", "c", "d", "e", "f", "g"});
}

TEST_CASE("kafka::write in transactions: what may happen to one", "[kafka][slow]") {
  real_broker* broker = real_broker::get();
  if (broker == nullptr) return;
  const std::string topic = new_topic(broker->brokers());
  const kafka::write_options options = once(broker->brokers(), topic);

  SECTION("a process that was taken for dead publishes nothing") {
    auto zombie = open_sink(topic, options);
    require_ok(zombie->start(std::nullopt));
    require_ok(zombie->write(batch_of({"a", "b"})));
    const auto token = zombie->prepare();
    require_ok(token.status());
    auto heir = open_sink(topic, options);
    require_ok(heir->start(*token));
    CHECK(sorted(values_of(broker->brokers(), topic)) == std::vector<std::string>{"a", "b"});
    const absl::Status late = zombie->commit(*token, false);
    CHECK(late.code() == absl::StatusCode::kAborted);
    CHECK_THAT(message_of(late), Contains("another process has started"));
    CHECK(sorted(values_of(broker->brokers(), topic)) == std::vector<std::string>{"a", "b"});
  }
  SECTION("a new run with an old run's transactional id does not take the old marks for its own") {
    auto old = open_sink(topic, options);
    require_ok(old->start(std::nullopt));
    for (const char* row : {"a", "b", "c"}) {
      require_ok(old->write(batch_of({row})));
      const auto token = old->prepare();
      require_ok(token.status());
      require_ok(old->commit(*token, false));
    }
    auto fresh = open_sink(topic, options);
    require_ok(fresh->start(std::nullopt));
    require_ok(fresh->write(batch_of({"d"})));
    const auto token = fresh->prepare();
    require_ok(token.status());
    auto restarted = open_sink(topic, options);
    require_ok(restarted->start(*token));
    CHECK(sorted(values_of(broker->brokers(), topic)) ==
          std::vector<std::string>{"a", "b", "c", "d"});
  }
  SECTION("the broker dies before the commit, and comes back") {
    kafka::write_options impatient = options;
    impatient.config = {{"reconnect.backoff.ms", "10"}, {"reconnect.backoff.max.ms", "200"}};
    auto sink = open_sink(topic, impatient);
    require_ok(sink->start(std::nullopt));
    require_ok(sink->write(batch_of({"a", "b"})));
    const auto token = sink->prepare();
    require_ok(token.status());
    broker->kill();
    std::thread back([&] {
      while (!options.health.now().failing) std::this_thread::sleep_for(1ms);
      broker->restart();
    });
    const absl::Status done = sink->commit(*token, false);
    back.join();
    require_ok(done);
    CHECK(sorted(values_of(broker->brokers(), topic)) == std::vector<std::string>{"a", "b"});
  }
  SECTION("a damaged token is refused") {
    auto sink = open_sink(topic, options);
    require_ok(sink->start(std::nullopt));
    require_ok(sink->write(batch_of({"a"})));
    const auto token = sink->prepare();
    require_ok(token.status());
    for (std::size_t size = 0; size < token->size(); ++size) {
      CHECK(!sink->commit(token->substr(0, size), false).ok());
    }
    CHECK(open_sink(topic, options)->start("nonsense").code() == absl::StatusCode::kDataLoss);
    CHECK(values_of(broker->brokers(), topic).empty());
  }
  SECTION("a message keeps its key, headers, time and partition") {
    const kafka::message row{.key = "k",
                             .value = std::nullopt,
                             .headers = {{"one", "1"}, {"none", std::nullopt}, {"one", ""}},
                             .at = fr::timestamp(5ms),
                             .partition = 1,
                             .offset = 0};
    auto sink = *kafka::write(topic, options).open<kafka::message>({});
    require_ok(sink->start(std::nullopt));
    fr::batch<kafka::message> rows;
    rows.values.push_back(row);
    rows.positions.push_back({0, 0, 0});
    require_ok(sink->write(rows));
    const auto token = sink->prepare();
    require_ok(token.status());
    require_ok(sink->commit(*token, false));
    const auto found = messages_of(broker->brokers(), topic);
    REQUIRE(found.size() == 1);
    CHECK(found[0].key == row.key);
    CHECK(!found[0].value);
    CHECK(found[0].headers == row.headers);
    CHECK(found[0].at == row.at);
    CHECK(found[0].partition == row.partition);
  }
}

TEST_CASE("kafka::write and kafka::read say what brokers refuse", "[kafka][slow]") {
  real_broker* broker = real_broker::get();
  if (broker == nullptr) return;
  const std::string brokers = broker->brokers();

  SECTION("a topic that does not exist") {
    const auto read =
        kafka::read("nothing", {.brokers = brokers, .connect_within = patient}).open();
    CHECK(read.status().code() == absl::StatusCode::kNotFound);
    CHECK_THAT(message_of(read.status()),
               Contains("kafka::read 'nothing'") && Contains("create the topic"));
    CHECK(open_sink("nothing", once(brokers, "nothing"))->start(std::nullopt).code() ==
          absl::StatusCode::kNotFound);
  }
  SECTION("a partition that does not exist") {
    const std::string topic = new_topic(brokers);
    const auto read =
        kafka::read(topic, {.brokers = brokers, .partitions = {1, 2}, .connect_within = patient})
            .open();
    CHECK(read.status().code() == absl::StatusCode::kNotFound);
  }
  SECTION("a wrong password, and the right one") {
    const std::string topic = new_topic(brokers);
    const auto with_password = [&](const char* password) {
      return kafka::read(topic, {.brokers = broker->guarded(),
                                 .connect_within = patient,
                                 .config = {{"security.protocol", "SASL_PLAINTEXT"},
                                            {"sasl.mechanism", "PLAIN"},
                                            {"sasl.username", "alice"},
                                            {"sasl.password", password}}})
          .open();
    };
    const auto refused = with_password("guessed");
    CHECK(refused.status().code() == absl::StatusCode::kUnauthenticated);
    CHECK_THAT(message_of(refused.status()),
               Contains("the brokers refuse") && !Contains("guessed"));
    require_ok(with_password("secret").status());
  }
  SECTION("new partitions end the job, and are read by the next") {
    const std::string topic = new_topic(brokers);
    auto opened =
        kafka::read(topic, {.brokers = brokers, .connect_within = patient, .discover_every = 10ms})
            .open();
    require_ok(opened.status());
    CHECK((*opened)->splits() == std::vector<std::string>{topic + "/0", topic + "/1"});
    auto reader = (*opened)->open(0, std::nullopt);
    require_ok(reader.status());
    std::atomic<bool> woken = false;
    (*reader)->wake_with([&] { woken = true; });
    add_partitions(brokers, topic, 3);
    fr::batch<kafka::message> rows;
    std::vector<fr::dead_letter> dead;
    absl::StatusOr<fr::read_state> state = fr::read_state::idle;
    while (state.ok()) {
      while (!woken.exchange(false)) std::this_thread::sleep_for(1ms);
      state = (*reader)->read(10, rows, dead);
    }
    CHECK_THAT(message_of(state.status()), Contains("has 3 partitions now, 2 when"));
    const auto again = kafka::read(topic, {.brokers = brokers, .connect_within = patient}).open();
    require_ok(again.status());
    CHECK((*again)->splits().size() == 3);
    CHECK((*again)->may_gain_splits());
  }
}
