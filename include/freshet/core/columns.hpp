// Columns: how a row flattens into named cells, for text formats and for matching rows by name.
//
// A described struct flattens into its members, a scalar into one column `value`. Row types of our
// own (window rows, sampled rows) and an application's specialise `columns`. Stateless.
#pragma once

#include <freshet/core/fields.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How rows of type `T` flatten. Specialise it with the same two members for a row type that is
/// not described: `visit` calls `f(cell)` for each cell in order, and `names` gives as many names.
template <class T>
struct columns;

/// Scalars that text formats can write as one cell.
template <class T>
concept scalar_cell = std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                      std::is_convertible_v<const T&, std::string_view>;

template <scalar_cell T>
struct columns<T> {
  static std::vector<std::string> names() { return {"value"}; }
  template <class F>
  static void visit(const T& row, F&& f) {
    f(row);
  }
};

template <described T>
struct columns<T> {
  static std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const std::string_view name : field_names<T>()) all.emplace_back(name);
    return all;
  }
  template <class F>
  static void visit(const T& row, F&& f) {
    for_each_field(row, [&f](std::string_view, const auto& member) { f(member); });
  }
};

/// Rows that flatten into cells.
template <class T>
concept has_columns = requires(const T& row) {
  columns<T>::names();
  columns<T>::visit(row, [](const auto&) {});
};

/// The columns of a key that stands at the front of a row: its members where it is described, else
/// one, of the name given.
template <class Key>
struct key_columns {
  static std::vector<std::string> names(const std::string& key_name) {
    if constexpr (described<Key>) {
      return columns<Key>::names();
    } else {
      return {key_name};
    }
  }
  template <class F>
  static void visit(const Key& key, F&& f) {
    if constexpr (described<Key>) {
      columns<Key>::visit(key, f);
    } else {
      f(key);
    }
  }
};

/// The names of `T`'s columns; empty for a type that does not flatten.
template <class T>
std::vector<std::string> column_names() {
  if constexpr (has_columns<T>) {
    return columns<T>::names();
  } else {
    return {};
  }
}

}  // namespace freshet
