#include <freshet/testing/detail/collecting_sink.hpp>

#include <fmt/format.h>

#include <charconv>

namespace freshet::detail {

std::string collected_base::start(std::uint64_t rows) {
  if (!started_) first_ = rows;  // Another harness took those before.
  started_ = true;
  if (rows < first_ || rows > end()) {
    return fmt::format("the checkpoint is at row {}, and those from {} to {} are kept", rows,
                       first_, end());
  }
  cut(static_cast<std::size_t>(rows - first_));
  published_ = rows;
  return {};
}

std::optional<std::uint64_t> parse_token(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return count;
}

}  // namespace freshet::detail
