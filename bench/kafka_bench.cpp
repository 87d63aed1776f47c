// Kafka through freshet, beside librdkafka alone on the same topic.
//
//     FRESHET_KAFKA_BROKERS=$(tests/kafka/broker.sh start /tmp/broker | cut -d' ' -f1) kafka_bench
//
// Each pair reads or writes a million messages of 100 bytes; `messages` is messages per second of
// wall time, most of which the broker has: compare within one run. Without a broker they are
// skipped.
#include <freshet/connectors/kafka.hpp>

#include <benchmark/benchmark.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace fr = freshet;

namespace {

constexpr std::int64_t messages = 1'000'000;
const std::string payload(100, 'x');

std::string brokers() {
  const char* const given = std::getenv("FRESHET_KAFKA_BROKERS");
  return given == nullptr ? "" : given;
}

bool has_broker(benchmark::State& state) {
  if (!brokers().empty()) return true;
  state.SkipWithError("no broker: set FRESHET_KAFKA_BROKERS to its HOST:PORT");
  return false;
}

rd_kafka_t* new_client(rd_kafka_type_t type) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers().c_str(), nullptr, 0);
  rd_kafka_conf_set(conf, "enable.idempotence", "true", nullptr, 0);
  rd_kafka_t* client = rd_kafka_new(type, conf, nullptr, 0);
  if (client == nullptr) throw std::runtime_error("librdkafka does not start");
  return client;
}

std::string new_topic() {
  static int made = 0;
  std::string name = "bench." + std::to_string(::time(nullptr)) + "." + std::to_string(++made);
  rd_kafka_t* client = new_client(RD_KAFKA_PRODUCER);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), 1, 1, nullptr, 0);
  rd_kafka_CreateTopics(client, &topic, 1, nullptr, queue);
  rd_kafka_event_destroy(rd_kafka_queue_poll(queue, -1));
  rd_kafka_NewTopic_destroy(topic);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
  return name;
}

void write_with_librdkafka(const std::string& topic) {
  rd_kafka_t* client = new_client(RD_KAFKA_PRODUCER);
  rd_kafka_topic_t* to = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  for (std::int64_t sent = 0; sent < messages;) {
    std::string copy = payload;
    if (rd_kafka_produce(to, 0, RD_KAFKA_MSG_F_COPY, copy.data(), copy.size(), nullptr, 0,
                         nullptr) == 0) {
      ++sent;
    } else {
      rd_kafka_poll(client, 10);
    }
  }
  rd_kafka_flush(client, -1);
  rd_kafka_topic_destroy(to);
  rd_kafka_destroy(client);
}

const std::string& full_topic() {
  static const std::string name = [] {
    std::string topic = new_topic();
    write_with_librdkafka(topic);
    return topic;
  }();
  return name;
}

void set_rate(benchmark::State& state) {
  state.counters["messages"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(messages),
                         benchmark::Counter::kIsRate);
}

void read_librdkafka(benchmark::State& state) {
  if (!has_broker(state)) return;
  const std::string topic = full_topic();
  for (auto _ : state) {
    rd_kafka_t* client = new_client(RD_KAFKA_CONSUMER);
    rd_kafka_topic_t* from = rd_kafka_topic_new(client, topic.c_str(), nullptr);
    rd_kafka_consume_start(from, 0, RD_KAFKA_OFFSET_BEGINNING);
    std::array<rd_kafka_message_t*, 1024> taken{};
    for (std::int64_t got = 0; got < messages;) {
      const ssize_t count = rd_kafka_consume_batch(from, 0, 0, taken.data(), taken.size());
      if (count == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
      for (ssize_t i = 0; i < count; ++i) {
        benchmark::DoNotOptimize(taken[static_cast<std::size_t>(i)]->len);
        rd_kafka_message_destroy(taken[static_cast<std::size_t>(i)]);
      }
      got += count;
    }
    rd_kafka_consume_stop(from, 0);
    rd_kafka_topic_destroy(from);
    rd_kafka_destroy(client);
  }
  set_rate(state);
}

void read_freshet(benchmark::State& state) {
  if (!has_broker(state)) return;
  const std::string topic = full_topic();
  const auto decode = [](std::string_view value) -> absl::StatusOr<std::size_t> {
    return value.size();
  };
  for (auto _ : state) {
    auto source = *fr::kafka::read(topic, decode, {.brokers = brokers(), .until_end = true}).open();
    auto reader = *source->open(0, std::nullopt);
    for (fr::read_state now = fr::read_state::more; now != fr::read_state::end;) {
      fr::batch<std::size_t> rows;
      std::vector<fr::dead_letter> dead;
      now = *reader->read(1024, rows, dead);
      benchmark::DoNotOptimize(rows.values.data());
      if (now == fr::read_state::idle) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  set_rate(state);
}

void write_librdkafka(benchmark::State& state) {
  if (!has_broker(state)) return;
  for (auto _ : state) write_with_librdkafka(new_topic());
  set_rate(state);
}

void write_freshet(benchmark::State& state, fr::kafka::delivery guarantee) {
  if (!has_broker(state)) return;
  fr::batch<std::string> rows;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    rows.values.push_back(payload);
    rows.positions.push_back({i, 0, 0});
  }
  for (auto _ : state) {
    const std::string topic = new_topic();
    auto sink =
        *fr::kafka::write(topic, [](const std::string& row) { return row; },
                          {.brokers = brokers(), .guarantee = guarantee, .transactional_id = topic})
             .open<std::string>({});
    if (!sink->start(std::nullopt).ok()) throw std::runtime_error("no start");
    for (std::int64_t written = 0; written < messages; written += 1000) {
      if (!sink->write(rows).ok()) throw std::runtime_error("no write");
      if (written % 100'000 != 99'000) continue;  // A checkpoint.
      if (!sink->commit(*sink->prepare(), false).ok()) throw std::runtime_error("no commit");
    }
  }
  set_rate(state);
}

BENCHMARK(read_librdkafka)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);
BENCHMARK(read_freshet)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);
BENCHMARK(write_librdkafka)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);
BENCHMARK_CAPTURE(write_freshet, at_least_once, fr::kafka::delivery::at_least_once)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(write_freshet, exactly_once, fr::kafka::delivery::exactly_once)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(3);

}  // namespace
