// Rows as text, for comparing and for messages: `a|0|10|2@9`.
//
// Times and durations are written as their count of microseconds (times since the epoch), so that a
// test reads in the unit it computes with. Equal rows have equal texts; floating-point numbers are
// written so that other numbers have other texts. Stateless; linear in the text.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/core/time.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace freshet {

namespace detail {

template <class Cell>
concept has_count = requires(const Cell& cell) { cell.count(); };

template <class Cell>
concept has_range = requires(const Cell& cell) {
  cell.begin();
  cell.end();
};

/// One cell: a number, text, an optional one (`none`), a list (`[1,2]`), a tuple (`(1,2)`), or a
/// row inside a row (`{1|2}`). `?` for a type that none of this fits.
template <class Cell>
std::string cell_text(const Cell& cell) {
  if constexpr (std::is_same_v<Cell, bool>) {
    return cell ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<Cell>) {
    return fmt::format("{}", cell);
  } else if constexpr (std::is_enum_v<Cell>) {
    return fmt::format("{}", static_cast<std::underlying_type_t<Cell>>(cell));
  } else if constexpr (std::is_convertible_v<const Cell&, std::string_view>) {
    return std::string(std::string_view(cell));
  } else if constexpr (std::is_convertible_v<const Cell&, timestamp>) {
    return fmt::format("{}", timestamp(cell).time_since_epoch().count());
  } else if constexpr (has_count<Cell>) {
    return fmt::format("{}", cell.count());
  } else if constexpr (requires { cell.has_value(), *cell; }) {
    return cell.has_value() ? cell_text(*cell) : "none";
  } else if constexpr (has_range<Cell>) {
    std::string all;
    for (const auto& part : cell) all += (all.empty() ? "" : ",") + cell_text(part);
    return "[" + all + "]";
  } else if constexpr (has_columns<Cell>) {
    std::string all;
    columns<Cell>::visit(
        cell, [&](const auto& part) { all += (all.empty() ? "" : "|") + cell_text(part); });
    return "{" + all + "}";
  } else if constexpr (requires { std::tuple_size<Cell>::value; }) {
    std::string all;
    std::apply(
        [&](const auto&... parts) { ((all += (all.empty() ? "" : ",") + cell_text(parts)), ...); },
        cell);
    return "(" + all + ")";
  } else {
    return "?";
  }
}

}  // namespace detail

namespace testing {

/// The columns of a row joined by `|`; the whole row as one cell where it has no columns.
template <class Row>
std::string row_text(const Row& row) {
  if constexpr (!has_columns<Row>) {
    return detail::cell_text(row);
  } else {
    std::string text;
    bool first = true;
    columns<Row>::visit(row, [&](const auto& cell) {
      if (!first) text += "|";
      first = false;
      text += detail::cell_text(cell);
    });
    return text;
  }
}

/// The same, then `@` and the row's event time.
template <class Row>
std::string row_text(const Row& row, timestamp at) {
  return row_text(row) + "@" + detail::cell_text(at);
}

}  // namespace testing

}  // namespace freshet
