// The parts of `jsonl::read` and `jsonl::write` that do not depend on the struct.
#include <freshet/connectors/jsonl.hpp>

#include "connectors/text_options.hpp"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::jsonl {

write_description write(std::string path, write_options options) {
  detail::check_write_options(path, options);
  return {std::move(path), detail::jsonl_writer{options}};
}

namespace detail {

void check_write_options(std::string_view path, const write_options& options) {
  if (options.time_format != timestamp_format::any) return;
  throw std::invalid_argument(fmt::format(
      "jsonl::write '{}': time_format is any, wanted one format; set .time_format", path));
}

void check_read_options(const read_options& options, const std::vector<std::string_view>& fields) {
  freshet::detail::check_text_sizes("jsonl::read", options.record_bytes_max, options.block_bytes);
  freshet::detail::check_rename("jsonl::read", options.rename, fields);
  if (options.depth_max < 1 || options.depth_max > 1000) {
    throw std::invalid_argument(fmt::format(
        "jsonl::read: depth_max is {}, wanted 1 to 1000; set .depth_max", options.depth_max));
  }
  for (std::size_t index = 0; index < fields.size(); ++index) {
    const std::string_view key = freshet::detail::renamed(options.rename, fields[index]);
    for (std::size_t earlier = 0; earlier < index; ++earlier) {
      if (freshet::detail::renamed(options.rename, fields[earlier]) != key) continue;
      throw std::invalid_argument(
          fmt::format("jsonl::read: the fields '{}' and '{}' both have the key '{}', wanted one "
                      "each; change .rename",
                      fields[earlier], fields[index], key));
    }
  }
}

std::string describe_reading(const read_options& options,
                             const std::vector<std::string_view>& fields) {
  return fmt::format("jsonl, times {}, depth_max {}, record_bytes_max {},{}",
                     freshet::detail::name_of(options.time_format), options.depth_max,
                     options.record_bytes_max,
                     freshet::detail::list_renamed(options.rename, fields));
}

absl::StatusOr<std::unique_ptr<freshet::detail::line_scanner>> open_lines(
    std::unique_ptr<freshet::detail::input_file> input, const std::string& path,
    const read_options& options, std::optional<std::string_view> position) {
  auto lines =
      freshet::detail::line_scanner::start(std::move(input), fmt::format("jsonl::read '{}'", path),
                                           {.record_bytes_max = options.record_bytes_max,
                                            .block_bytes = options.block_bytes,
                                            .skip_blank = true});
  if (!lines.ok() || !position) return lines;
  if (absl::Status skipped = (*lines)->skip_to_position(*position); !skipped.ok()) return skipped;
  return lines;
}

// --- Writing -------------------------------------------------------------------------------------

namespace {

/// Whether the byte stands for itself within a string.
constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> table{};
  for (std::size_t byte = 0x20; byte < 0x80; ++byte) table[byte] = byte != '"' && byte != '\\';
  return table;
}();

/// How many of the first bytes are one character of UTF-8; 0 when they are none, with the length of
/// the part to replace in `wrong`.
/// \source The Unicode Standard, table 3-7 and its "substitution of maximal subparts".
std::size_t character_bytes(std::string_view text, std::size_t& wrong) {
  const auto byte = [text](std::size_t index) {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
  };
  const unsigned first = byte(0);
  wrong = 1;
  std::size_t bytes = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) bytes = 2;
  if (first >= 0xE0 && first <= 0xEF) bytes = 3;
  if (first >= 0xF0 && first <= 0xF4) bytes = 4;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t index = 1; index < bytes; ++index) {
    if (byte(index) < low || byte(index) > high) return 0;
    low = 0x80;
    high = 0xBF;
    wrong = index + 1;
  }
  return bytes;
}

void append_escaped(char character, std::string& out) {
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(character));
  }
}

template <class X>
void append_float(X number, std::string& out) {
  const bool finite = std::isfinite(number);
  if (!finite) out += '"';
  csv::detail::append_number(number, out);
  if (!finite) out += '"';
}

}  // namespace

void append_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t begin = 0;  // Of what is not yet appended.
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (plain[byte]) {
      ++at;
      continue;
    }
    std::size_t wrong = 1;
    const std::size_t whole = byte < 0x80 ? 0 : character_bytes(text.substr(at), wrong);
    if (whole > 0) {
      at += whole;
      continue;
    }
    out.append(text, begin, at - begin);
    if (byte < 0x80) {
      append_escaped(text[at], out);
    } else {
      out += "\xEF\xBF\xBD";
    }
    at += wrong;
    begin = at;
  }
  out.append(text, begin, text.size() - begin);
  out += '"';
}

void append_number(float number, std::string& out) {
  append_float(number, out);
}
void append_number(double number, std::string& out) {
  append_float(number, out);
}

void append_time(timestamp at, timestamp_format format, std::string& out) {
  const bool quoted = format == timestamp_format::iso;
  if (quoted) out += '"';
  csv::detail::append_time(at, format, out);
  if (quoted) out += '"';
}

}  // namespace detail

}  // namespace freshet::jsonl
