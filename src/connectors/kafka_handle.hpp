// What reading from and writing to Kafka have in common: librdkafka's handles, properties, events.
//
// Threads: `client_events` any; the rest one at a time.
#pragma once

#include <freshet/connectors/kafka_options.hpp>
#include <freshet/core/time.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace freshet::kafka::detail {

template <auto Destroy>
struct destroyer {
  template <class Handle>
  void operator()(Handle* handle) const {
    Destroy(handle);
  }
};

using conf_handle = std::unique_ptr<rd_kafka_conf_t, destroyer<rd_kafka_conf_destroy>>;
using topic_handle = std::unique_ptr<rd_kafka_topic_t, destroyer<rd_kafka_topic_destroy>>;
using queue_handle = std::unique_ptr<rd_kafka_queue_t, destroyer<rd_kafka_queue_destroy>>;
using error_handle = std::unique_ptr<rd_kafka_error_t, destroyer<rd_kafka_error_destroy>>;
using partition_list = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                       destroyer<rd_kafka_topic_partition_list_destroy>>;
using client_handle = std::unique_ptr<rd_kafka_t, destroyer<rd_kafka_destroy>>;

/// What a client tells outside of the answers to its calls.
class client_events {
 public:
  client_events(std::string place, connection_health health)
      : place_(std::move(place)), health_(std::move(health)) {}

  const std::string& place() const { return place_; }
  const connection_health& health() const { return health_; }

  /// An error that no patience mends: kept, the first one.
  void fail(absl::Status why);
  /// Whether `fail` was called; without a lock.
  bool has_failed() const { return has_failed_.load(std::memory_order_acquire); }
  absl::Status failure() const;
  /// Called once after `fail`, from the thread that failed.
  void when_failed(std::function<void()> tell);

  /// For librdkafka, whose opaque pointer is the `client_events`.
  static void on_error(rd_kafka_t* client, int error, const char* reason, void* opaque);
  static void on_log(const rd_kafka_t*, int, const char*, const char*) {}

 private:
  const std::string place_;
  const connection_health health_;
  mutable std::mutex mutex_;
  std::atomic<bool> has_failed_ = false;
  absl::Status failure_;
  std::function<void()> tell_;
};

/// Whether the client itself, or another call later, can get over it: connections, elections.
bool is_passing(rd_kafka_resp_err_t error);

/// "PLACE: what (librdkafka's words)", with the code that callers expect.
absl::Status status_of(std::string_view place, std::string_view what, rd_kafka_resp_err_t error,
                       std::string_view words = {});

/// A configuration with the user's properties and `events` as the receiver.
absl::StatusOr<conf_handle> make_conf(const std::string& brokers, const properties& config,
                                      client_events& events);
/// Sets a property of the connector's own.
absl::Status set(rd_kafka_conf_t* conf, const client_events& events, const char* name,
                 const std::string& value);
absl::StatusOr<client_handle> make_client(rd_kafka_type_t type, conf_handle conf,
                                          const client_events& events);

/// The number of partitions. Waits for a broker; asks a few times for a topic that is unknown,
/// since a new one is for a moment.
/// \param stopped  asked twice a second whether to give up.
absl::StatusOr<std::int32_t> count_partitions(rd_kafka_t* client, rd_kafka_topic_t* topic,
                                              const std::string& brokers, duration within,
                                              const client_events& events,
                                              const std::function<bool()>& stopped);

/// For as long as one blocking call may take, so that an interruption is noticed soon.
inline constexpr int call_milliseconds = 500;

}  // namespace freshet::kafka::detail
