// with_panes: window rows that flatten with their pane, for sinks and for matching by name.
//
// The rows stay as they are, in order, number and event time; only their columns grow by `pane`
// (`early`, `on_time`, `late`), `pane_index` and `retraction`. No state.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/fired_stream.hpp>
#include <freshet/pipeline/pane.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/window_row.hpp>

#include <boost/describe/class.hpp>

#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// A window row whose pane is part of its columns.
template <class Key, class... Values>
struct paned_row {
  window_row<Key, Values...> row;

  friend bool operator==(const paned_row&, const paned_row&) = default;
  BOOST_DESCRIBE_CLASS(paned_row, (), (row), (), ())
};

/// Flattens into the row's columns, then those of `extra_names()`.
template <class Key, class... Values>
struct columns<paned_row<Key, Values...>> {
  /// What `with_panes` appends to a stream's columns.
  static std::vector<std::string> extra_names() { return {"pane", "pane_index", "retraction"}; }
  static std::vector<std::string> names() { return {}; }  // Only the stream knows them.

  template <class F>
  static void visit(const paned_row<Key, Values...>& row, F&& f) {
    columns<window_row<Key, Values...>>::visit(row.row, f);
    f(to_text(row.row.pane.timing));
    f(row.row.pane.index);
    f(row.row.pane.retraction);
  }
};

/// `windows | with_panes() | to("rows", csv::write(path))` writes the pane of each row, too.
/// As structs (`as<Row>()`) the rows have a string `pane`, a number `pane_index` and a bool
/// `retraction`. Throws `std::invalid_argument` when a column of the rows has one of the new names.
inline auto with_panes() {
  return []<class Key, class... Values>(const stream<window_row<Key, Values...>>& upstream) {
    using row = window_row<Key, Values...>;
    using paned = paned_row<Key, Values...>;
    std::vector<std::string> names = upstream.columns();
    for (std::string& name : columns<paned>::extra_names()) names.push_back(std::move(name));
    detail::require_distinct("with_panes", names);
    const stream<paned> rows = upstream | map([](const row& each) { return paned{each}; });
    return fired_stream<paned>(rows.graph(), rows.from(), std::move(names));
  };
}

}  // namespace freshet
