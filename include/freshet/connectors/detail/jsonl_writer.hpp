// From rows to JSON text: the typed half of `jsonl::write`.
//
// Threads and memory: see jsonl.hpp, and include that instead.
#pragma once

#include <freshet/connectors/detail/csv_writer.hpp>
#include <freshet/connectors/detail/jsonl_options.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::jsonl::detail {

using csv::detail::is_optional;
using csv::detail::text_like;

/// Throws `std::invalid_argument` when `options` are unusable for the file or folder `path`.
void check_write_options(std::string_view path, const write_options& options);

/// Appends `text` in quotes, with escapes where JSON wants them. What is not UTF-8 becomes U+FFFD,
/// one for each maximal part of a character.
void append_string(std::string_view text, std::string& out);
/// Appends a number; one that is not finite, for which JSON has no word, as a string.
void append_number(float number, std::string& out);
void append_number(double number, std::string& out);
/// Appends a string in ISO 8601, or a number.
void append_time(timestamp at, timestamp_format format, std::string& out);

template <class X>
consteval bool writable();

template <class T>
consteval bool writable_members() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (writable<field_t<T, I>>() && ...);
  }(std::make_index_sequence<field_count<T>>{});
}

template <class X>
concept any_range = !text_like<X> && requires(const X& range) {
  range.begin() != range.end();
  *range.begin();
};

template <class X>
consteval bool writable() {
  if constexpr (is_optional<X>) {
    return !is_optional<typename X::value_type> && writable<typename X::value_type>();
  } else if constexpr (csv::detail::single_value<X>) {
    return true;
  } else if constexpr (described<X>) {
    return writable_members<X>();
  } else if constexpr (any_range<X>) {
    return writable<std::remove_cvref_t<decltype(*std::declval<const X&>().begin())>>();
  } else {
    return false;
  }
}

template <class X>
void append_value(const X& value, timestamp_format format, std::string& out) {
  if constexpr (is_optional<X>) {
    if (value) {
      append_value(*value, format, out);
    } else {
      out += "null";
    }
  } else if constexpr (text_like<X>) {
    append_string(std::string_view(value), out);
  } else if constexpr (std::same_as<X, char>) {
    append_string(std::string_view(&value, 1), out);
  } else if constexpr (std::same_as<X, float>) {
    append_number(value, out);
  } else if constexpr (std::floating_point<X>) {
    append_number(static_cast<double>(value), out);
  } else if constexpr (std::same_as<X, timestamp>) {
    append_time(value, format, out);
  } else if constexpr (csv::detail::is_whole_duration<X>) {
    out += '"';
    csv::detail::append_value(value, format, out);
    out += '"';
  } else if constexpr (csv::detail::single_value<X>) {  // bool, integers, enumerations
    csv::detail::append_value(value, format, out);
  } else if constexpr (described<X>) {
    char before = '{';
    if constexpr (field_count<X> == 0) out += '{';
    for_each_field(value, [&](std::string_view name, const auto& member) {
      out += std::exchange(before, ',');
      out += '"';
      out += name;  // A name of C++, which needs no escape.
      out += "\":";
      append_value(member, format, out);
    });
    out += '}';
  } else {
    out += '[';
    bool first = true;
    for (const auto& element : value) {
      if (!std::exchange(first, false)) out += ',';
      append_value(element, format, out);
    }
    out += ']';
  }
}

/// How one `jsonl::write` turns rows into lines.
template <class T>
class jsonl_lines {
 public:
  jsonl_lines(const write_options& options, const std::vector<std::string>& names)
      : format_(options.time_format) {
    for (const std::string& name : names) {
      std::string& before = keys_.emplace_back(1, keys_.empty() ? '{' : ',');
      append_string(name, before);
      before += ':';
    }
  }

  std::string header() const { return {}; }

  void append(const T& row, std::string& out) const {
    if constexpr (std::same_as<T, csv::raw_record>) {
      out += row.text;
    } else {
      std::size_t column = 0;
      if (keys_.empty()) out += '{';
      freshet::columns<T>::visit(row, [&]<class Cell>(const Cell& cell) {
        static_assert(
            writable<Cell>(),
            "freshet: jsonl::write has no JSON for this type of cell; use numbers, bool, "
            "strings, timestamp, durations, described structs, or optionals and ranges of "
            "these, or map the row to a struct of such");
        out += keys_[column++];
        if constexpr (writable<Cell>()) append_value(cell, format_, out);
      });
      out += '}';
    }
    out += '\n';
  }

 private:
  timestamp_format format_;
  std::vector<std::string> keys_;  // What stands before each cell: `{"card":`, `,"amount":`.
};

/// How `jsonl::write` writes rows of any type.
struct jsonl_writer {
  static constexpr std::string_view writer_name = "jsonl::write";
  static constexpr std::string_view extension = ".jsonl";
  write_options options;

  template <class T>
  static consteval bool check() {
    static_assert(has_columns<T>,
                  "freshet: jsonl::write needs rows with named cells; describe the row with "
                  "BOOST_DESCRIBE_STRUCT, specialise freshet::columns, or map it first");
    return has_columns<T>;
  }
  template <class T>
  jsonl_lines<T> format(const std::vector<std::string>& names) const {
    return {options, names.empty() ? freshet::columns<T>::names() : names};
  }
};

}  // namespace freshet::jsonl::detail
