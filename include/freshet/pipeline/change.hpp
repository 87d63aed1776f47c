// Changes: rows of a table that goes on changing, as a stream.
//
// A row that stands is replaced by another, or goes. Operators whose results are updated emit such
// rows: `group_aggregate`, `top_n`, `deduplicate`. There are two ways to say it:
//
//     upserts                     upsert a=1    upsert a=2                     erase a=2
//     with retractions            insert a=1    update_before a=1,             erase a=2
//                                               update_after a=2
//
// An upsert takes the place of the row with the same key, which the consumer has to know: the table
// of `to(name, upsert(key))` does. With retractions every row that stood is taken back by an equal
// one, so that who adds the rows and subtracts those taken back always has the sum of what stands:
// `group_aggregate` over changes does.
//
// Plain values. Order: the two rows of an update follow each other. Time: that of their cause.
// \source The change log of a dynamic table in Flink SQL (+I, -U, +U, -D), and its upsert streams.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/row_matching.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// What a row of changes says of its table.
enum class change_kind : std::uint8_t {
  insert,         ///< The row stands from now on.
  update_before,  ///< The row does not stand any more; `update_after` follows.
  update_after,   ///< The row stands in its place.
  erase,          ///< The row does not stand any more.
  upsert,         ///< The row stands, in the place of the one with its key, if there is one.
};

/// `insert`, `update_before`, `update_after`, `erase`, `upsert`.
std::string_view to_text(change_kind how);

/// A row of type `Row`, and what becomes of it. It is a `Row`: member pointers and functions of the
/// row work on it unchanged.
template <class Row>
struct change : Row {
  using row_type = Row;

  change_kind how = change_kind::insert;

  /// Whether the row does not stand any more. As the second argument of `upsert`: which rows delete
  /// that of their key.
  bool takes_back() const { return how == change_kind::update_before || how == change_kind::erase; }
  const Row& row() const { return *this; }

  friend bool operator==(const change&, const change&) = default;
};

namespace detail {

template <class T>
struct change_rule {
  static constexpr bool is_change = false;
  using row = T;
};
template <class Row>
struct change_rule<change<Row>> {
  static constexpr bool is_change = true;
  using row = Row;
};

/// What a stream of `T` is about: `Row` where `T` is `change<Row>`.
template <class T>
using row_of_change = typename change_rule<T>::row;
template <class T>
inline constexpr bool is_change = change_rule<T>::is_change;

/// A row that another row type can be made of by adding to it.
template <class T>
concept extensible_row = std::is_class_v<T> && !std::is_final_v<T>;

template <class Row>
struct owned_rule<change<Row>> {
  static std::uint64_t bytes(const change<Row>& row) { return owned_bytes(row.row()); }
};

}  // namespace detail

template <class Row>
inline constexpr bool is_sampled<change<Row>> = is_sampled<Row>;

/// The row's columns, then `change`, as text.
template <has_columns Row>
struct columns<change<Row>> {
  static std::vector<std::string> names() { return names(columns<Row>::names()); }
  static std::vector<std::string> names(std::vector<std::string> of_row) {
    // Without names of the row's columns, only the stream knows them.
    if (!of_row.empty()) of_row.emplace_back("change");
    return of_row;
  }
  template <class F>
  static void visit(const change<Row>& row, F&& f) {
    columns<Row>::visit(row.row(), f);
    f(to_text(row.how));
  }
};

/// By hand, because a row may have members of the same names.
template <class Row>
struct codec<change<Row>> {
  using parts = detail::type_list<Row, change_kind>;

  static void encode(byte_writer& writer, const change<Row>& value) {
    freshet::encode(writer, value.row());
    freshet::encode(writer, value.how);
  }
  static bool decode(byte_reader& reader, change<Row>& value) {
    return freshet::decode(reader, static_cast<Row&>(value)) && freshet::decode(reader, value.how);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<Row, change_kind>(context, "change");
  }
};

/// Changes of rows whose columns only the stream can name.
template <class Row>
class change_stream : public stream<change<Row>> {
 public:
  /// `of_row`: the names of the row's columns.
  change_stream(const stream<change<Row>>& changes, std::vector<std::string> of_row)
      : stream<change<Row>>(changes.graph(), changes.from(),
                            columns<change<Row>>::names(std::move(of_row))) {}

  /// Changes of described structs: columns are matched with members by name, as
  /// `fired_stream::as` does. Throws `std::invalid_argument` as that does.
  template <described As>
  stream<change<As>> as() const {
    return *this |
           map([match = detail::row_matcher<Row, As>(this->columns())](const change<Row>& each) {
             return change<As>{match(each.row()), each.how};
           });
  }
};

}  // namespace freshet
