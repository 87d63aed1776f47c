#include "kafka_handle.hpp"

#include <fmt/format.h>

#include <array>
#include <thread>
#include <utility>

namespace freshet::kafka::detail {

void client_events::fail(absl::Status why) {
  std::function<void()> tell;
  {
    const std::lock_guard lock(mutex_);
    health_.failed(std::string_view(why.message().data(), why.message().size()));
    if (has_failed_) return;
    failure_ = std::move(why);
    has_failed_.store(true, std::memory_order_release);
    tell = tell_;
  }
  if (tell) tell();
}

absl::Status client_events::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void client_events::when_failed(std::function<void()> tell) {
  const std::lock_guard lock(mutex_);
  tell_ = std::move(tell);
}

void client_events::on_error(rd_kafka_t* client, int error, const char* reason, void* opaque) {
  client_events& self = *static_cast<client_events*>(opaque);
  auto code = static_cast<rd_kafka_resp_err_t>(error);
  std::array<char, 512> words{};
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    code = rd_kafka_fatal_error(client, words.data(), words.size());
    reason = words.data();
  } else if (code != RD_KAFKA_RESP_ERR__AUTHENTICATION && code != RD_KAFKA_RESP_ERR__SSL &&
             code != RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED &&
             code != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED &&
             code != RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
    self.health_.failed(reason);  // The client tries again, with growing pauses.
    return;
  }
  self.fail(status_of(self.place_, "the brokers refuse", code, reason));
}

bool is_passing(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return true;
    default:
      return false;
  }
}

namespace {

absl::StatusCode code_of(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return absl::StatusCode::kUnauthenticated;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return absl::StatusCode::kPermissionDenied;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return absl::StatusCode::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return absl::StatusCode::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return absl::StatusCode::kDataLoss;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
      return absl::StatusCode::kAborted;
    default:
      return is_passing(error) ? absl::StatusCode::kUnavailable
                               : absl::StatusCode::kFailedPrecondition;
  }
}

}  // namespace

absl::Status status_of(std::string_view place, std::string_view what, rd_kafka_resp_err_t error,
                       std::string_view words) {
  if (words.empty()) words = rd_kafka_err2str(error);
  std::string_view advice = "see to the brokers, then start the job again";
  switch (code_of(error)) {
    case absl::StatusCode::kUnauthenticated:
      advice = "see to the sasl.* and ssl.* properties in .config";
      break;
    case absl::StatusCode::kPermissionDenied:
      advice = "give the user the right to it";
      break;
    case absl::StatusCode::kNotFound:
      advice = "create the topic, or correct its name";
      break;
    case absl::StatusCode::kAborted:
      advice =
          "another process has started with the same transactional_id, or the transaction took "
          "longer than the brokers allow; start the job again where no other runs";
      break;
    default:
      break;
  }
  return absl::Status(code_of(error), fmt::format("{}: {} ({}); {}", place, what, words, advice));
}

absl::Status set(rd_kafka_conf_t* conf, const client_events& events, const char* name,
                 const std::string& value) {
  std::array<char, 512> words{};
  if (rd_kafka_conf_set(conf, name, value.c_str(), words.data(), words.size()) ==
      RD_KAFKA_CONF_OK) {
    return absl::OkStatus();
  }
  // librdkafka's words may quote the value, which may be a secret.
  return absl::InvalidArgumentError(
      fmt::format("{}: librdkafka does not take the property '{}' or its value; correct it in "
                  ".config",
                  events.place(), name));
}

absl::StatusOr<conf_handle> make_conf(const std::string& brokers, const properties& config,
                                      client_events& events) {
  conf_handle conf(rd_kafka_conf_new());
  rd_kafka_conf_set_opaque(conf.get(), &events);
  rd_kafka_conf_set_error_cb(conf.get(), &client_events::on_error);
  rd_kafka_conf_set_log_cb(conf.get(), &client_events::on_log);
  for (const auto& [name, value] : config) {
    if (absl::Status done = set(conf.get(), events, name.c_str(), value); !done.ok()) return done;
  }
  if (absl::Status done = set(conf.get(), events, "bootstrap.servers", brokers); !done.ok()) {
    return done;
  }
  return conf;
}

absl::StatusOr<client_handle> make_client(rd_kafka_type_t type, conf_handle conf,
                                          const client_events& events) {
  std::array<char, 512> words{};
  client_handle client(rd_kafka_new(type, conf.get(), words.data(), words.size()));
  if (!client) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: librdkafka does not start ({}); correct .config", events.place(), words.data()));
  }
  (void)conf.release();  // Now the client's.
  return client;
}

absl::StatusOr<std::int32_t> count_partitions(rd_kafka_t* client, rd_kafka_topic_t* topic,
                                              const std::string& brokers, duration within,
                                              const client_events& events,
                                              const std::function<bool()>& stopped) {
  constexpr int unknown_max = 5;
  constexpr auto unknown_pause = std::chrono::milliseconds(100);
  const auto began = std::chrono::steady_clock::now();
  for (int unknown = 0;;) {
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, call_milliseconds);
    (void)rd_kafka_poll(client, 0);
    if (events.has_failed()) {
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
      return events.failure();
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      events.health().answered();
      std::int32_t count = 0;
      if (metadata->topic_cnt == 1) {
        error = metadata->topics[0].err;
        count = metadata->topics[0].partition_cnt;
      }
      rd_kafka_metadata_destroy(metadata);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR && count > 0) return count;
      const bool is_unknown = error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                              error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
      if (!is_passing(error) && error != RD_KAFKA_RESP_ERR_NO_ERROR &&
          (!is_unknown || ++unknown >= unknown_max)) {
        return status_of(events.place(), "the brokers have no such topic to use", error);
      }
      std::this_thread::sleep_for(unknown_pause);
    } else if (!is_passing(error)) {
      return status_of(events.place(), "the brokers do not tell of the topic", error);
    }
    if (stopped()) return absl::CancelledError(events.place() + ": interrupted");
    if (std::chrono::steady_clock::now() - began >= within) {
      const std::string last = events.health().now().last_failure;
      return absl::UnavailableError(fmt::format(
          "{}: no broker of '{}' has answered within {} ({}); start one, correct the "
          "address, or give a longer connect_within",
          events.place(), brokers, to_text(within), last.empty() ? rd_kafka_err2str(error) : last));
    }
  }
}

}  // namespace freshet::kafka::detail
