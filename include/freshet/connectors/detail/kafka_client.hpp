// What kafka.hpp needs of the client library, without its headers. Internal.
//
// Implemented in src/connectors/kafka_read.cpp and kafka_write.cpp with librdkafka; a build without
// it has kafka_absent.cpp, where opening is an error that says so.
#pragma once

#include <freshet/connectors/kafka_message.hpp>
#include <freshet/connectors/kafka_options.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::kafka::detail {

/// One partition that is being read.
class partition_client : public split_cursor {
 public:
  /// Takes up to `limit` messages that have arrived; does not wait. The views hold until the next
  /// call. After an error, nothing was taken.
  virtual absl::StatusOr<read_state> take(std::size_t limit, std::vector<message_view>& taken) = 0;

  /// "kafka::read 'orders', partition 3".
  virtual std::string place() const = 0;
};

/// A topic that is being read.
class topic_client : public source_base {
 public:
  virtual absl::StatusOr<std::unique_ptr<partition_client>> open(
      std::size_t split, std::optional<std::string_view> position) = 0;
};

absl::StatusOr<std::unique_ptr<topic_client>> open_topic(const std::string& topic,
                                                         const read_options& options);

/// What is added to a decoder's exception.
absl::Status decoder_failed(const partition_client& at, const message_view& message);

/// A sink without its rows: see `sink` for what the functions promise.
class writer_client {
 public:
  virtual ~writer_client() = default;
  virtual sink_guarantee guarantee() const = 0;
  virtual absl::Status start(std::optional<std::string_view> committed) = 0;
  /// Throws `row_failure` for row `row` when the message is too large.
  virtual absl::Status add(const message& made, std::size_t row) = 0;
  virtual void interrupt() = 0;
  virtual absl::StatusOr<std::string> prepare() = 0;
  virtual absl::Status commit(std::string_view token) = 0;
};

std::unique_ptr<writer_client> open_writer(const std::string& topic, const write_options& options);

}  // namespace freshet::kafka::detail
