// Watching the numbers of a stream: drift, anomalies, outliers and the scale of features.
//
//     readings | key_by(&reading::sensor) | detect_drift("drift", adwin{}, &reading::value)
//              | key_by(&reading::sensor) | detect_anomalies("odd", ewma_zscore{}, &reading::value)
//     payments | clip_outliers("clip", {}, &payment::amount) | standardize("scale", {}, ...)
//
// All four are `process` with a function of ours. On a keyed stream each key is watched by itself;
// on another one all records are, by one task.
//
// Order: what comes out is a function of each key's records in the order of arrival, which over one
// split is that of its log, in every run. Over several splits put `ordered(name)` above, or the
// job's summary names the operator as one whose rows depend on arrival. Event times pass through.
// Memory: a state per key, as its detector says, for as long as the job lives; it is in
// checkpoints, and may be evicted where `state_options::memory_limit` says so. Numbers may be
// optional; what is not there counts as no measurement, as a NaN does.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/core/detail/optional.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/quality/anomaly.hpp>
#include <freshet/quality/drift.hpp>
#include <freshet/quality/scaling.hpp>

#include <boost/describe/class.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// A drift of one key.
template <class Key>
struct drift_row {
  Key key{};
  double before = 0;  ///< This and what follows: see `drift`.
  double after = 0;
  double statistic = 0;
  double bound = 0;
  BOOST_DESCRIBE_CLASS(drift_row, (), (key, before, after, statistic, bound), (), ())
};

/// A record and what a detector thinks of its number. Columns: those of the record, then these.
template <class T>
struct scored {
  using value_type = T;
  T value{};
  double score = 0;  ///< This and what follows: see `judged`.
  bool flagged = false;
  double expected = 0;
  double deviation = 0;
  BOOST_DESCRIBE_CLASS(scored, (), (value, score, flagged, expected, deviation), (), ())
};

template <has_columns T>
struct columns<scored<T>> {
  static std::vector<std::string> names() {
    std::vector<std::string> all = columns<T>::names();
    for (const char* const each : {"score", "flagged", "expected", "deviation"}) {
      all.emplace_back(each);
    }
    return all;
  }
  template <class F>
  static void visit(const scored<T>& row, F&& f) {
    columns<T>::visit(row.value, f);
    f(row.score);
    f(row.flagged);
    f(row.expected);
    f(row.deviation);
  }
};

/// A number that was clipped.
struct clipped_number {
  std::string field;     ///< Its name, or its place among those given, from 1.
  double found = 0;      ///< As the record had it; a NaN where it had none.
  double clipped = 0;    ///< What it was made.
  double expected = 0;   ///< The mean until then,
  double deviation = 0;  ///< and the standard deviation.
};
BOOST_DESCRIBE_STRUCT(clipped_number, (), (field, found, clipped, expected, deviation))

namespace detail {

/// The only key of a stream that is not keyed.
struct one_key {
  template <class T>
  int operator()(const T&) const {
    return 0;
  }
};

/// What is no number counts as no measurement.
template <class P, class T>
double measured(const P& projection, const T& record) {
  const auto& value = std::invoke(projection, record);
  if constexpr (is_optional<std::remove_cvref_t<decltype(value)>>) {
    return value ? static_cast<double>(*value) : std::numeric_limits<double>::quiet_NaN();
  } else {
    return static_cast<double>(value);
  }
}

template <class P, class T>
inline constexpr bool measures = [] {
  if constexpr (std::is_invocable_v<const P&, const T&>) {
    return std::is_arithmetic_v<typename without_optional<
        std::remove_cvref_t<std::invoke_result_t<const P&, const T&>>>::type>;
  }
  return false;
}();

/// Whether a member is a float or a double, or an optional one.
template <class Member, class T>
inline constexpr bool is_real = std::is_floating_point_v<typename without_optional<
    std::remove_cvref_t<std::invoke_result_t<const Member&, const T&>>>::type>;

template <class D, class P>
struct drift_function {
  using state = typename D::state;
  D how;
  P of;

  template <class T>
  void process(const T& record, state& mine, auto& context) {
    const std::optional<drift> found = how.add(mine, measured(of, record));
    if (!found) return;
    context.emit({context.key(), found->before, found->after, found->statistic, found->bound});
  }
};

template <class D, class P>
struct anomaly_function {
  using state = typename D::state;
  D how;
  P of;

  template <class T>
  void process(const T& record, state& mine, auto& context) {
    const judged found = how.add(mine, measured(of, record));
    context.emit({record, found.score, found.flagged, found.expected, found.deviation});
  }
};

/// Scales some members of a record, each by itself.
template <std::size_t Size>
struct scaling_state {
  std::array<feature_scale, Size> features = {};
  BOOST_DESCRIBE_CLASS(scaling_state, (), (features), (), ())
};

/// Where outliers go; a name for what side outputs need.
inline constexpr side_output<"outliers", clipped_number> outliers_output;

template <bool Standardizes, class... Members>
struct scaling_function {
  using state = scaling_state<sizeof...(Members)>;
  scaling_options how;
  std::array<std::string, sizeof...(Members)> fields;
  std::tuple<Members...> members;

  template <class T>
  void process(const T& record, state& mine, auto& context) {
    T row = record;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (scale_one(row.*std::get<I>(members), mine.features[I], fields[I], context), ...);
    }(std::index_sequence_for<Members...>{});
    context.emit(std::move(row));
  }

 private:
  template <class V>
  void scale_one(V& value, feature_scale& known, const std::string& field, auto& context) const {
    const double found = measured(std::identity{}, value);
    const scaled_value scaled = scale(how, known, found);
    using number = typename without_optional<V>::type;
    if constexpr (Standardizes) {
      value = static_cast<number>(scaled.standard);
    } else if (scaled.outlier) {
      // What is not there stays so.
      if constexpr (is_optional<V>) {
        if (!value) return;
      }
      value = static_cast<number>(scaled.clipped);
      context.emit(outliers_output,
                   {field, found, scaled.clipped, scaled.expected, scaled.deviation});
    }
  }
};

/// Adds a process operator that looks as what it is for, on a keyed stream or on one that is not.
template <class Row, class F, class Upstream, class... Tags>
auto add_watching(const char* kind, const std::string& name, const std::string& described,
                  const F& f, const Upstream& upstream, const Tags&...) {
  const process_look look{kind, name, " " + described,
                          std::string(kind) + " in the order of arrival"};
  if constexpr (requires { upstream.key_of(); }) {
    return [&]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
      return add_process<Row, void, T, KeyOf, F, Tags...>(look, f, keyed, {keyed.records().from()});
    }(upstream);
  } else {
    return [&]<class T>(const stream<T>& records) {
      const auto keyed = records | key_by(one_key{});
      return add_process<Row, void, T, one_key, F, Tags...>(look, f, keyed,
                                                            {keyed.records().from()});
    }(upstream);
  }
}

/// The keys of a stream, and `int` for one that is not keyed.
template <class Upstream>
struct watched_key {
  using type = int;
};
template <class Upstream>
  requires requires { typename Upstream::key_type; }
struct watched_key<Upstream> {
  using type = typename Upstream::key_type;
};

template <bool Standardizes, class... Members>
auto scaling(const char* kind, std::string name, scaling_options options, Members... members) {
  static_assert(sizeof...(Members) > 0 && (std::is_member_object_pointer_v<Members> && ...),
                "freshet: name the numbers to scale by member pointers, as in &record::amount");
  std::array<std::string, sizeof...(Members)> fields;
  std::size_t index = 0;
  ((fields[index] = std::string(member_name(members)), ++index), ...);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].empty()) fields[i] = std::to_string(i + 1);
  }
  return [kind, name = std::move(name), options,
          f = scaling_function<Standardizes, Members...>{
              options, fields, std::tuple(members...)}]<class Upstream>(const Upstream& upstream) {
    using record = typename Upstream::value_type;
    static_assert((is_real<Members, record> && ...),
                  "freshet: what is clipped or standardized must be a float or a double, or an "
                  "optional one; map integers to them first");
    require_usable(std::string(kind) + " '" + name + "'", options.check());
    std::string described = options.describe();
    for (const std::string& each : f.fields) described += " " + each;
    if constexpr (Standardizes) {
      return add_watching<record>(kind, name, described, f, upstream);
    } else {
      return add_watching<record>(kind, name, described, f, upstream, outliers_output);
    }
  };
}

}  // namespace detail

/// A row for each drift that `detector` (`adwin`, `page_hinkley`, `ks_windows`, `psi_windows`, or
/// one's own `drift_detector`) finds in the numbers that `projection` reads from the records, with
/// the event time of the record that made it certain. `name` identifies its state.
/// \return a stream of `drift_row<Key>`; on a stream without keys of `drift_row<int>`, with key 0.
/// Throws `std::invalid_argument` for options that cannot be meant, or when another one has the
/// name.
template <drift_detector Detector, class P>
auto detect_drift(std::string name, Detector detector, P projection) {
  return [name = std::move(name), detector = std::move(detector),
          projection = std::move(projection)]<class Upstream>(const Upstream& upstream) {
    static_assert(detail::measures<P, typename Upstream::value_type>,
                  "freshet: detect_drift needs a member pointer or a function of one record that "
                  "returns a number, or an optional one");
    detail::require_usable("detect_drift '" + name + "'", detector.check());
    using row = drift_row<typename detail::watched_key<Upstream>::type>;
    return detail::add_watching<row>("detect_drift", name, detector.describe(),
                                     detail::drift_function<Detector, P>{detector, projection},
                                     upstream);
  };
}

/// Each record with the score that `detector` (`zscore`, `ewma_zscore`, `triple_z`, or one's own
/// `anomaly_detector`) gives the number that `projection` reads from it. The flagged ones are a
/// `filter` away: `all | filter(&scored<reading>::flagged)`. `name` identifies its state.
/// \return a stream of `scored<record>`, in the order of arrival. Throws as `detect_drift`.
template <anomaly_detector Detector, class P>
auto detect_anomalies(std::string name, Detector detector, P projection) {
  return [name = std::move(name), detector = std::move(detector),
          projection = std::move(projection)]<class Upstream>(const Upstream& upstream) {
    using record = typename Upstream::value_type;
    static_assert(detail::measures<P, record>,
                  "freshet: detect_anomalies needs a member pointer or a function of one record "
                  "that returns a number, or an optional one");
    detail::require_usable("detect_anomalies '" + name + "'", detector.check());
    return detail::add_watching<scored<record>>(
        "detect_anomalies", name, detector.describe(),
        detail::anomaly_function<Detector, P>{detector, projection}, upstream);
  };
}

/// Clips numbers that are more than `options.limit` deviations from their mean, to there; no record
/// is left out, because what is far away may be what one looks for. The members are floats or
/// doubles, or optional ones, which stay empty. A NaN becomes the mean, an infinite number the
/// limit. `name` identifies its state.
/// \return two streams, `auto [clean, outliers] = ...`: all records, and a `clipped_number` for
/// each
///         number that was clipped. Throws as `detect_drift`.
template <class... Members>
auto clip_outliers(std::string name, scaling_options options, Members... members) {
  return detail::scaling<false>("clip_outliers", std::move(name), options, members...);
}

/// Replaces numbers by their distance from their mean in standard deviations, at most
/// `options.limit`; by 0, the mean, where nothing is known yet or nothing varied, and for what is
/// no measurement. Mean and deviation are those of the records before, with weights that halve
/// every `options.half_life` records, and follow a shift of the mean within some ten records.
/// \return a stream of the same records. Throws as `detect_drift`.
template <class... Members>
auto standardize(std::string name, scaling_options options, Members... members) {
  return detail::scaling<true>("standardize", std::move(name), options, members...);
}

}  // namespace freshet
