// Cuts text into lines.
#include <freshet/connectors/detail/line_scanner.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace freshet::detail {

absl::StatusOr<std::unique_ptr<line_scanner>> line_scanner::start(
    std::unique_ptr<input_file> input, std::string place, const line_scanner_options& options) {
  std::unique_ptr<line_scanner> scanner(
      new line_scanner(std::move(input), std::move(place), options));
  if (!scanner->skip_byte_order_mark()) return scanner->status_;
  return scanner;
}

scanned line_scanner::next() {
  if (!status_.ok()) return scanned::failed;
  if (is_skipping()) return go_on_skipping();
  std::size_t looked_at = 0;  // So many bytes of the line hold no line end.
  for (;;) {
    record_byte_ = base_ + begin_;
    record_line_ = line_;
    const std::size_t from = begin_ + looked_at;
    const void* const found =
        from < end_ ? std::memchr(buffer_.data() + from, '\n', end_ - from) : nullptr;
    const std::size_t end =
        found == nullptr
            ? end_
            : static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
    const std::size_t bytes = end - begin_ + (found == nullptr ? 0 : 1);
    if (bytes > record_bytes_max_) return skip_long_record(begin_ + record_bytes_max_, 0);
    if (found == nullptr && !at_end_) {
      looked_at = end_ - begin_;
      if (!refill()) return scanned::failed;
      if (starved_) return scanned::waiting;
      continue;
    }
    if (found == nullptr && begin_ == end_) return scanned::end;
    set_text(end);
    begin_ = found == nullptr ? end_ : end + 1;
    ++line_;
    looked_at = 0;
    if (skip_blank_ && text_.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    return scanned::record;
  }
}

std::string line_scanner::position() const {
  return fmt::format("line1:{}:{}", next_byte(), line_);
}

absl::Status line_scanner::skip_to_position(std::string_view position) {
  constexpr std::string_view kind = "line1:";
  std::uint64_t byte = 0;
  std::uint64_t line = 0;
  if (position.starts_with(kind)) {
    const char* const end = position.data() + position.size();
    const auto first = std::from_chars(position.data() + kind.size(), end, byte);
    if (first.ec == std::errc{} && first.ptr != end && *first.ptr == ':') {
      const auto second = std::from_chars(first.ptr + 1, end, line);
      if (second.ec != std::errc{} || second.ptr != end) line = 0;
    }
  }
  if (line == 0) {
    return absl::InvalidArgumentError(
        place_ +
        ": the position in the checkpoint is not one of lines; rerun with the build that wrote it");
  }
  return skip_to(byte, line);
}

}  // namespace freshet::detail
