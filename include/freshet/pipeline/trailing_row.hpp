// The rows that `trailing` produces: the record itself, and what was known about its key.
//
// Plain values that own what they hold. A row is a record: member pointers and functions of the
// record work on it unchanged. Checkpointable wherever record and values are.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/weighted.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace freshet {

/// A record of type `T` with the aggregates over its `Spans` trailing spans. Event time and
/// position are those of the record. The names of the values are known to the stream
/// (`stream::columns`), not to the row.
template <class T, std::size_t Spans, class... Values>
struct trailing_row : T {
  /// By span, then by aggregate: `std::get<1>(row.trailing[0])` is the second aggregate over the
  /// first span.
  std::array<std::tuple<Values...>, Spans> trailing{};

  friend bool operator==(const trailing_row&, const trailing_row&) = default;
};

/// A row about a sampled record is a sampled record.
template <class T, std::size_t Spans, class... Values>
inline constexpr bool is_sampled<trailing_row<T, Spans, Values...>> = is_sampled<T>;

/// Flattens into the record's columns, then the values of the first span, of the second, and so on.
template <has_columns T, std::size_t Spans, class... Values>
struct columns<trailing_row<T, Spans, Values...>> {
  static std::vector<std::string> names() { return {}; }  // Only the stream knows them.

  template <class F>
  static void visit(const trailing_row<T, Spans, Values...>& row, F&& f) {
    columns<T>::visit(static_cast<const T&>(row), f);
    for (const auto& span : row.trailing) {
      std::apply([&f](const Values&... value) { (f(value), ...); }, span);
    }
  }
};

/// By hand, because a record that is itself such a row has a member `trailing`, too.
template <class T, std::size_t Spans, class... Values>
struct codec<trailing_row<T, Spans, Values...>> {
  using row = trailing_row<T, Spans, Values...>;
  using values = std::array<std::tuple<Values...>, Spans>;
  using parts = detail::type_list<T, values>;

  static void encode(byte_writer& writer, const row& value) {
    freshet::encode(writer, static_cast<const T&>(value));
    freshet::encode(writer, value.trailing);
  }
  static bool decode(byte_reader& reader, row& value) {
    return freshet::decode(reader, static_cast<T&>(value)) &&
           freshet::decode(reader, value.trailing);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<T, values>(context, "trailing");
  }
};

namespace detail {

template <class T, std::size_t Spans, class... Values>
struct owned_rule<trailing_row<T, Spans, Values...>> {
  static std::uint64_t bytes(const trailing_row<T, Spans, Values...>& row) {
    return owned_bytes(static_cast<const T&>(row)) + owned_bytes(row.trailing);
  }
};

}  // namespace detail

}  // namespace freshet
