// Apache Kafka topics as sources and sinks, exactly once from end to end.
//
//     auto read = fr::kafka::read("payments", to_payment, {.brokers = "localhost:9092"});
//     auto payments = p.from("payments", read);
//     alerts | fr::to("alerts", fr::kafka::write("alerts", to_json,
//                        {.brokers = "localhost:9092", .transactional_id = "fraud.alerts"}));
//
// Reading: each partition is one split with a watermark of its own, and a record's sequence is its
// offset. Offsets are part of the checkpoint, which alone decides where a job goes on; they are
// also committed to a consumer group, for the tools that watch lags. Partitions are assigned by
// position in the topic, not by a group's protocol, so that no rebalance can interrupt a job.
// Writing: the rows of a checkpoint are one Kafka transaction, committed after the checkpoint;
// docs/explanation/exactly-once.md says how one in doubt is settled.
// Threads: descriptions are immutable values. Each opened source has one thread of its own, and
// librdkafka several. Memory: `buffer_bytes` per partition read; `rows_bytes_max` per sink.
#pragma once

#include <freshet/connectors/detail/kafka_client.hpp>
#include <freshet/connectors/detail/kafka_rows.hpp>
#include <freshet/connectors/kafka_message.hpp>
#include <freshet/connectors/kafka_options.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet::kafka {

/// What `read` returns: a source that the engine opens.
template <class Decoder>
class read_description {
 public:
  using value_type = detail::decoded<Decoder>;

  read_description(std::string topic, Decoder decode, read_options options)
      : topic_(std::move(topic)), decode_(std::move(decode)), options_(std::move(options)) {}

  /// Waits for the brokers up to `connect_within`.
  /// \return the source; NotFound when the topic does not exist, Unauthenticated or
  /// PermissionDenied
  ///         when the brokers refuse, Unavailable when none answers, InvalidArgument when
  ///         librdkafka does not take a property of `.config`.
  absl::StatusOr<std::unique_ptr<source<value_type>>> open() const {
    auto opened = detail::open_topic(topic_, options_);
    if (!opened.ok()) return opened.status();
    return std::make_unique<detail::topic_source<Decoder>>(*std::move(opened), decode_);
  }

  /// What a resumed job must have in common with the one that was interrupted.
  std::string describe() const { return detail::describe_reading(topic_, options_); }

  /// Where a first run begins that begins at the end depends on the moment.
  std::vector<std::string> unpromised() const {
    if (options_.start == start_at::earliest) return {};
    return {"start at the latest message"};
  }

 private:
  std::string topic_;
  Decoder decode_;
  read_options options_;
};

/// Reads the messages of `topic`. `decode` makes a record of each, or a dead letter:
///
/// | signature                                           | gets |
/// |-----------------------------------------------------|-----------------------------------------|
/// | `absl::StatusOr<T>(std::string_view)`               | the value; a tombstone is a dead letter
/// | | `absl::StatusOr<T>(const kafka::message_view&)`     | key, value, headers, time, place |
///
/// The error's message becomes the dead letter's reason, the value its record, the offset its
/// sequence. Each split has a copy of `decode`; an exception from it ends the job.
///
/// Brokers that vanish are waited for, however long, without a spin: `.health` tells. What ends the
/// job: the topic or a message of the checkpoint's position is gone (see `.on_lost`), access is
/// refused, a message is damaged, or the topic has new partitions: the job that is started again
/// reads them, too, from their beginning.
/// \throws std::invalid_argument on unusable options: see `read_options`.
template <class Decoder>
read_description<Decoder> read(std::string topic, Decoder decode, read_options options) {
  static_assert(detail::message_decoder<Decoder>,
                "freshet: kafka::read needs a decoder that takes a std::string_view (the value) or "
                "a const kafka::message_view&, and returns absl::StatusOr<your record>");
  detail::check_read_options(topic, options);
  return {std::move(topic), std::move(decode), std::move(options)};
}

/// Reads messages as they are.
inline read_description<to_message> read(std::string topic, read_options options) {
  return read(std::move(topic), to_message{}, std::move(options));
}

/// What `write` returns: a sink that the engine opens.
template <class Encoder>
class write_description {
 public:
  write_description(std::string topic, Encoder encode, write_options options)
      : topic_(std::move(topic)), encode_(std::move(encode)), options_(std::move(options)) {}

  template <class T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>&) const {
    static_assert(
        detail::message_encoder<Encoder, T>,
        "freshet: kafka::write needs an encoder that takes the stream's row and returns a "
        "kafka::message, or a std::string: the message's value");
    if constexpr (detail::message_encoder<Encoder, T>) {
      return std::make_unique<detail::topic_sink<T, Encoder>>(detail::open_writer(topic_, options_),
                                                              encode_);
    } else {
      return absl::InternalError("unreachable");
    }
  }

 private:
  std::string topic_;
  Encoder encode_;
  write_options options_;
};

/// Writes a message for each row to `topic`, which must exist. `encode` makes it: it returns a
/// `kafka::message` (key, value or tombstone, headers, time, partition) or a `std::string`, the
/// value of a message without a key. Messages of one key keep the order of their rows.
///
/// With `delivery::exactly_once`, rows wait in memory for their checkpoint, whose commit they are a
/// part of, and are then produced in one transaction. Readers with `read_committed` see each row
/// once, whenever the job was killed. So rows are as late as checkpoints are rare, and without
/// checkpoints they come at the end. With `delivery::at_least_once` they are produced at once.
/// \throws std::invalid_argument on unusable options: see `write_options`.
template <class Encoder>
write_description<Encoder> write(std::string topic, Encoder encode, write_options options) {
  detail::check_write_options(topic, options);
  return {std::move(topic), std::move(encode), std::move(options)};
}

/// Writes rows that are `kafka::message`s.
inline write_description<as_message> write(std::string topic, write_options options) {
  return write(std::move(topic), as_message{}, std::move(options));
}

}  // namespace freshet::kafka
