// The part of `csv::read` that does not depend on the struct: options, headers, and single values.
#include <freshet/connectors/csv.hpp>

#include "connectors/text_options.hpp"

#include <freshet/core/time_text.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace freshet::csv {

namespace {

/// How much of a long text a message shows.
constexpr std::size_t found_bytes_shown = 60;

std::string place_of(const std::string& path) {
  return fmt::format("csv::read '{}'", path);
}

/// Reads the record under the scanner as the header line.
absl::StatusOr<header> take_header(detail::csv_scanner& scanner, const std::string& place) {
  switch (scanner.next()) {
    case detail::scanned::failed:
      return scanner.status();
    case detail::scanned::waiting:
      return absl::UnavailableError(place + ": the header line is not whole yet");
    case detail::scanned::end:
      return absl::InvalidArgumentError(
          place + ": the file is empty, wanted a header line; set .header = false if it has none");
    case detail::scanned::malformed:
      return absl::InvalidArgumentError(
          fmt::format("{}: line {}, the header: {}", place, scanner.line(), scanner.reason()));
    case detail::scanned::record:
      break;
  }
  header result{{}, std::string(scanner.text())};
  for (std::size_t index = 0; index < scanner.field_count(); ++index) {
    const detail::field_span& span = scanner.fields()[index];
    const std::string_view text = scanner.text().substr(span.begin, span.size);
    std::string& name = result.columns.emplace_back();
    if (span.quoted) {
      detail::undouble_quotes(text, name);
    } else {
      name = detail::without_blanks(text);
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<header> read_header(const std::string& path, const read_options& options) {
  detail::check_read_options({.delimiter = options.delimiter}, {});
  auto scanner = detail::csv_scanner::open(path, options);
  if (!scanner.ok()) return scanner.status();
  return take_header(**scanner, place_of(path));
}

namespace detail {

std::string describe_reading(const read_options& options,
                             const std::vector<std::string_view>& fields) {
  return fmt::format("csv {} {}header, times {}, record_bytes_max {},{}", options.delimiter,
                     options.header ? "" : "no ", freshet::detail::name_of(options.time_format),
                     options.record_bytes_max,
                     freshet::detail::list_renamed(options.rename, fields));
}

void check_read_options(const read_options& options, const std::vector<std::string_view>& fields) {
  const char delimiter = options.delimiter;
  if (delimiter == '"' || delimiter == '\r' || delimiter == '\n' || delimiter == '\0') {
    throw std::invalid_argument(fmt::format(
        "csv::read: delimiter is byte {}, wanted any but quote, CR, LF, and NUL; set .delimiter",
        static_cast<int>(delimiter)));
  }
  freshet::detail::check_text_sizes("csv::read", options.record_bytes_max, options.block_bytes);
  if (!options.header && !options.rename.empty()) {
    throw std::invalid_argument(
        "csv::read: .rename without a header, wanted names to look for; drop one of the two");
  }
  freshet::detail::check_rename("csv::read", options.rename, fields);
}

namespace {

/// Finds the column of each request in the header.
absl::Status find_columns(const header& line, const std::string& place, const read_options& options,
                          const std::vector<field_request>& requests, opened_csv& file) {
  for (const field_request& request : requests) {
    std::string name(freshet::detail::renamed(options.rename, request.name));
    std::optional<std::size_t> found;
    for (std::size_t column = 0; column < line.columns.size(); ++column) {
      if (line.columns[column] != name) continue;
      if (found) {
        return absl::InvalidArgumentError(fmt::format(
            "{}: columns {} and {} of the header are both named '{}', wanted one; rename one in "
            "the file",
            place, *found + 1, column + 1, name));
      }
      found = column;
    }
    if (!found && request.required) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: no column '{}' in the header ({}), wanted one for the field '{}'; give the column's "
          "name in .rename, or make the field a std::optional",
          place, name, freshet::detail::listed({line.columns.begin(), line.columns.end()}),
          request.name));
    }
    file.columns.push_back(found);
    file.names.push_back(std::move(name));
  }
  file.fields_wanted = line.columns.size();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<opened_csv> open_csv(std::unique_ptr<freshet::detail::input_file> input,
                                    const std::string& path, const read_options& options,
                                    const std::vector<field_request>& requests,
                                    std::optional<std::string_view> position) {
  const std::string place = place_of(path);
  auto scanner = csv_scanner::start(std::move(input), place, options);
  if (!scanner.ok()) return scanner.status();
  opened_csv file;
  file.scanner = *std::move(scanner);
  if (options.header) {
    const absl::StatusOr<header> line = take_header(*file.scanner, place);
    if (!line.ok()) return line.status();
    absl::Status found = find_columns(*line, place, options, requests, file);
    if (!found.ok()) return found;
  } else {
    for (const field_request& request : requests) {
      file.columns.emplace_back(file.columns.size());
      file.names.emplace_back(request.name);
    }
    file.fields_wanted = requests.size();
    file.more_fields_allowed = true;
  }
  std::size_t kept = 0;
  for (const auto& column : file.columns) kept = std::max(kept, column ? *column + 1 : 0);
  file.scanner->keep_fields(kept);

  if (position) {
    const std::optional<scan_position> decoded = decode_position(*position);
    if (!decoded) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: the position in the checkpoint is not one of csv::read; rerun with the build that "
          "wrote it",
          place));
    }
    absl::Status skipped = file.scanner->skip_to(*decoded);
    if (!skipped.ok()) return skipped;
  }
  return file;
}

std::string wrong_field_count(const opened_csv& file) {
  const std::size_t count = file.scanner->field_count();
  return fmt::format("{} field{}, wanted {}{}", count, count == 1 ? "" : "s",
                     file.more_fields_allowed ? "at least " : "", file.fields_wanted);
}

std::string wrong_field(std::string_view column, std::string_view found, std::string_view wanted) {
  const bool cut = found.size() > found_bytes_shown;
  return fmt::format("column '{}': found '{}'{}, wanted {}", column,
                     found.substr(0, found_bytes_shown), cut ? "..." : "", wanted);
}

std::string wanted_integer(std::int64_t from, std::uint64_t to) {
  return fmt::format("a whole number from {} to {}", from, to);
}

std::string_view wanted_time(timestamp_format format) {
  switch (format) {
    case timestamp_format::iso:
      return "a time like 2013-07-04T09:30:00Z";
    case timestamp_format::epoch_s:
      return "a time in seconds since 1970";
    case timestamp_format::epoch_ms:
      return "a time in milliseconds since 1970";
    case timestamp_format::epoch_us:
      return "a time in microseconds since 1970";
    case timestamp_format::any:
      break;
  }
  return "a time like 2013-07-04T09:30:00Z or in microseconds since 1970";
}

void undouble_quotes(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    if (text[at] == '"') ++at;
  }
}

std::string_view without_blanks(std::string_view text) {
  const auto is_blank = [](char character) { return character == ' ' || character == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

namespace {

template <class X>
bool parse_number(std::string_view text, X& out) {
  text = without_blanks(text);
  // `std::from_chars` knows no plus sign; behind one, a second sign must not slip through.
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, out);
  return error == std::errc{} && after == end;
}

bool equals_in_lower_case(std::string_view text, std::string_view lower) {
  const auto same = [](char any, char small) {
    return (any >= 'A' && any <= 'Z' ? any - 'A' + 'a' : any) == small;
  };
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), same);
}

}  // namespace

bool parse(std::string_view text, std::int64_t& out) {
  return parse_number(text, out);
}
bool parse(std::string_view text, std::uint64_t& out) {
  return parse_number(text, out);
}
bool parse(std::string_view text, float& out) {
  return parse_number(text, out);
}
bool parse(std::string_view text, double& out) {
  return parse_number(text, out);
}

bool parse(std::string_view text, bool& out) {
  text = without_blanks(text);
  out = text == "1" || equals_in_lower_case(text, "true");
  return out || text == "0" || equals_in_lower_case(text, "false");
}

bool parse(std::string_view text, timestamp_format format, timestamp& out) {
  text = without_blanks(text);
  std::optional<timestamp> at;
  switch (format) {
    case timestamp_format::iso:
      at = parse_iso_8601(text);
      break;
    case timestamp_format::epoch_s:
      at = parse_epoch(text, epoch_unit::seconds);
      break;
    case timestamp_format::epoch_ms:
      at = parse_epoch(text, epoch_unit::milliseconds);
      break;
    case timestamp_format::epoch_us:
      at = parse_epoch(text, epoch_unit::microseconds);
      break;
    case timestamp_format::any:
      at = parse_iso_8601(text);
      if (!at) at = parse_epoch(text, epoch_unit::microseconds);
      break;
  }
  if (at) out = *at;
  return at.has_value();
}

bool parse(std::string_view text, duration& out) {
  const std::optional<duration> length = parse_duration(without_blanks(text));
  if (length) out = *length;
  return length.has_value();
}

}  // namespace detail

}  // namespace freshet::csv
