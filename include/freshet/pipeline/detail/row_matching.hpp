// Matches the columns of a row with the members of a described struct, by name. Internal.
//
// The match is made once, while composing; a row then costs one assignment per member.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/core/fields.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

/// Whether a column's value may become a member: same kind of thing, no silent loss of meaning.
template <class From, class To>
constexpr bool may_become() {
  if constexpr (std::is_same_v<From, To>) {
    return true;
  } else if constexpr (std::is_arithmetic_v<From> && std::is_arithmetic_v<To>) {
    return std::is_same_v<To, bool> == std::is_same_v<From, bool> &&
           !(std::is_floating_point_v<From> && std::is_integral_v<To>);
  } else if constexpr (std::is_arithmetic_v<From> || std::is_arithmetic_v<To>) {
    return false;
  } else {
    return std::is_convertible_v<const From&, To>;
  }
}

template <class Row, described As>
class row_matcher {
 public:
  explicit row_matcher(const std::vector<std::string>& columns_of_row) {
    for (std::size_t member = 0; member < member_count; ++member) {
      const auto found = std::find(columns_of_row.begin(), columns_of_row.end(), names()[member]);
      if (found == columns_of_row.end()) {
        throw std::invalid_argument("as: the row has no column '" + std::string(names()[member]) +
                                    "'; its columns are " + joined(columns_of_row));
      }
      column_of_[member] = static_cast<std::size_t>(found - columns_of_row.begin());
    }
    check_kinds();
  }

  As operator()(const Row& row) const {
    As to{};
    std::size_t column = 0;
    columns<Row>::visit(row, [&](const auto& cell) { assign(to, column++, cell); });
    return to;
  }

 private:
  static constexpr std::size_t member_count = field_count<As>;
  static constexpr auto names() { return field_names<As>(); }

  static std::string joined(const std::vector<std::string>& all) {
    std::string text;
    for (const std::string& each : all) text += (text.empty() ? "" : ", ") + each;
    return text;
  }

  template <class Cell>
  void assign(As& to, std::size_t column, const Cell& cell) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (assign_member<I>(to, column, cell), ...);
    }(std::make_index_sequence<member_count>{});
  }

  template <std::size_t I, class Cell>
  void assign_member(As& to, std::size_t column, const Cell& cell) const {
    if constexpr (may_become<Cell, field_t<As, I>>()) {
      if (column_of_[I] == column) field<I>(to) = static_cast<field_t<As, I>>(cell);
    }
  }

  /// Looks at the kinds of all columns by visiting a row of default values.
  void check_kinds() const {
    const Row sample{};
    std::size_t column = 0;
    columns<Row>::visit(sample, [&]<class Cell>(const Cell&) {
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (check_kind<I, Cell>(column), ...);
      }(std::make_index_sequence<member_count>{});
      ++column;
    });
  }

  template <std::size_t I, class Cell>
  void check_kind(std::size_t column) const {
    if (column_of_[I] == column && !may_become<Cell, field_t<As, I>>()) {
      throw std::invalid_argument("as: member '" + std::string(names()[I]) +
                                  "' is of another kind than the column of that name; give it the "
                                  "type of the aggregate's result");
    }
  }

  std::size_t column_of_[member_count] = {};
};

}  // namespace freshet::detail
