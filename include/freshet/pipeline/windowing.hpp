// window and aggregate: what happened per key and span of event time.
//
// Results are a function of the log: lateness is judged by the frontier that a record's own split
// had when the record entered, so batch sizes, schedules and restarts change nothing. See
// docs/reference/time.md for the rules and their exceptions.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/count_windowing.hpp>
#include <freshet/pipeline/detail/aggregate_checks.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/keyed_window_kernel.hpp>
#include <freshet/pipeline/detail/pre_aggregation.hpp>
#include <freshet/pipeline/detail/sliding_window_kernel.hpp>
#include <freshet/pipeline/detail/window_operator.hpp>
#include <freshet/pipeline/fired_stream.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pane.hpp>
#include <freshet/pipeline/processing_windowing.hpp>
#include <freshet/pipeline/window_options.hpp>
#include <freshet/pipeline/window_row.hpp>
#include <freshet/window/assigner.hpp>
#include <freshet/window/sliding.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// The fingerprint of a window's state. `when`: null where the windows have no panes of their own.
std::string describe_windows(const std::string& assigner, const window_options& options,
                             const panes* when, const std::string& key,
                             const std::string& aggregates);

/// What is wrong with the options of a window, if anything. `when`: as above.
std::string check_windows(const window_options& options, const panes* when);

/// Windows without a third argument.
struct no_panes {};

/// What holds the windows. Those of fixed spans need little more than key and state, and those that
/// slide share what they have in common.
template <class T, class Key, class Assigner, class Aggregates, class Panes>
struct window_kernel_of {
  using type = std::conditional_t<
      Assigner::merges || std::is_same_v<Panes, panes>,
      keyed_window_kernel<T, Key, Assigner, Aggregates, std::is_same_v<Panes, panes>>,
      fixed_window_kernel<T, Key, Assigner, Aggregates>>;
};
template <class T, class Key, class Aggregates>
struct window_kernel_of<T, Key, sliding, Aggregates, no_panes> {
  using type = sliding_window_kernel<T, Key, Aggregates>;
};
template <class T, class Key, class Assigner, class Aggregates, class Panes>
using window_kernel = typename window_kernel_of<T, Key, Assigner, Aggregates, Panes>::type;

/// An operator that is another function for each kind of stream, also to say what is missing.
template <class... Functions>
struct one_of : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
one_of(Functions...) -> one_of<Functions...>;

/// What `window` is over a stream without keys.
struct needs_key {
  template <class T>
  void operator()(const stream<T>&) const {
    static_assert(!std::is_same_v<T, T>,
                  "freshet: window needs to know which records belong together; put "
                  "key_by(&record::key) before it");
  }
};

}  // namespace detail

/// Records with key and windows, on the way to `aggregate`. `Panes` is `panes` where they were
/// given.
template <class T, class KeyOf, class Assigner, class Panes = detail::no_panes>
class windowed_stream {
 public:
  windowed_stream(keyed_stream<T, KeyOf> records, Assigner assigner, window_options options,
                  Panes when = {})
      : records_(std::move(records)),
        assigner_(std::move(assigner)),
        options_(options),
        when_(when) {}

  const keyed_stream<T, KeyOf>& records() const { return records_; }
  const Assigner& assigner() const { return assigner_; }
  const window_options& options() const { return options_; }
  /// Null where no panes were asked for.
  const panes* when() const {
    if constexpr (std::is_same_v<Panes, panes>) return &when_;
    return nullptr;
  }

  template <class Operator>
    requires std::is_invocable_v<const Operator&, const windowed_stream&>
  friend auto operator|(const windowed_stream& upstream, const Operator& operation) {
    return operation(upstream);
  }

 private:
  keyed_stream<T, KeyOf> records_;
  Assigner assigner_;
  window_options options_;
  [[no_unique_address]] Panes when_;
};

/// The rows that windows fire, and the records that came too late for all of their windows.
template <class T, class Row>
class aggregated_stream : public fired_stream<Row> {
 public:
  using fired_stream<Row>::fired_stream;

  aggregated_stream(detail::graph_handle graph, detail::port_of from,
                    std::vector<std::string> columns, std::vector<std::string> record_columns)
      : fired_stream<Row>(std::move(graph), from, std::move(columns)),
        record_columns_(std::move(record_columns)) {}

  /// Records that were late for every one of their windows, once each, in a reproducible order.
  /// Counted in any case.
  stream<T> late() const {
    return {this->graph(), {this->from().node, late_port}, record_columns_};
  }

 private:
  static constexpr std::size_t late_port = 1;
  std::vector<std::string> record_columns_;
};

namespace detail {

template <class Assigner, class Panes>
auto window_with(Assigner assigner, window_options options, Panes when) {
  return one_of{
      [assigner = std::move(assigner), options,
       when]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& upstream) {
        static_assert(window_assigner_of<Assigner, T>,
                      "freshet: this assigner does not fit these records; give it "
                      "assign(timestamp, std::vector<window_span>&) const, or assign(timestamp, "
                      "const record&, std::vector<window_span>&) const for records of this type");
        return windowed_stream<T, KeyOf, Assigner, Panes>(upstream, assigner, options, when);
      },
      needs_key{}};
}

}  // namespace detail

/// Puts each record of a key into the spans that `assigner` gives for it.
/// Throws `std::invalid_argument` when parameters are out of range.
template <detail::assigner_parts Assigner>
auto window(Assigner assigner, window_options options = {}) {
  return detail::window_with(std::move(assigner), options, detail::no_panes{});
}

/// The same, with panes beside the one at the end of the window, or in another mode. Windows then
/// stand key by key, which costs more memory and time than without this argument.
template <detail::assigner_parts Assigner>
auto window(Assigner assigner, window_options options, panes when) {
  return detail::window_with(std::move(assigner), options, when);
}

/// Puts the records of a key into windows of so many records each, as they arrive.
inline auto window(count_window windows) {
  return detail::one_of{[windows]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& upstream) {
                          return keyed_windows<T, KeyOf, count_window>(upstream, windows);
                        },
                        detail::needs_key{}};
}

/// Puts each record of a key into the spans that hold the moment at which it is processed.
template <window_assigner Assigner>
auto window(processing_time_windows<Assigner> windows) {
  return detail::one_of{
      [windows = std::move(windows)]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& upstream) {
        return keyed_windows<T, KeyOf, processing_time_windows<Assigner>>(upstream, windows);
      },
      detail::needs_key{}};
}

/// One row per key and window, with one value per aggregate. `name` identifies the state across
/// restarts. Throws `std::invalid_argument` when the records have no event times, when an option is
/// out of range, when two columns of the row have one name, or when another one has the name.
template <class... Aggregates>
auto aggregate(std::string name, Aggregates... aggregates) {
  static_assert(sizeof...(Aggregates) > 0,
                "freshet: aggregate needs at least one aggregate, such as count(\"records\")");
  const auto without_windows = []<class T, class KeyOf>(const keyed_stream<T, KeyOf>&) {
    static_assert(!std::is_same_v<T, T>,
                  "freshet: aggregate needs windows; put window(tumbling{...}) before it");
  };
  const auto with_windows = [=]<class T, class KeyOf, class Assigner, class Panes>(
                                const windowed_stream<T, KeyOf, Assigner, Panes>& upstream) {
    using key = typename keyed_stream<T, KeyOf>::key_type;
    detail::require_window_aggregates<T, key, Aggregates...>();
    static_assert(checkpointable<T>,
                  "freshet: records and keys of windows must be checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    using parts = detail::aggregate_set<T, Aggregates...>;
    using kernel = detail::window_kernel<T, key, Assigner, parts, Panes>;
    using row = typename kernel::row;

    const keyed_stream<T, KeyOf>& keyed = upstream.records();
    const stream<T>& records = keyed.records();
    const parts set(aggregates...);
    const window_options& options = upstream.options();
    const std::string place = "window '" + name + "'";
    detail::require_usable(place, upstream.assigner().check());
    detail::require_not_negative(place, "allowed lateness", options.allowed_lateness);
    detail::require_usable(place, detail::check_windows(options, upstream.when()));
    records.graph()->require_timed(records.from(), place);
    std::vector<std::string> names = columns<row>::names(keyed.key_name(), set.names());
    detail::require_distinct(place, names);
    detail::node fresh;
    fresh.kind = "window";
    fresh.name = name;
    fresh.named = true;
    fresh.timed = true;
    fresh.timed_sides = true;
    fresh.reorders = true;
    fresh.inputs = {records.from()};
    fresh.takes = detail::distribution::by_key;
    if (options.fire == firing::on_time) fresh.fires_after_end = duration::zero();
    if (options.fire == firing::at_close) {
      fresh.fires_after_end = options.allowed_lateness;
      fresh.holds_back = options.allowed_lateness;
    }
    std::string assigner = upstream.assigner().describe();
    // Rows of its state are of panes.
    if constexpr (std::is_same_v<kernel, detail::sliding_window_kernel<T, key, parts>>)
      assigner += " by panes";
    fresh.format = detail::describe_windows(assigner, options, upstream.when(), format_of<key>(),
                                            set.format());
    fresh.layout = &detail::window_operator<T, KeyOf, kernel>::layout;
    fresh.limits_memory = detail::window_operator<T, KeyOf, kernel>::keeps_to_limit;
    if (upstream.when() != nullptr && upstream.when()->early()) {
      // Which record is the n-th is decided by a log of one order.
      const bool by_count = upstream.when()->early_by_count_alone();
      (by_count ? fresh.unpromised_by_arrival : fresh.unpromised) = {"early panes"};
      fresh.has_timers = by_count;
    }
    fresh.make = [key_of = keyed.key_of(), assigner = upstream.assigner(), options, set,
                  when = upstream.when() == nullptr ? panes{} : *upstream.when()] {
      if constexpr (std::is_same_v<Panes, panes>) {
        return std::make_unique<detail::window_operator<T, KeyOf, kernel>>(
            key_of, kernel(assigner, options, set, when));
      } else {
        return std::make_unique<detail::window_operator<T, KeyOf, kernel>>(
            key_of, kernel(assigner, options, set));
      }
    };
    if constexpr (requires { typename kernel::partial; }) {
      fresh.pre_aggregated = detail::pre_aggregate<T>(
          keyed.key_of(),
          [assigner = upstream.assigner(), options, set] { return kernel(assigner, options, set); },
          options.pre_aggregate);
    }
    const detail::node_id id = records.graph()->add(std::move(fresh));
    return aggregated_stream<T, row>(records.graph(), {id, 0}, std::move(names), records.columns());
  };
  const auto with_counts =
      [=]<class T, class KeyOf>(const keyed_windows<T, KeyOf, count_window>& upstream) {
        return detail::aggregate_counted(upstream, name, aggregates...);
      };
  const auto with_clock =
      [=]<class T, class KeyOf, class Assigner>(
          const keyed_windows<T, KeyOf, processing_time_windows<Assigner>>& upstream) {
        return detail::aggregate_clocked(upstream, name, aggregates...);
      };
  return detail::one_of{with_windows, with_counts, with_clock, without_windows};
}

}  // namespace freshet
