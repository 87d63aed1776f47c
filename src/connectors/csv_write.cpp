// The part of `csv::write` that does not depend on the row: options and single values.
#include <freshet/connectors/csv.hpp>

#include <fmt/compile.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::csv {

write_description write(std::string path, write_options options) {
  detail::check_write_options(path, options);
  return {std::move(path), detail::csv_writer{std::move(options)}};
}

namespace detail {

void check_write_options(std::string_view path, const write_options& options) {
  const char delimiter = options.delimiter;
  if (delimiter == '"' || delimiter == '\r' || delimiter == '\n' || delimiter == '\0') {
    throw std::invalid_argument(fmt::format(
        "csv::write '{}': delimiter is byte {}, wanted any but quote, CR, LF, and NUL; set "
        ".delimiter",
        path, static_cast<int>(delimiter)));
  }
  if (options.time_format == timestamp_format::any) {
    throw std::invalid_argument(fmt::format(
        "csv::write '{}': time_format is any, wanted one format; set .time_format", path));
  }
}

namespace {

template <class X>
void append_shortest(X number, std::string& out) {
  if (std::isnan(number)) {
    out += "nan";  // Whatever its sign, which depends on the machine.
    return;
  }
  char text[64];
  out.append(text, fmt::format_to(text, FMT_COMPILE("{}"), number));
}

template <class X>
void append_digits(X number, std::string& out) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}

}  // namespace

void append_integer(std::int64_t number, std::string& out) {
  append_digits(number, out);
}
void append_integer(std::uint64_t number, std::string& out) {
  append_digits(number, out);
}
void append_number(float number, std::string& out) {
  append_shortest(number, out);
}
void append_number(double number, std::string& out) {
  append_shortest(number, out);
}

void append_time(timestamp at, timestamp_format format, std::string& out) {
  const std::int64_t count = at.time_since_epoch().count();
  std::int64_t unit = 1;
  std::size_t decimals = 0;
  switch (format) {
    case timestamp_format::iso:
    case timestamp_format::any:
      out += to_iso_8601(at);
      return;
    case timestamp_format::epoch_s:
      unit = 1'000'000;
      decimals = 6;
      break;
    case timestamp_format::epoch_ms:
      unit = 1'000;
      decimals = 3;
      break;
    case timestamp_format::epoch_us:
      break;
  }
  if (count < 0 && count / unit == 0) out += '-';  // The whole part is a zero without a sign.
  append_integer(count / unit, out);
  const std::int64_t rest = count % unit;
  if (rest == 0) return;
  fmt::format_to(std::back_inserter(out), ".{:0{}}", rest < 0 ? -rest : rest, decimals);
  while (out.back() == '0') out.pop_back();
}

void append_quoted(std::string_view text, char delimiter, std::string& out) {
  const char special[] = {delimiter, '"', '\r', '\n'};
  if (text.find_first_of(std::string_view(special, sizeof special)) == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char character : text) {
    if (character == '"') out += '"';
    out += character;
  }
  out += '"';
}

std::string header_line(const std::vector<std::string>& names, char delimiter) {
  std::string line;
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (index > 0) line += delimiter;
    append_quoted(names[index], delimiter, line);
  }
  return line;
}

}  // namespace detail

}  // namespace freshet::csv
