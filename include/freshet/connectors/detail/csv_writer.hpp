// From rows to lines of text: the typed half of the CSV sink.
//
// Threads and memory: see csv.hpp, and include that instead.
#pragma once

#include <freshet/connectors/detail/csv_options.hpp>
#include <freshet/connectors/detail/csv_reader.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::csv::detail {

/// Throws `std::invalid_argument` when `options` are unusable for the file or folder `path`.
void check_write_options(std::string_view path, const write_options& options);

void append_integer(std::int64_t number, std::string& out);
void append_integer(std::uint64_t number, std::string& out);
void append_number(float number, std::string& out);
void append_number(double number, std::string& out);
void append_time(timestamp at, timestamp_format format, std::string& out);

/// Appends `text` as one cell, in quotes when it holds a delimiter, a quote, CR, or LF.
void append_quoted(std::string_view text, char delimiter, std::string& out);

/// The names as a header line without its end.
std::string header_line(const std::vector<std::string>& names, char delimiter);

template <class X>
concept text_like = std::is_convertible_v<const X&, std::string_view>;

template <class X>
concept single_value = std::is_arithmetic_v<X> || std::is_enum_v<X> || text_like<X> ||
                       std::same_as<X, timestamp> || is_whole_duration<X>;

template <class X>
concept value_range = !text_like<X> && requires(const X& range) {
  range.begin() != range.end();
  requires single_value<std::remove_cvref_t<decltype(*range.begin())>>;
};

template <class X>
consteval bool writable() {
  if constexpr (is_optional<X>) {
    return !is_optional<typename X::value_type> && writable<typename X::value_type>();
  } else {
    return single_value<X> || value_range<X> || std::same_as<X, raw_record>;
  }
}

/// Appends a value's text, unquoted.
template <single_value X>
void append_value(const X& value, timestamp_format format, std::string& out) {
  if constexpr (std::same_as<X, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::same_as<X, char>) {
    out += value;
  } else if constexpr (text_like<X>) {
    out += std::string_view(value);
  } else if constexpr (std::is_enum_v<X>) {
    append_value(static_cast<std::underlying_type_t<X>>(value), format, out);
  } else if constexpr (std::signed_integral<X>) {
    append_integer(static_cast<std::int64_t>(value), out);
  } else if constexpr (std::unsigned_integral<X>) {
    append_integer(static_cast<std::uint64_t>(value), out);
  } else if constexpr (std::same_as<X, float>) {
    append_number(value, out);
  } else if constexpr (std::floating_point<X>) {
    append_number(static_cast<double>(value), out);
  } else if constexpr (std::same_as<X, timestamp>) {
    append_time(value, format, out);
  } else {
    out += freshet::to_text(duration(value));
  }
}

/// Appends one cell.
template <class X>
void append_cell(const X& value, const write_options& options, std::string& out) {
  if constexpr (is_optional<X>) {
    if (!value) return;
    if constexpr (text_like<typename X::value_type>) {
      if (std::string_view(*value).empty()) {
        out += R"("")";  // An empty cell would be read as an empty optional.
        return;
      }
    }
    append_cell(*value, options, out);
  } else if constexpr (std::same_as<X, raw_record>) {
    out += value.text;
  } else if constexpr (text_like<X>) {
    append_quoted(std::string_view(value), options.delimiter, out);
  } else if constexpr (single_value<X>) {
    // Even a number may hold the delimiter, when that is a dot, a minus, or a digit.
    const std::size_t before = out.size();
    append_value(value, options.time_format, out);
    if (std::string_view(out).substr(before).find_first_of(
            std::string_view(&options.delimiter, 1)) != std::string_view::npos ||
        std::same_as<X, char>) {
      const std::string plain = out.substr(before);
      out.resize(before);
      append_quoted(plain, options.delimiter, out);
    }
  } else {
    std::string joined;
    bool first = true;
    for (const auto& element : value) {
      if (!std::exchange(first, false)) joined += ';';
      append_value(element, options.time_format, joined);
    }
    append_quoted(joined, options.delimiter, out);
  }
}

/// Rows that flatten into cells; each cell's own type is checked where it is written.
template <class T>
concept csv_writable_row = has_columns<T>;

/// How one `csv::write` turns rows into lines.
template <class T>
class csv_lines {
 public:
  csv_lines(write_options options, const std::vector<std::string>& names)
      : options_(std::move(options)),
        header_(options_.header ? *options_.header : header_line(names, options_.delimiter)) {}

  /// The first line of a file, without its end; empty for none.
  const std::string& header() const { return header_; }

  void append(const T& row, std::string& out) const {
    const std::size_t begin = out.size();
    bool first = true;
    freshet::columns<T>::visit(row, [&]<class Cell>(const Cell& cell) {
      static_assert(writable<Cell>(),
                    "freshet: csv::write has no text for this type of cell; use numbers, bool, "
                    "strings, timestamp, durations, or optionals and ranges of these, or map the "
                    "row to a struct of such");
      if (!std::exchange(first, false)) out += options_.delimiter;
      if constexpr (writable<Cell>()) append_cell(cell, options_, out);
    });
    // A line with nothing in it would not be read as a record.
    if (out.size() == begin && !std::same_as<T, raw_record>) out += R"("")";
    out += '\n';
  }

 private:
  write_options options_;
  std::string header_;
};

/// How `csv::write` writes rows of any type.
struct csv_writer {
  static constexpr std::string_view writer_name = "csv::write";
  static constexpr std::string_view extension = ".csv";
  write_options options;

  template <class T>
  static consteval bool check() {
    static_assert(csv_writable_row<T>,
                  "freshet: csv::write needs rows that flatten into cells; describe the row with "
                  "BOOST_DESCRIBE_STRUCT, specialise freshet::columns, or map it first");
    return csv_writable_row<T>;
  }
  template <class T>
  csv_lines<T> format(const std::vector<std::string>& names) const {
    return {options, names.empty() ? freshet::columns<T>::names() : names};
  }
};

}  // namespace freshet::csv::detail
