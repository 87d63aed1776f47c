// The rows that windows produce: key, span, one value per aggregate, and which pane they are.
//
// Plain values; they own their keys. Checkpointable and hashable wherever their parts are, so that
// windows can stand below windows.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/pipeline/pane.hpp>
#include <freshet/window/assigner.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace freshet {

/// The aggregates of one key over one span. The row's event time is `window.end` - 1 us. The names
/// of the values are known to the stream (`stream::columns`), not to the row. Equal rows are equal
/// panes, too; what text formats write does not hold the pane, see `with_panes`.
template <class Key, class... Values>
struct window_row {
  Key key{};
  window_span window;
  std::tuple<Values...> values;
  pane_info pane{};

  friend bool operator==(const window_row&, const window_row&) = default;
  BOOST_DESCRIBE_CLASS(window_row, (), (key, window, values, pane), (), ())
};

/// Flattens into the key (its members, when it is a described struct), `window_start`,
/// `window_end`, and the values.
template <class Key, class... Values>
struct columns<window_row<Key, Values...>> {
  static std::vector<std::string> names() { return {}; }  // Only the stream knows them.

  /// \param key_name    the key's column, where it is not described.
  /// \param value_names one per value.
  static std::vector<std::string> names(const std::string& key_name,
                                        const std::vector<std::string>& value_names) {
    std::vector<std::string> all = key_columns<Key>::names(key_name);
    all.emplace_back("window_start");
    all.emplace_back("window_end");
    all.insert(all.end(), value_names.begin(), value_names.end());
    return all;
  }

  template <class F>
  static void visit(const window_row<Key, Values...>& row, F&& f) {
    key_columns<Key>::visit(row.key, f);
    f(row.window.begin);
    f(row.window.end);
    std::apply([&f](const Values&... value) { (f(value), ...); }, row.values);
  }
};

}  // namespace freshet
