// Messages of Kafka topics, as they are read and written. Plain values.
#pragma once

#include <freshet/core/time.hpp>

#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::kafka {

/// Names may repeat; a header may have no value.
struct header {
  std::string name = {};
  std::optional<std::string> value = {};
  friend bool operator==(const header&, const header&) = default;
};
BOOST_DESCRIBE_STRUCT(header, (), (name, value))

struct message {
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};  ///< Nothing: a tombstone.
  std::vector<header> headers = {};
  /// In whole milliseconds, as Kafka keeps it. When read: of creation, or of arrival, as the topic
  /// is set; nothing where the message has none. When written: nothing for the time of writing.
  std::optional<timestamp> at = {};
  /// When written: nothing lets the key decide, as Java producers do, or chance without a key.
  std::optional<std::int32_t> partition = {};
  std::int64_t offset = 0;  ///< Not used when written.
};
BOOST_DESCRIBE_STRUCT(message, (), (key, value, headers, at, partition, offset))

/// A message that was read, while its decoder looks at it; the views are of the client's buffer.
class message_view {
 public:
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  ///< Nothing: a tombstone.
  std::optional<timestamp> at = {};
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  /// Copies: most messages have none, and most decoders ask for none.
  std::vector<header> headers() const;

  const void* native = nullptr;  ///< The client's own message.
};

/// The decoder of who wants messages as they are.
struct to_message {
  absl::StatusOr<message> operator()(const message_view& view) const;
};

/// The encoder of rows that are messages.
struct as_message {
  const message& operator()(const message& row) const { return row; }
};

}  // namespace freshet::kafka
