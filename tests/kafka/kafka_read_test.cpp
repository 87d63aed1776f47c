// kafka::read, and kafka::write where it delivers at least once, against librdkafka's mock cluster.
#include "catch.hpp"
#include "kafka/support.hpp"

#include <freshet/testing/contracts.hpp>

#include <atomic>
#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace freshet::test;
namespace fr = freshet;
namespace kafka = freshet::kafka;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

/// The decoder of numbers as text.
struct to_number {
  absl::StatusOr<int> operator()(std::string_view text) const {
    int number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && rest == text.data() + text.size()) return number;
    return absl::InvalidArgumentError("no number");
  }
};

std::vector<kafka::message> some_messages() {
  return {{.key = "a", .value = "1", .headers = {}, .at = fr::timestamp(7ms), .partition = 0},
          {.key = std::nullopt, .value = "2", .headers = {{"h", "x"}, {"n", std::nullopt}}},
          {.key = "a", .value = std::nullopt, .headers = {}, .at = fr::timestamp(9ms)},
          {.key = "", .value = "", .headers = {}, .at = fr::timestamp(9ms)},
          {.key = "b", .value = "three", .headers = {}, .at = std::nullopt, .partition = 2},
          {.key = "b", .value = "4", .headers = {}, .at = std::nullopt, .partition = 2}};
}

/// Reads a split until it has given `count` rows; waits for as long as that takes.
template <class T>
std::vector<T> read_rows(fr::split_reader<T>& reader, std::size_t count) {
  std::vector<T> all;
  while (all.size() < count) {
    fr::batch<T> rows;
    std::vector<fr::dead_letter> dead;
    const auto state = reader.read(100, rows, dead);
    require_ok(state.status());
    all.insert(all.end(), rows.values.begin(), rows.values.end());
    if (*state == fr::read_state::idle) std::this_thread::sleep_for(1ms);
  }
  return all;
}

std::vector<kafka::message> numbered(int from, int count) {
  std::vector<kafka::message> all;
  for (int i = from; i < from + count; ++i) all.push_back({.key = {}, .value = std::to_string(i)});
  return all;
}

}  // namespace

TEST_CASE("kafka::read keeps the contract of sources", "[kafka][contract]") {
  mock_cluster cluster;
  cluster.create("topic", 3);
  produce(cluster.brokers(), "topic", some_messages());
  const kafka::read_options options{.brokers = cluster.brokers(),
                                    .until_end = true,
                                    .connect_within = patient,
                                    .config = {{"fetch.wait.max.ms", "5"}}};
  fr::check_source(kafka::read("topic", options));
  fr::check_source(kafka::read("topic", to_number{}, options));
}

TEST_CASE("kafka::read gives messages as they are", "[kafka]") {
  mock_cluster cluster;
  cluster.create("topic", 3);
  const std::vector<kafka::message> written = some_messages();
  produce(cluster.brokers(), "topic", written);
  const std::vector<kafka::message> read = messages_of(cluster.brokers(), "topic");
  REQUIRE(read.size() == written.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    CHECK(read[i].key == written[i].key);
    CHECK(read[i].value == written[i].value);
    CHECK(read[i].headers == written[i].headers);
    if (written[i].at) CHECK(read[i].at == written[i].at);
    CHECK(read[i].partition == written[i].partition.value_or(0));
  }
}

TEST_CASE("kafka::read makes dead letters of what its decoder refuses", "[kafka]") {
  mock_cluster cluster;
  cluster.create("topic", 1);
  produce(cluster.brokers(), "topic",
          {{.key = {}, .value = "1"}, {.key = "k"}, {.key = {}, .value = "x"}});
  auto source =
      kafka::read("topic", to_number{},
                  {.brokers = cluster.brokers(), .until_end = true, .connect_within = patient})
          .open();
  require_ok(source.status());
  auto reader = (*source)->open(0, std::nullopt);
  require_ok(reader.status());
  fr::batch<int> rows;
  std::vector<fr::dead_letter> dead;
  for (auto state = fr::read_state::more; state != fr::read_state::end;) {
    const auto read = (*reader)->read(100, rows, dead);
    require_ok(read.status());
    state = *read;
  }
  CHECK(rows.values == std::vector<int>{1});
  REQUIRE(dead.size() == 2);
  CHECK(dead[0].sequence == 1);
  CHECK_THAT(dead[0].reason, Contains("a tombstone"));
  CHECK(dead[1].sequence == 2);
  CHECK(dead[1].reason == "no number");
  CHECK(dead[1].record == "x");
}

TEST_CASE("kafka::read wakes an idle split, and notes offsets for the group", "[kafka]") {
  mock_cluster cluster;
  cluster.create("topic", 1);
  produce(cluster.brokers(), "topic", numbered(1, 3));
  auto source =
      kafka::read("topic", to_number{},
                  {.brokers = cluster.brokers(), .group = "watchers", .connect_within = patient})
          .open();
  require_ok(source.status());
  CHECK(!(*source)->bounded());
  auto reader = (*source)->open(0, std::nullopt);
  require_ok(reader.status());
  CHECK(read_rows(**reader, 3) == std::vector<int>{1, 2, 3});
  fr::batch<int> rows;
  std::vector<fr::dead_letter> dead;
  auto state = fr::read_state::more;
  while (state != fr::read_state::idle) state = *(*reader)->read(10, rows, dead);
  std::atomic<int> woken = 0;
  (*reader)->wake_with([&] { ++woken; });
  while (*(*reader)->read(10, rows, dead) != fr::read_state::idle) continue;
  const int before = woken;
  produce(cluster.brokers(), "topic", numbered(4, 1));
  while (woken == before) std::this_thread::sleep_for(1ms);
  CHECK(read_rows(**reader, 1) == std::vector<int>{4});
  (*reader)->committed((*reader)->position());
  while (committed_offset(cluster.brokers(), "watchers", "topic", 0) < 0) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(committed_offset(cluster.brokers(), "watchers", "topic", 0) == 4);
}

TEST_CASE("kafka::read waits for a broker that vanishes, and loses nothing", "[kafka]") {
  mock_cluster cluster;
  cluster.create("topic", 1);
  produce(cluster.brokers(), "topic", numbered(1, 2));
  const fr::connection_health health;
  auto source =
      kafka::read("topic", to_number{},
                  {.brokers = cluster.brokers(),
                   .connect_within = patient,
                   .config = {{"reconnect.backoff.ms", "10"}, {"reconnect.backoff.max.ms", "50"}},
                   .health = health})
          .open();
  require_ok(source.status());
  auto reader = (*source)->open(0, std::nullopt);
  require_ok(reader.status());
  CHECK(read_rows(**reader, 2) == std::vector<int>{1, 2});
  cluster.set_down();
  while (!health.now().failing) std::this_thread::sleep_for(1ms);
  CHECK(!health.now().last_failure.empty());
  cluster.set_up();
  produce(cluster.brokers(), "topic", numbered(3, 2));
  CHECK(read_rows(**reader, 2) == std::vector<int>{3, 4});
  CHECK(!health.now().failing);
}

TEST_CASE("kafka::read begins where it is told", "[kafka]") {
  mock_cluster cluster;
  cluster.create("topic", 2);
  produce(cluster.brokers(), "topic", numbered(1, 5));
  kafka::read_options options{.brokers = cluster.brokers(),
                              .start = kafka::start_at::latest,
                              .until_end = false,
                              .connect_within = patient};

  SECTION("at the latest message in a first run") {
    auto source = kafka::read("topic", to_number{}, options).open();
    require_ok(source.status());
    auto reader = (*source)->open(0, std::nullopt);
    require_ok(reader.status());
    CHECK((*reader)->position() == "5");
    produce(cluster.brokers(), "topic", numbered(6, 1));
    CHECK(read_rows(**reader, 1) == std::vector<int>{6});
  }
  SECTION("at the beginning of a partition that the checkpoint does not know") {
    produce(cluster.brokers(), "topic", {{.key = {}, .value = "7", .partition = 1}});
    auto source = kafka::read("topic", to_number{}, options).open();
    require_ok(source.status());
    auto known = (*source)->open(0, "3");
    require_ok(known.status());
    CHECK(read_rows(**known, 2) == std::vector<int>{4, 5});
    auto other = (*source)->open(1, std::nullopt);
    require_ok(other.status());
    CHECK(read_rows(**other, 1) == std::vector<int>{7});
  }
  SECTION("not where nothing can be") {
    auto source = kafka::read("topic", to_number{}, options).open();
    require_ok(source.status());
    for (const char* position :
         {"6", "", "x", "-1", "1 ", "1 x", "1 2 3", "99999999999999999999"}) {
      const auto reader = (*source)->open(0, position);
      INFO(position);
      CHECK(reader.status().code() == absl::StatusCode::kDataLoss);
    }
  }
}

TEST_CASE("kafka::read says what its options, its brokers and its decoder do wrong", "[kafka]") {
  const kafka::read_options good{.brokers = "localhost:1"};
  const auto refused = [](kafka::read_options options, const char* why) {
    CHECK_THROWS_WITH(kafka::read("topic", options), Contains(why));
  };
  refused({}, "brokers is empty");
  refused({.brokers = "b", .partitions = {1, 1}}, "partitions are negative or do not ascend");
  refused({.brokers = "b", .buffer_bytes = 5}, "give at least 65536");
  refused({.brokers = "b", .config = {{"group.id", "x"}}}, "'group.id' is the connector's own");
  CHECK_THROWS_WITH(kafka::write("topic", {.brokers = "b"}), Contains("transactional_id is empty"));

  kafka::read_options nowhere = good;
  nowhere.connect_within = 1ms;
  const auto unreachable = kafka::read("topic", nowhere).open();
  CHECK(unreachable.status().code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(message_of(unreachable.status()), Contains("no broker of 'localhost:1' has answered"));

  kafka::read_options mistyped = good;
  mistyped.config = {{"sasl.pasword", "secret"}};
  const auto unknown = kafka::read("topic", mistyped).open();
  CHECK(unknown.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(message_of(unknown.status()), Contains("'sasl.pasword'") && !Contains("secret"));

  mock_cluster cluster;
  cluster.create("topic", 1);
  produce(cluster.brokers(), "topic", numbered(1, 1));
  const auto throws = [](std::string_view) -> absl::StatusOr<int> {
    throw std::runtime_error("a bug");
  };
  auto source =
      kafka::read("topic", throws,
                  {.brokers = cluster.brokers(), .until_end = true, .connect_within = patient})
          .open();
  auto reader = (*source)->open(0, std::nullopt);
  require_ok(reader.status());
  fr::batch<int> rows;
  std::vector<fr::dead_letter> dead;
  absl::StatusOr<fr::read_state> state = fr::read_state::more;
  while (state.ok()) state = (*reader)->read(10, rows, dead);
  CHECK_THAT(message_of(state.status()), Contains("partition 0, offset 0") && Contains("a bug"));
}

TEST_CASE("kafka::write that delivers at least once keeps the contract of sinks",
          "[kafka][contract]") {
  mock_cluster cluster;
  int made = 0;
  const auto encode = [](int row) { return std::to_string(row); };
  const auto new_place = [&]() -> fr::sink_place<int> {
    const std::string topic = "topic." + std::to_string(++made);
    cluster.create(topic, 2);
    return {.open =
                [&cluster, topic, encode] {
                  return kafka::write(topic, encode,
                                      {.brokers = cluster.brokers(),
                                       .guarantee = kafka::delivery::at_least_once,
                                       .connect_within = patient})
                      .open<int>({});
                },
            .published =
                [&cluster, topic] {
                  std::vector<int> all;
                  for (const std::string& each : values_of(cluster.brokers(), topic)) {
                    all.push_back(std::stoi(each));
                  }
                  return all;
                }};
  };
  fr::check_sink<int>(new_place, {1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("kafka::write names the row whose message is too large", "[kafka]") {
  mock_cluster cluster;
  cluster.create("topic", 1);
  const auto encode = [](int row) { return std::string(static_cast<std::size_t>(row), 'x'); };
  auto sink = *kafka::write("topic", encode,
                            {.brokers = cluster.brokers(),
                             .guarantee = kafka::delivery::at_least_once,
                             .message_bytes_max = 1000,
                             .connect_within = patient})
                   .open<int>({});
  require_ok(sink->start(std::nullopt));
  fr::batch<int> rows;
  for (const int size : {1000, 1001}) {
    rows.positions.push_back({rows.values.size(), 0, 0});
    rows.values.push_back(size);
  }
  std::size_t row = 0;
  try {
    (void)sink->write(rows);
  } catch (const fr::row_failure& failure) {
    row = failure.row;
  }
  CHECK(row == 1);
}
