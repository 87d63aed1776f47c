// group_aggregate: aggregates per key that are updated for as long as the key lives.
//
//     auto best = bids | key_by(&bid::auction)
//                      | group_aggregate("best", emit_changes{.retract = true},
//                                        max("price", &bid::price));
//     auto means = best.as<auction_price>() | key_by(&auction_price::category)
//                      | group_aggregate("means", emit_final{}, mean("mean",
//                      &auction_price::price));
//
// Over changes (`change<T>`) it adds the rows that come to stand and subtracts those taken back.
// The aggregates must then know `subtract`: count, sum, mean do.
//
// Time, order: emission.hpp says what is a function of the log. State per key: those of the
// aggregates, 8 bytes, and 17 and the key in a hash table that is at least 0.35 full; with
// emit_every also the last row; with a time to forget it 140 bytes and the key for a timer. It goes
// when the key is forgotten, or has no rows any more.
// \source Flink SQL's group aggregate with a retraction-consuming `AggregateFunction::retract`.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/detail/add_updating.hpp>
#include <freshet/pipeline/detail/aggregate_checks.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// The aggregates of one key. The names of the values are known to the stream, not to the row.
template <class Key, class... Values>
struct group_row {
  Key key{};
  std::tuple<Values...> values;

  friend bool operator==(const group_row&, const group_row&) = default;
  BOOST_DESCRIBE_CLASS(group_row, (), (key, values), (), ())
};

/// Flattens into the key (its members, when it is a described struct) and the values.
template <class Key, class... Values>
struct columns<group_row<Key, Values...>> {
  static std::vector<std::string> names() { return {}; }  // Only the stream knows them.

  static std::vector<std::string> names(const std::string& key_name,
                                        const std::vector<std::string>& value_names) {
    std::vector<std::string> all = key_columns<Key>::names(key_name);
    all.insert(all.end(), value_names.begin(), value_names.end());
    return all;
  }

  template <class F>
  static void visit(const group_row<Key, Values...>& row, F&& f) {
    key_columns<Key>::visit(row.key, f);
    std::apply([&f](const Values&... value) { (f(value), ...); }, row.values);
  }
};

namespace detail {

/// The fold of `group_aggregate`; see updating.hpp. `T`: what flows, perhaps changes.
template <class T, class Key, class... Aggregates>
class group_fold {
 public:
  using record = row_of_change<T>;
  using parts = aggregate_set<record, Aggregates...>;
  using row = group_row<Key, aggregate_result<Aggregates, record>...>;

  struct state {
    std::uint64_t rows = 0;  ///< That stand.
    typename parts::state aggregates{};
    bool empty() const { return rows == 0; }
    BOOST_DESCRIBE_CLASS(state, (), (rows, aggregates), (), ())
  };

  explicit group_fold(parts set) : set_(std::move(set)) {}

  void add(state& to, const T& each, const placed& where) const {
    if constexpr (is_change<T>) {
      if (each.how == change_kind::upsert) {
        throw std::logic_error(
            "an upsert does not say which row it replaces, and aggregates have to subtract that; "
            "ask the operator above for changes with .retract = true");
      }
      if (each.takes_back()) {
        if (to.rows == 0) {
          throw std::logic_error("a change takes back a row that its key does not have");
        }
        --to.rows;
        set_.subtract(to.aggregates, each.row());
        return;
      }
    }
    ++to.rows;
    set_.add(to.aggregates, each, where.order);
  }

  void merge(state& into, const state& from) const {
    into.rows += from.rows;
    set_.merge(into.aggregates, from.aggregates);
  }
  template <class Emit>
  void rows(const Key& key, const state& of, Emit&& emit) const {
    emit(row{key, set_.result(of.aggregates)});
  }

  template <class Changes>
  void change(const Key& key, state& to, const T& each, const placed& where,
              Changes& changes) const {
    if (to.rows == 0) {
      add(to, each, where);
      changes.insert(row{key, set_.result(to.aggregates)});
      return;
    }
    auto before = set_.result(to.aggregates);
    add(to, each, where);
    if (to.rows == 0) {
      changes.erase(row{key, std::move(before)});
      return;
    }
    auto after = set_.result(to.aggregates);
    if (same_row(before, after)) return;
    changes.update([&] { return row{key, std::move(before)}; }, row{key, std::move(after)});
  }

 private:
  parts set_;
};

}  // namespace detail

/// One row per key with one value per aggregate, emitted as `when` says: `emit_final{}`,
/// `emit_changes{}`, `emit_every{10s}`. `name` identifies the state across restarts.
/// \return rows `group_row<Key, Values...>` whose columns are the key's and the aggregates'; with
///         `.as<Row>()` they become structs. For `emit_changes` and `emit_every` they are changes,
///         with a last column `change`. `emit_changes` emits nothing for a record that leaves all
///         values equal.
/// Throws `std::invalid_argument` when records have no event times, when an option is out of range,
/// when two columns have one name, when keys of changes are to be forgotten, or another one has the
/// name.
template <emission When, class... Aggregates>
auto group_aggregate(std::string name, When when, Aggregates... aggregates) {
  static_assert(
      sizeof...(Aggregates) > 0,
      "freshet: group_aggregate needs at least one aggregate, such as count(\"records\")");
  return detail::keyed_only([name = std::move(name), when,
                             ... aggregates = std::move(aggregates)]<class T, class KeyOf>(
                                const keyed_stream<T, KeyOf>& keyed) {
    using key = typename keyed_stream<T, KeyOf>::key_type;
    using record = detail::row_of_change<T>;
    detail::require_window_aggregates<record, key, Aggregates...>();
    constexpr bool can_subtract = (retractable_aggregate<Aggregates, record> && ...);
    static_assert(!detail::is_change<T> || can_subtract,
                  "freshet: these records are changes, and an aggregate of them cannot take a row "
                  "back: min, max, distinct, first, last and others would have to keep every "
                  "value; use count, sum, mean, or give your aggregate subtract(state&, const "
                  "row&) const");
    using fold = detail::group_fold<T, key, Aggregates...>;
    using row = typename fold::row;
    if (detail::is_change<T> && detail::forgets_keys(when)) {
      throw std::invalid_argument(
          "group_aggregate '" + name +
          "': keys of changes cannot be forgotten, because their rows may be taken back later; use "
          "emit_final, or emit_changes without .forget_after, and forget keys in the operator "
          "above");
    }
    const typename fold::parts set(aggregates...);
    return detail::add_updating("group_aggregate", name, keyed, fold(set), when, set.format(),
                                columns<row>::names(keyed.key_name(), set.names()));
  });
}

}  // namespace freshet
