#include "kafka/support.hpp"

#include "catch.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace freshet::test {

namespace {

void must(rd_kafka_resp_err_t error, const char* what) {
  INFO(what << ": " << rd_kafka_err2str(error));
  REQUIRE(error == RD_KAFKA_RESP_ERR_NO_ERROR);
}

rd_kafka_t* new_client(rd_kafka_type_t type, const std::string& brokers,
                       const std::vector<std::pair<std::string, std::string>>& properties) {
  std::array<char, 512> words{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const std::string& name, const std::string& value) {
    REQUIRE(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), words.data(), words.size()) ==
            RD_KAFKA_CONF_OK);
  };
  if (!brokers.empty()) set("bootstrap.servers", brokers);
  for (const auto& [name, value] : properties) set(name, value);
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_t* client = rd_kafka_new(type, conf, words.data(), words.size());
  INFO(words.data());
  REQUIRE(client != nullptr);
  return client;
}

std::string first_line_of(const std::string& command, int& exit_code) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> line{};
  if (std::fgets(line.data(), static_cast<int>(line.size()), pipe) == nullptr) line[0] = '\0';
  const int status = ::pclose(pipe);
  exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::string text = line.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string script() {
  const char* const source = std::getenv("FRESHET_SOURCE_DIR");
  return std::string(source != nullptr ? source : ".") + "/tests/kafka/broker.sh";
}

using admin_request = void (*)(rd_kafka_t*, const std::string&, int, rd_kafka_queue_t*);

/// Asks, and waits for the answer.
void administrate(const std::string& brokers, const std::string& topic, int partitions,
                  admin_request request) {
  rd_kafka_t* client = new_client(RD_KAFKA_PRODUCER, brokers, {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  request(client, topic, partitions, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, -1);
  must(rd_kafka_event_error(event), rd_kafka_event_error_string(event));
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = nullptr;
  if (const auto* created = rd_kafka_event_CreateTopics_result(event)) {
    results = rd_kafka_CreateTopics_result_topics(created, &count);
  } else {
    results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event),
                                                      &count);
  }
  REQUIRE(count == 1);
  must(rd_kafka_topic_result_error(results[0]), "the topic");
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
}

}  // namespace

mock_cluster::mock_cluster() : owner_(new_client(RD_KAFKA_PRODUCER, "", {})) {
  cluster_ = rd_kafka_mock_cluster_new(owner_, 1);
  REQUIRE(cluster_ != nullptr);
  brokers_ = rd_kafka_mock_cluster_bootstraps(cluster_);
}

mock_cluster::~mock_cluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(owner_);
}

void mock_cluster::create(const std::string& topic, int partitions) {
  must(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), "create");
}
void mock_cluster::set_down() {
  must(rd_kafka_mock_broker_set_down(cluster_, 1), "down");
}
void mock_cluster::set_up() {
  must(rd_kafka_mock_broker_set_up(cluster_, 1), "up");
}

real_broker* real_broker::get() {
  static std::string reason;
  static const std::unique_ptr<real_broker> one = [] {
    std::unique_ptr<real_broker> made(new real_broker);
    if (!made->start(reason)) made.reset();
    return made;
  }();
  if (!one) WARN("skipped, since there is no Kafka broker: " << reason);
  return one.get();
}

bool real_broker::start(std::string& reason) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  reason = "its tests are for builds without sanitizers, which they would take minutes with";
  return false;
#endif
  int exit_code = 0;
  const std::string errors = folder_ / "errors";
  const std::string line = first_line_of(script() + " start " + (folder_ / "broker") + " " +
                                             std::to_string(::getpid()) + " 2>" + errors,
                                         exit_code);
  if (exit_code == 77) {
    reason = content(errors);
    return false;
  }
  INFO(content(errors));
  REQUIRE(exit_code == 0);
  const std::size_t space = line.find(' ');
  REQUIRE(space != std::string::npos);
  brokers_ = line.substr(0, space);
  guarded_ = line.substr(space + 1);
  return true;
}

real_broker::~real_broker() {
  // When the program ends: no assertion works any more.
  const std::string stop = script() + " stop " + (folder_ / "broker");
  if (!brokers_.empty() && std::system(stop.c_str()) != 0) std::fputs("no end of Kafka\n", stderr);
}

void real_broker::kill() {
  int exit_code = 0;
  first_line_of(script() + " kill " + (folder_ / "broker"), exit_code);
  REQUIRE(exit_code == 0);
}

void real_broker::restart() {
  std::string reason;
  REQUIRE(start(reason));
}

void create_topic(const std::string& brokers, const std::string& topic, int partitions) {
  administrate(brokers, topic, partitions,
               [](rd_kafka_t* client, const std::string& name, int count, rd_kafka_queue_t* queue) {
                 rd_kafka_NewTopic_t* made =
                     rd_kafka_NewTopic_new(name.c_str(), count, 1, nullptr, 0);
                 rd_kafka_CreateTopics(client, &made, 1, nullptr, queue);
                 rd_kafka_NewTopic_destroy(made);
               });
}

void add_partitions(const std::string& brokers, const std::string& topic, int partitions) {
  administrate(brokers, topic, partitions,
               [](rd_kafka_t* client, const std::string& name, int count, rd_kafka_queue_t* queue) {
                 rd_kafka_NewPartitions_t* made = rd_kafka_NewPartitions_new(
                     name.c_str(), static_cast<std::size_t>(count), nullptr, 0);
                 rd_kafka_CreatePartitions(client, &made, 1, nullptr, queue);
                 rd_kafka_NewPartitions_destroy(made);
               });
}

void produce(const std::string& brokers, const std::string& topic,
             const std::vector<kafka::message>& all) {
  rd_kafka_t* client =
      new_client(RD_KAFKA_PRODUCER, brokers, {{"linger.ms", "1"}, {"enable.idempotence", "true"}});
  for (const kafka::message& each : all) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(each.headers.size() + 1);
    for (const kafka::header& one : each.headers) {
      rd_kafka_header_add(headers, one.name.c_str(), -1, one.value ? one.value->data() : nullptr,
                          one.value ? static_cast<ssize_t>(one.value->size()) : 0);
    }
    const std::int64_t milliseconds =
        each.at ? std::chrono::floor<std::chrono::milliseconds>(each.at->time_since_epoch()).count()
                : 0;
    std::string key = each.key.value_or("");
    std::string value = each.value.value_or("");
    while (true) {
      const rd_kafka_resp_err_t error = rd_kafka_producev(
          client, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(each.partition.value_or(0)),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
          RD_KAFKA_V_KEY((each.key ? key.data() : nullptr), key.size()),
          RD_KAFKA_V_VALUE((each.value ? value.data() : nullptr), value.size()),
          RD_KAFKA_V_TIMESTAMP(milliseconds), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      REQUIRE(error == RD_KAFKA_RESP_ERR__QUEUE_FULL);
      rd_kafka_poll(client, 10);
    }
  }
  must(rd_kafka_flush(client, -1), "flush");
  rd_kafka_destroy(client);
}

std::vector<kafka::message> messages_of(const std::string& brokers, const std::string& topic) {
  // The end of a committed transaction is seen a moment after its commit. So not what can be read
  // right now is read, but all up to the ends of the partitions, open transactions included.
  rd_kafka_t* client = new_client(RD_KAFKA_CONSUMER, brokers,
                                  {{"group.id", "none"}, {"isolation.level", "read_uncommitted"}});
  auto opened = kafka::read(topic, {.brokers = brokers,
                                    .connect_within = patient,
                                    .config = {{"fetch.wait.max.ms", "5"}}})
                    .open();
  require_ok(opened.status());
  std::vector<kafka::message> all;
  for (std::size_t split = 0; split < (*opened)->splits().size(); ++split) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    // A topic that is new has no leader for a moment.
    while (rd_kafka_query_watermark_offsets(client, topic.c_str(), static_cast<int>(split), &low,
                                            &high, 1000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    auto reader = (*opened)->open(split, std::nullopt);
    require_ok(reader.status());
    while (std::stoll((*reader)->position()) < high) {
      batch<kafka::message> rows;
      std::vector<dead_letter> dead;
      const auto read = (*reader)->read(1024, rows, dead);
      require_ok(read.status());
      if (*read == read_state::idle) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      for (kafka::message& each : rows.values) all.push_back(std::move(each));
    }
  }
  rd_kafka_destroy(client);
  return all;
}

std::vector<std::string> values_of(const std::string& brokers, const std::string& topic) {
  std::vector<std::string> values;
  for (const kafka::message& each : messages_of(brokers, topic)) {
    values.push_back(each.value.value_or("(none)"));
  }
  return values;
}

std::int64_t committed_offset(const std::string& brokers, const std::string& group,
                              const std::string& topic, int partition) {
  rd_kafka_t* client = new_client(RD_KAFKA_CONSUMER, brokers, {{"group.id", group}});
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  must(rd_kafka_committed(client, list, -1), "committed");
  const std::int64_t offset = list->elems[0].offset;
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(client);
  return offset;
}

std::string message_of(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

void require_ok(const absl::Status& status) {
  if (status.ok()) return;
  INFO(status.ToString());
  FAIL("not OK");
}

}  // namespace freshet::test
