// trailing: one row per record, with aggregates over the time just before it.
//
//     auto features = payments
//                   | fr::key_by(&payment::card)
//                   | fr::trailing("velocity", {1h, 24h, {7 * 24h, {.resolution = 1h}}},
//                                  fr::count("payments"), fr::mean("amount_mean",
//                                  &payment::amount));
//
// Point in time correct: the row of a record at `at` is computed from the records of its key in
// `[at - length, at)`, and never from itself or what came after it. Training on such rows and
// serving them is the same computation.
//
// Same log, same rows: with rows on watermark for any number of splits, batches and restarts, to
// the last bit of floating sums. Records behind their entry frontier are treated as by windows: see
// docs/reference/time.md.
//
// Threads: one task. Memory per key: a state of the aggregates for each record in the longest exact
// span and each pane in the longest span with a resolution, and up to as many again per span for
// keys with many records. Cost per record in order: amortised O(1) merges per span; O(records in
// the span) for aggregates whose states grow, such as collect and distinct.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/row_matching.hpp>
#include <freshet/pipeline/detail/trailing_operator.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing_row.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/window/trailing.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// The rows of `trailing`, and the records that came too late to be used.
template <class T, class Row>
class trailing_stream : public stream<Row> {
 public:
  trailing_stream(detail::graph_handle graph, detail::port_of from,
                  std::vector<std::string> columns, std::vector<std::string> record_columns)
      : stream<Row>(std::move(graph), from, std::move(columns)),
        record_columns_(std::move(record_columns)) {}

  /// Records further behind their entry frontier than the allowed lateness, once each, in a
  /// reproducible order. They have no row, and no row counts them. Counted in any case.
  stream<T> late() const {
    return {this->graph(), {this->from().node, late_port}, record_columns_};
  }

  /// The rows as described structs: columns are matched with members by name, values converted
  /// where C++ does so without narrowing kinds. Throws `std::invalid_argument` naming a member that
  /// has no column, or one of another kind.
  template <described As>
  stream<As> as() const {
    static_assert(has_columns<T>,
                  "freshet: these records have no columns to match members with; describe them "
                  "with BOOST_DESCRIBE_STRUCT");
    return *this | map(detail::row_matcher<Row, As>(this->columns()));
  }

 private:
  static constexpr std::size_t late_port = 1;
  std::vector<std::string> record_columns_;
};

namespace detail {

/// A record that a row can be made of by adding to it.
template <class T>
concept extensible_record = std::is_class_v<T> && !std::is_final_v<T>;

template <std::size_t Spans, class T, class KeyOf, class... Aggregates>
auto add_trailing(const std::string& name, const std::vector<trailing_span>& spans,
                  const trailing_options& options, const keyed_stream<T, KeyOf>& keyed,
                  const Aggregates&... aggregates) {
  using key = typename keyed_stream<T, KeyOf>::key_type;
  using made = trailing_operator<T, KeyOf, Spans, Aggregates...>;
  using row = typename made::row;
  const stream<T>& records = keyed.records();
  const std::string place = "trailing '" + name + "'";
  for (const trailing_span& each : spans) require_usable(place, each.check());
  require_not_negative(place, "allowed lateness", options.allowed_lateness);
  records.graph()->require_timed(records.from(), place);
  const trailing_items<T, Aggregates...> items(aggregates...);
  std::vector<std::string> names = records.columns();
  for (std::string& each : trailing_columns(spans, items.names())) names.push_back(std::move(each));
  require_usable(place, check_trailing_columns(names));

  node fresh;
  fresh.kind = "trailing";
  fresh.name = name;
  fresh.named = true;
  fresh.timed = true;
  fresh.timed_sides = true;
  fresh.reorders = options.emit == emit::on_watermark;
  fresh.inputs = {records.from()};
  fresh.takes = distribution::by_key;
  fresh.format = describe_trailing(spans, options, format_of<key>(), items.format());
  fresh.layout = &made::layout;
  if (options.emit == emit::on_arrival) fresh.unpromised_by_arrival = {"rows on arrival"};
  fresh.make = [key_of = keyed.key_of(), plan = trailing_plan(spans, options), items] {
    return std::make_unique<made>(key_of, plan, items);
  };
  const node_id id = records.graph()->add(std::move(fresh));
  return trailing_stream<T, row>(records.graph(), {id, 0}, std::move(names), records.columns());
}

}  // namespace detail

/// One row per record of a keyed stream: the record, and for each of `spans` one value per
/// aggregate over the key's records in that span before it. A span is a duration, or a duration
/// with options: `{1h, 24h, {7 * 24h, {.resolution = 1h}}}`. `name` identifies the state across
/// restarts.
///
/// A row is a `trailing_row<T, ...>`, which is a `T`: `&payment::fraud` and functions of a payment
/// work on it. Its columns are those of the record, then `<aggregate>_<span>` for each span and
/// aggregate: `payments_1h`, `amount_mean_1h`, `payments_24h`, ...
///
/// Throws `std::invalid_argument` when the records have no event times, when an option is out of
/// range, when two columns have one name, or when another one has the name.
template <std::size_t Spans, class... Aggregates>
auto trailing(std::string name, const trailing_span (&spans)[Spans], trailing_options options,
              Aggregates... aggregates) {
  static_assert(sizeof...(Aggregates) > 0,
                "freshet: trailing needs at least one aggregate, such as count(\"records\")");
  return [name = std::move(name), all = std::vector<trailing_span>(spans, spans + Spans), options,
          ... aggregates = std::move(aggregates)]<class Upstream>(const Upstream& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      return [&]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
        static_assert(detail::extensible_record<T>,
                      "freshet: the rows of trailing extend the record, and this type cannot be "
                      "extended; map it to a struct that is not final first");
        static_assert((aggregate_of<Aggregates, T> && ...),
                      "freshet: an aggregate does not fit these records; check that its member "
                      "pointer or function takes a record of this stream, and that sums and means "
                      "get numbers");
        constexpr bool all_honour_weight = (detail::honours_weight<Aggregates> && ...);
        static_assert(!is_sampled<T> || all_honour_weight,
                      "freshet: these records are a sample, and an aggregate of them ignores their "
                      "weights; use one that declares honours_weight, or map to the value first to "
                      "say that the plain numbers are meant");
        using key = typename keyed_stream<T, KeyOf>::key_type;
        static_assert(checkpointable<T> && checkpointable<key>,
                      "freshet: records and keys of trailing must be checkpointable; describe them "
                      "with BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
        return detail::add_trailing<Spans>(name, all, options, keyed, aggregates...);
      }(upstream);
    } else {
      static_assert(!std::is_same_v<Upstream, Upstream>,
                    "freshet: trailing needs to know which records belong together; put "
                    "key_by(&record::key) before it");
    }
  };
}

/// The same with default options.
template <std::size_t Spans, class... Aggregates>
auto trailing(std::string name, const trailing_span (&spans)[Spans], Aggregates... aggregates) {
  return trailing<Spans>(std::move(name), spans, trailing_options{}, std::move(aggregates)...);
}

}  // namespace freshet
