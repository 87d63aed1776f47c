// Options of kafka::read and kafka::write. Plain values. Durations are processing time.
#pragma once

#include <freshet/connectors/connection_health.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/retry.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace freshet::kafka {

/// Properties of librdkafka by name, such as {"security.protocol", "SASL_SSL"}. Values are never
/// part of an error message: they may be secrets.
using properties = std::vector<std::pair<std::string, std::string>>;

/// Where a job begins that has no checkpoint.
enum class start_at : std::uint8_t { earliest, latest };

/// What happens when messages from the checkpoint's position on are gone: the topic's retention was
/// shorter than the job's absence.
enum class lost_messages : std::uint8_t {
  fail_job,       ///< The job ends with DataLoss, which tells how many are gone.
  read_the_rest,  ///< It goes on at the first that is left; `.health` tells how many are gone.
};

struct read_options {
  /// "HOST:PORT,HOST:PORT": some of the brokers, from which the others are learned.
  std::string brokers = {};
  /// The consumer group that offsets are committed to after each checkpoint, for monitoring. Empty:
  /// none. Nothing is read back from it. It must have no members.
  std::string group = {};
  /// Which partitions this process reads: ascending. Empty: all. Several processes of one
  /// application share a topic by it.
  std::vector<std::int32_t> partitions = {};
  start_at start = start_at::earliest;
  /// Whether the source ends at the messages that were the last when it was opened.
  bool until_end = false;
  /// Whether messages of transactions wait until they are committed, and are left out when they are
  /// aborted.
  bool read_committed = true;
  lost_messages on_lost = lost_messages::fail_job;
  /// Fetched ahead, for each partition, in bytes. At least 64 KiB.
  std::size_t buffer_bytes = std::size_t{8} << 20;
  /// For how long to wait for the first answer of a broker.
  duration connect_within = std::chrono::seconds(30);
  /// How often to look for new partitions. Zero: only when the job starts.
  duration discover_every = std::chrono::minutes(1);
  properties config = {};
  connection_health health = {};
};

enum class delivery : std::uint8_t {
  exactly_once,   ///< In transactions, each tied to a checkpoint.
  at_least_once,  ///< At once, by an idempotent producer: rows since the last commit come again.
};

struct write_options {
  std::string brokers = {};
  delivery guarantee = delivery::exactly_once;
  /// Identifies this sink to the brokers across restarts: a second process with the same one ends
  /// the first. Needed for `exactly_once`; every sink of every job has its own. It is also the name
  /// of the consumer group under which the sink notes what it has committed.
  std::string transactional_id = {};
  /// Messages whose key, value and headers are larger end the job at their row. No more than what
  /// the topic's max.message.bytes allows.
  std::size_t message_bytes_max = 1'000'000;
  /// What may wait for one checkpoint, in bytes of messages. More end the job: take checkpoints
  /// more often, or give more. For `exactly_once` only.
  std::size_t rows_bytes_max = std::size_t{64} << 20;
  /// For how long to wait for the first answer of a broker. Later, they are waited for however
  /// long.
  duration connect_within = std::chrono::seconds(30);
  /// Between the attempts of a transaction that was aborted.
  retry_policy retry = {};
  properties config = {};
  connection_health health = {};
};

namespace detail {

/// Throw `std::invalid_argument` when something is empty that is needed, a number is out of its
/// range, or a property of `.config` is one that the connector has to set itself.
void check_read_options(const std::string& topic, const read_options& options);
void check_write_options(const std::string& topic, const write_options& options);

std::string describe_reading(const std::string& topic, const read_options& options);

}  // namespace detail

}  // namespace freshet::kafka
