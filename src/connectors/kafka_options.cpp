#include <freshet/connectors/kafka_options.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace freshet::kafka::detail {

namespace {

/// Set by the connector itself: another value would break what it promises.
constexpr std::array<std::string_view, 20> own_properties = {"bootstrap.servers",
                                                             "metadata.broker.list",
                                                             "group.id",
                                                             "group.instance.id",
                                                             "enable.auto.commit",
                                                             "enable.auto.offset.store",
                                                             "auto.commit.enable",
                                                             "auto.offset.reset",
                                                             "enable.partition.eof",
                                                             "isolation.level",
                                                             "queued.max.messages.kbytes",
                                                             "transactional.id",
                                                             "enable.idempotence",
                                                             "acks",
                                                             "request.required.acks",
                                                             "retries",
                                                             "message.send.max.retries",
                                                             "message.timeout.ms",
                                                             "delivery.timeout.ms",
                                                             "message.max.bytes"};

[[noreturn]] void refuse(std::string_view what, const std::string& topic, std::string_view wrong) {
  throw std::invalid_argument(fmt::format("kafka::{} '{}': {}", what, topic, wrong));
}

void check_common(std::string_view what, const std::string& topic, const std::string& brokers,
                  duration connect_within, const properties& config) {
  if (topic.empty()) refuse(what, topic, "the topic's name is empty; give one");
  if (brokers.empty()) refuse(what, topic, "brokers is empty; give HOST:PORT of at least one");
  if (connect_within <= duration::zero()) {
    refuse(what, topic, "connect_within is not positive; give one that is");
  }
  for (const auto& [name, value] : config) {
    if (std::find(own_properties.begin(), own_properties.end(), name) != own_properties.end()) {
      refuse(what, topic,
             fmt::format("the property '{}' is the connector's own; leave it out, and see the "
                         "options beside .config",
                         name));
    }
  }
}

}  // namespace

void check_read_options(const std::string& topic, const read_options& options) {
  check_common("read", topic, options.brokers, options.connect_within, options.config);
  for (std::size_t i = 0; i < options.partitions.size(); ++i) {
    if (options.partitions[i] < 0 ||
        (i > 0 && options.partitions[i] <= options.partitions[i - 1])) {
      refuse("read", topic, "partitions are negative or do not ascend; list each once, in order");
    }
  }
  if (options.buffer_bytes < (std::size_t{64} << 10)) {
    refuse("read", topic,
           fmt::format("buffer_bytes is {}; give at least 65536", options.buffer_bytes));
  }
  if (options.discover_every < duration::zero()) {
    refuse("read", topic, "discover_every is negative; give 0 or more");
  }
}

void check_write_options(const std::string& topic, const write_options& options) {
  check_common("write", topic, options.brokers, options.connect_within, options.config);
  if (options.guarantee == delivery::exactly_once && options.transactional_id.empty()) {
    refuse("write", topic,
           "transactional_id is empty; give one that no other sink has, or "
           ".guarantee = delivery::at_least_once");
  }
  constexpr std::size_t message_bytes_limit = 1'000'000'000;
  if (options.message_bytes_max < 1 || options.message_bytes_max > message_bytes_limit) {
    refuse("write", topic,
           fmt::format("message_bytes_max is {}; give 1 to {}", options.message_bytes_max,
                       message_bytes_limit));
  }
  if (options.rows_bytes_max < options.message_bytes_max) {
    refuse("write", topic, "rows_bytes_max is below message_bytes_max; give more");
  }
  if (const std::string wrong = wrong_in(options.retry); !wrong.empty()) {
    refuse("write", topic, wrong);
  }
}

std::string describe_reading(const std::string& topic, const read_options& options) {
  return fmt::format("kafka topic {}{}", topic,
                     options.read_committed ? "" : ", uncommitted messages, too");
}

}  // namespace freshet::kafka::detail
