// Kafka for tests: librdkafka's mock cluster, a real broker where there can be one, and a client
// that writes and reads whole topics by itself.
//
// Waits are for what must come; none decides an outcome. Threads: one.
#pragma once

#include "process/program.hpp"

#include <freshet/connectors/kafka.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct rd_kafka_s;
struct rd_kafka_mock_cluster_s;

namespace freshet::test {

/// librdkafka's own brokers, in this process. Their transactions are stubs.
class mock_cluster {
 public:
  mock_cluster();
  ~mock_cluster();
  mock_cluster(const mock_cluster&) = delete;
  mock_cluster& operator=(const mock_cluster&) = delete;

  const std::string& brokers() const { return brokers_; }
  void create(const std::string& topic, int partitions);
  void set_down();
  void set_up();

 private:
  rd_kafka_s* owner_;
  rd_kafka_mock_cluster_s* cluster_;
  std::string brokers_;
};

/// Apache Kafka, in a process of its own that ends with this one.
class real_broker {
 public:
  /// The broker of this process, started by the first call; null, after a message to the test's
  /// reader, where none can be had: the test is then to return.
  static real_broker* get();
  ~real_broker();
  real_broker(const real_broker&) = delete;
  real_broker& operator=(const real_broker&) = delete;

  const std::string& brokers() const { return brokers_; }
  /// The listener that wants SASL PLAIN, user alice, password secret.
  const std::string& guarded() const { return guarded_; }
  void kill();
  void restart();

 private:
  real_broker() = default;
  bool start(std::string& reason);

  scratch_folder folder_;
  std::string brokers_;
  std::string guarded_;
};

void create_topic(const std::string& brokers, const std::string& topic, int partitions);
void add_partitions(const std::string& brokers, const std::string& topic, int partitions);

/// Produces the messages, in order, each to its partition, or to partition 0.
void produce(const std::string& brokers, const std::string& topic,
             const std::vector<kafka::message>& all);

/// Everything that can be read of the topic now, partition by partition.
std::vector<kafka::message> messages_of(const std::string& brokers, const std::string& topic);
std::vector<std::string> values_of(const std::string& brokers, const std::string& topic);

/// For slow machines: how long brokers may take to answer.
inline constexpr duration patient = std::chrono::hours(1);

/// What the group has committed for the partition; -1001 when nothing.
std::int64_t committed_offset(const std::string& brokers, const std::string& group,
                              const std::string& topic, int partition);

std::string message_of(const absl::Status& status);

/// Ends the test where `status` is an error, and says which.
void require_ok(const absl::Status& status);

}  // namespace freshet::test
