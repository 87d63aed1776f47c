// Reads text files piece by piece.
//
// A record that reaches beyond the buffer is read again from its beginning after a refill that at
// least doubles it, so every byte is looked at a bounded number of times.
#include <freshet/connectors/detail/record_buffer.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace freshet::detail {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

}  // namespace

record_buffer::record_buffer(std::unique_ptr<input_file> input, std::string place,
                             std::size_t record_bytes_max, std::size_t block_bytes)
    : input_(std::move(input)),
      place_(std::move(place)),
      record_bytes_max_(record_bytes_max),
      block_bytes_(block_bytes),
      buffer_(padding_bytes) {}

record_buffer::~record_buffer() = default;

bool record_buffer::skip_byte_order_mark() {
  starved_ = false;
  while (end_ < byte_order_mark.size() && !at_end_ && !starved_) {
    if (!record_buffer::refill()) return false;
  }
  if (std::string_view(buffer_.data(), end_).starts_with(byte_order_mark)) {
    begin_ = byte_order_mark.size();
  }
  return true;
}

bool record_buffer::refill() {
  const std::size_t pending = end_ - begin_;
  std::memmove(buffer_.data(), buffer_.data() + begin_, pending);
  base_ += begin_;
  begin_ = 0;
  end_ = pending;
  // Reading as much as is pending again keeps the cost of reading a long record anew linear.
  const std::size_t wanted = std::max(block_bytes_, pending);
  if (buffer_.size() < end_ + wanted + padding_bytes) {
    buffer_.resize(end_ + wanted + padding_bytes);
  }
  const absl::StatusOr<std::size_t> count = input_->read(buffer_.data() + end_, wanted);
  if (!count.ok()) {
    status_ = count.status();
    return false;
  }
  end_ += *count;
  starved_ = *count == 0 && input_->may_grow();
  at_end_ = *count == 0 && !starved_;
  return true;
}

void record_buffer::set_text(std::size_t end) {
  if (end > begin_ && buffer_[end - 1] == '\r') --end;
  text_ = {buffer_.data() + begin_, end - begin_};
  text_bytes_ = text_.size();
}

scanned record_buffer::skip_long_record(std::size_t until, std::uint64_t lines) {
  text_kept_.assign(buffer_.data() + begin_, std::min(dead_letter_bytes_max, until - begin_));
  lines_skipped_ = lines;
  skipping_ = true;
  return skip_rest_of_line(until);
}

scanned record_buffer::go_on_skipping() {
  if (!refill()) return scanned::failed;
  return starved_ ? scanned::waiting : skip_rest_of_line(begin_);
}

scanned record_buffer::skip_rest_of_line(std::size_t from) {
  for (;;) {
    const void* const found = std::memchr(buffer_.data() + from, '\n', end_ - from);
    if (found != nullptr) {
      const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
      text_bytes_ = base_ + end - record_byte_;
      begin_ = end + 1;
      break;
    }
    begin_ = end_;
    text_bytes_ = base_ + end_ - record_byte_;
    if (at_end_) break;
    if (!record_buffer::refill()) return scanned::failed;
    if (starved_) return scanned::waiting;
    from = begin_;
  }
  skipping_ = false;
  line_ += lines_skipped_ + 1;
  text_ = text_kept_;
  reason_ = fmt::format("longer than {} bytes", record_bytes_max_);
  return scanned::malformed;
}

absl::Status record_buffer::skip_to(std::uint64_t byte, std::uint64_t line) {
  const std::uint64_t here = base_ + begin_;
  const auto changed = [this, byte](std::string_view found) {
    return absl::DataLossError(fmt::format(
        "{}: {}, wanted the start of a record at byte {}, where the checkpoint goes on; put back "
        "the file that was read, or start without the checkpoint",
        place_, found, byte));
  };
  if (byte < here) return changed("byte lies before the first record");
  if (byte > here) {
    // The byte before must end a line. One byte is no proof, but finds most files that changed.
    const std::uint64_t before = byte - 1;
    if (before <= base_ + end_) {
      begin_ = static_cast<std::size_t>(before - base_);
    } else {
      const absl::StatusOr<std::uint64_t> passed = input_->skip(before - (base_ + end_));
      if (!passed.ok()) return passed.status();
      base_ += end_ + *passed;
      begin_ = end_ = 0;
      if (base_ < before) return changed(fmt::format("the file ends at byte {}", base_));
    }
    starved_ = false;
    while (end_ - begin_ < 2 && !at_end_ && !starved_) {
      if (!record_buffer::refill()) return status_;
    }
    if (begin_ == end_) return changed(fmt::format("the file ends at byte {}", base_ + end_));
    ++begin_;
    if (buffer_[begin_ - 1] != '\n' && begin_ != end_) {
      return changed("the byte before is not the end of a line");
    }
  }
  line_ = line;
  return absl::OkStatus();
}

}  // namespace freshet::detail
