// Cuts CSV into records and fields.
//
// One look at 64 bytes gives a mask of the special ones among them (delimiter, quote, line feed),
// and a record is read from special byte to special byte; what lies between is never looked at one
// by one. A record that reaches beyond the buffer is read again from its beginning after a refill
// that at least doubles it, so every byte is looked at a bounded number of times.
#include <freshet/connectors/detail/csv_scanner.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace freshet::csv::detail {

namespace {

constexpr std::size_t mask_bytes = 64;  // Not more than the buffer is padded with.
constexpr auto nowhere = static_cast<std::size_t>(-1);

}  // namespace

std::string encode_position(const scan_position& position) {
  return fmt::format("csv1:{}:{}:{}", position.byte, position.line, position.single_lines_until);
}

std::optional<scan_position> decode_position(std::string_view text) {
  constexpr std::string_view kind = "csv1";
  if (!text.starts_with(kind)) return std::nullopt;
  const char* at = text.data() + kind.size();
  const char* const end = text.data() + text.size();
  scan_position position;
  for (std::uint64_t* number : {&position.byte, &position.line, &position.single_lines_until}) {
    if (at == end || *at != ':') return std::nullopt;
    const auto [after, error] = std::from_chars(at + 1, end, *number);
    if (error != std::errc{}) return std::nullopt;
    at = after;
  }
  if (at != end || position.line == 0) return std::nullopt;
  return position;
}

csv_scanner::csv_scanner(std::unique_ptr<freshet::detail::input_file> input, std::string place,
                         const read_options& options)
    : record_buffer(std::move(input), std::move(place), options.record_bytes_max,
                    options.block_bytes),
      delimiter_(options.delimiter) {}

absl::StatusOr<std::unique_ptr<csv_scanner>> csv_scanner::open(const std::string& path,
                                                               const read_options& options) {
  std::string place = fmt::format("csv::read '{}'", path);
  auto input = freshet::detail::input_file::open(path, place);
  if (!input.ok()) return input.status();
  return start(*std::move(input), std::move(place), options);
}

absl::StatusOr<std::unique_ptr<csv_scanner>> csv_scanner::start(
    std::unique_ptr<freshet::detail::input_file> input, std::string place,
    const read_options& options) {
  std::unique_ptr<csv_scanner> scanner(
      new csv_scanner(std::move(input), std::move(place), options));
  if (!scanner->skip_byte_order_mark()) return scanner->status_;
  scanner->restart_mask(scanner->begin_);
  return scanner;
}

bool csv_scanner::refill() {
  if (!record_buffer::refill()) return false;
  restart_mask(begin_);
  return true;
}

/// The special bytes among the 64 from `index` on. Beyond `end_` there is old text, whose special
/// bytes `next_special` never gets to.
std::uint64_t csv_scanner::special_bytes(std::size_t index) const {
  if (index >= end_) return 0;
  const char* const bytes = buffer_.data() + index;
  std::uint64_t mask = 0;
#if defined(__SSE2__)
  const __m128i delimiters = _mm_set1_epi8(delimiter_);
  const __m128i quotes = _mm_set1_epi8('"');
  const __m128i line_feeds = _mm_set1_epi8('\n');
  for (unsigned part = 0; part < 4; ++part) {
    const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16 * part));
    const __m128i special =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(some, delimiters), _mm_cmpeq_epi8(some, quotes)),
                     _mm_cmpeq_epi8(some, line_feeds));
    const auto bits = static_cast<std::uint32_t>(_mm_movemask_epi8(special));
    mask |= std::uint64_t{bits} << (16 * part);
  }
#else
  for (unsigned bit = 0; bit < mask_bytes; ++bit) {
    const bool special = bytes[bit] == delimiter_ || bytes[bit] == '"' || bytes[bit] == '\n';
    mask |= std::uint64_t{special} << bit;
  }
#endif
  return mask;
}

void csv_scanner::restart_mask(std::size_t index) {
  mask_index_ = index;
  mask_ = special_bytes(index);
}

/// Takes the next special byte before `until`; `until` when there is none.
inline std::size_t csv_scanner::next_special(std::size_t until) {
  while (mask_ == 0) {
    if (until - mask_index_ <= mask_bytes) return until;
    mask_index_ += mask_bytes;
    mask_ = special_bytes(mask_index_);
  }
  const std::size_t index = mask_index_ + static_cast<std::size_t>(std::countr_zero(mask_));
  if (index >= until) return until;
  mask_ &= mask_ - 1;
  return index;
}

/// The next delimiter or line feed, outside of quotes, where a quote is an ordinary character.
inline std::size_t csv_scanner::next_separator(std::size_t until) {
  std::size_t index = next_special(until);
  while (index < until && buffer_[index] == '"') index = next_special(until);
  return index;
}

inline void csv_scanner::add_field(std::size_t begin, std::size_t end, bool quoted,
                                   bool has_quotes) {
  if (field_count_ < fields_kept_) {
    if (field_count_ == fields_.size()) fields_.emplace_back();
    fields_[field_count_] = {static_cast<std::uint32_t>(begin - begin_),
                             static_cast<std::uint32_t>(end - begin), quoted, has_quotes};
  }
  ++field_count_;
}

/// Reads the record at `begin_` as far as `now.until`.
csv_scanner::pass csv_scanner::scan_record(progress& now) {
  field_count_ = 0;
  std::size_t at = begin_;
  for (;;) {
    if (at < now.until && buffer_[at] == '"') {
      const pass result = scan_quoted(at, now);
      if (result != pass::ended || at == nowhere) return result;
      continue;
    }
    const std::size_t separator = next_separator(now.until);
    if (separator == now.until && !now.file_ends) return pass::cut_off;
    if (separator < now.until && buffer_[separator] == delimiter_) {
      add_field(at, separator, false, false);
      at = separator + 1;
      continue;
    }
    const bool carriage_return = separator > at && buffer_[separator - 1] == '\r';
    add_field(at, carriage_return ? separator - 1 : separator, false, false);
    now.end = separator;
    return pass::ended;
  }
}

/// Reads the quoted field at `at`, and moves `at` to the next field, or `nowhere` after the last.
csv_scanner::pass csv_scanner::scan_quoted(std::size_t& at, progress& now) {
  next_special(now.until);  // The opening quote itself.
  now.in_quote = true;
  now.quote_line = line_ + now.lines;
  const bool single_line = base_ + begin_ < single_lines_until_;
  bool has_quotes = false;
  std::size_t quote = 0;
  for (;;) {
    quote = next_special(now.until);
    if (quote == now.until) return pass::cut_off;
    if (buffer_[quote] == '\n') {
      if (single_line) {
        now.end = quote;
        return pass::line_over;
      }
      if (now.first_line_end == nowhere) now.first_line_end = quote;
      ++now.lines;
    } else if (buffer_[quote] == '"') {
      if (quote + 1 == now.until || buffer_[quote + 1] != '"') break;
      next_special(now.until);
      has_quotes = true;
    }
  }
  now.in_quote = false;
  if (quote + 1 == now.until && !now.file_ends) return pass::cut_off;
  add_field(at + 1, quote, true, has_quotes);

  const std::size_t separator = next_separator(now.until);
  if (separator == now.until && !now.file_ends) return pass::cut_off;
  const bool delimiter = separator < now.until && buffer_[separator] == delimiter_;
  const bool line_end = !delimiter && separator == quote + 2 && buffer_[quote + 1] == '\r';
  if (separator != quote + 1 && !line_end && now.stray_text == 0) now.stray_text = field_count_;
  now.end = separator;
  at = delimiter ? separator + 1 : nowhere;
  return pass::ended;
}

/// Passes over lines with nothing in them; false on an error. What is left may be nothing, or half
/// of a line end, when the file is to grow.
bool csv_scanner::skip_empty_lines() {
  const std::uint64_t before = base_ + begin_;
  for (;;) {
    const std::size_t left = end_ - begin_;
    const bool carriage_return = left > 0 && buffer_[begin_] == '\r';
    if ((left == 0 || (carriage_return && left == 1)) && !at_end_) {
      if (!refill()) return false;
      if (starved_) break;
      continue;
    }
    if (carriage_return && left == 1) {
      begin_ = end_;
    } else if (left > 0 && buffer_[begin_ + (carriage_return ? 1 : 0)] == '\n') {
      begin_ += carriage_return ? 2 : 1;
      ++line_;
      continue;
    }
    break;
  }
  if (base_ + begin_ != before) restart_mask(begin_);
  return true;
}

scanned csv_scanner::next() {
  if (!status_.ok()) return scanned::failed;
  if (is_skipping()) {
    const scanned result = go_on_skipping();
    if (result == scanned::malformed) restart_mask(begin_);
    return result;
  }
  starved_ = false;
  if (!skip_empty_lines()) return scanned::failed;
  if (starved_) return scanned::waiting;
  if (begin_ == end_) return scanned::end;
  for (;;) {
    record_byte_ = base_ + begin_;
    record_line_ = line_;
    const std::size_t longest = begin_ + record_bytes_max_;
    const bool too_long_is_known = end_ > longest;
    progress now;
    now.until = too_long_is_known ? longest : end_;
    now.file_ends = at_end_;
    assert(!at_end_ || !too_long_is_known);  // The end is only looked for when less is left.
    now.first_line_end = nowhere;
    switch (scan_record(now)) {
      case pass::ended:
        return finish(now);
      case pass::line_over:
        return give_up_line(now);
      case pass::cut_off:
        break;
    }
    if (too_long_is_known) {
      const bool quote_spans_lines = now.in_quote && now.first_line_end != nowhere;
      if (quote_spans_lines) return give_up_quote(now);
      const scanned result = skip_long_record(now.until, now.lines);
      if (result == scanned::malformed) restart_mask(begin_);
      return result;
    }
    if (at_end_) return give_up_quote(now);
    if (!refill()) return scanned::failed;
    if (starved_) {
      restart_mask(begin_);
      return scanned::waiting;
    }
  }
}

/// Goes on behind the record, which ends at `now.end`.
scanned csv_scanner::finish(const progress& now) {
  set_text(now.end);
  begin_ = std::min(now.end + 1, end_);
  line_ += now.lines + 1;
  if (now.stray_text == 0) return scanned::record;
  reason_ = fmt::format(
      "field {}: found text after its closing quote, wanted a delimiter or the end of the line; "
      "double the quotes inside a quoted field",
      now.stray_text);
  return scanned::malformed;
}

/// Gives up the first line of a record with an open quote, and goes on at the next line.
scanned csv_scanner::give_up_quote(const progress& now) {
  const bool has_next_line = now.first_line_end != nowhere;
  const std::size_t end = has_next_line ? now.first_line_end : now.until;
  set_text(end);
  reason_ = fmt::format("quote opened at line {} is ", now.quote_line);
  if (now.file_ends) {
    reason_ += "never closed";
  } else {
    reason_ +=
        fmt::format("not closed within {} bytes from the start of its record", record_bytes_max_);
  }
  single_lines_until_ = base_ + now.until;
  begin_ = has_next_line ? end + 1 : end;
  ++line_;
  restart_mask(begin_);
  return scanned::malformed;
}

/// Gives up a line with an open quote where every line is a record of its own.
scanned csv_scanner::give_up_line(const progress& now) {
  set_text(now.end);
  reason_ = fmt::format(
      "quote opened at line {} is not closed on its line; an earlier quote is never closed, so "
      "each line here is read as a record of its own",
      now.quote_line);
  begin_ = now.end + 1;
  ++line_;
  return scanned::malformed;
}

absl::Status csv_scanner::skip_to(const scan_position& position) {
  absl::Status skipped = record_buffer::skip_to(position.byte, position.line);
  if (!skipped.ok()) return skipped;
  single_lines_until_ = position.single_lines_until;
  restart_mask(begin_);
  return absl::OkStatus();
}

}  // namespace freshet::csv::detail
