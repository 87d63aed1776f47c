// Streams: small copyable handles over the graph of a pipeline, composed with `|`.
//
// A stream can be named, passed to and returned from functions, and used twice (it forks). Anything
// callable with a stream is an operator: `s | f` is `f(s)`, so an application's own operator looks
// built-in. Composing belongs to one thread and does no work; running does.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/graph.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {
struct stream_tag {};
}  // namespace detail

/// Rows of type `T`, flowing.
template <class T>
class stream : public detail::stream_tag {
 public:
  using value_type = T;

  stream(detail::graph_handle graph, detail::port_of from,
         std::vector<std::string> columns = column_names<T>())
      : graph_(std::move(graph)), from_(from), columns_(std::move(columns)) {}

  /// Names of the columns that a row flattens into; empty when `T` has none.
  const std::vector<std::string>& columns() const { return columns_; }

  const detail::graph_handle& graph() const { return graph_; }
  detail::port_of from() const { return from_; }

 private:
  detail::graph_handle graph_;
  detail::port_of from_;
  std::vector<std::string> columns_;
};

/// A stream whose operator may refuse records, which are then to be had as dead letters.
template <class T>
class checked_stream : public stream<T> {
 public:
  using stream<T>::stream;

  /// The records that could not be used, with reason and place. Counted in any case.
  stream<dead_letter> dead() const { return {this->graph(), {this->from().node, dead_port}}; }

  static constexpr std::size_t dead_port = 1;
};

template <class S>
concept stream_handle = std::is_base_of_v<detail::stream_tag, std::remove_cvref_t<S>>;

/// Applies an operator to a stream: `s | f` is `f(s)`.
template <stream_handle S, class Operator>
  requires std::is_invocable_v<Operator&&, S&&>
auto operator|(S&& upstream, Operator&& operation) {
  return std::forward<Operator>(operation)(std::forward<S>(upstream));
}

}  // namespace freshet
