// learn: linear models trained on a stream, one example at a time.
//
//     auto [rows, models] = clicks | fr::learn("ctr", {.holdout = 0.1, .publish_every = 10'000},
//                                              &click::clicked, &click::hour, &click::price);
//
// Each record is predicted, then learned: the mean loss is that of progressive validation, see
// model/online.hpp. On a keyed stream there is a model per key; on another one a single model, in
// one task. Models that are published can be used elsewhere while they are trained: `infer_latest`.
//
// Order: a function of the records (per key) in the order of arrival: over several splits put
// `ordered(name)` above, or `run_summary::unpromised` names it. Which records are held out depends
// on their keys in the log and the seed alone. State: the weights, in checkpoints.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/model/online.hpp>
#include <freshet/pipeline/quality.hpp>
#include <freshet/sampling/sampler.hpp>

#include <boost/describe/class.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace freshet {

struct learn_options {
  loss_kind loss = loss_kind::logistic;
  double rate = 0.05;  ///< This and what follows: see `online_options`.
  double decay = 0;
  double holdout = 0;
  double half_life = 1000;
  bool reset_on_drift = true;
  std::uint64_t publish_every = 0;  ///< A model after so many records of a key; 0: never.
  std::uint64_t seed = 0;           ///< Of what is held out.

  online_options online() const { return {loss, rate, decay, holdout, half_life, reset_on_drift}; }
};

/// What was thought of a record before it was learned. Columns: those of the record, then these.
template <class T>
struct learned {
  using value_type = T;
  T value{};
  double prediction = 0;
  double loss = 0;
  double mean_loss = 0;  ///< With this record.
  bool held_out = false;
  bool reset = false;
  BOOST_DESCRIBE_CLASS(learned, (), (value, prediction, loss, mean_loss, held_out, reset), (), ())
};

template <has_columns T>
struct columns<learned<T>> {
  static std::vector<std::string> names() {
    std::vector<std::string> all = columns<T>::names();
    for (const char* const each : {"prediction", "loss", "mean_loss", "held_out", "reset"}) {
      all.emplace_back(each);
    }
    return all;
  }
  template <class F>
  static void visit(const learned<T>& row, F&& f) {
    columns<T>::visit(row.value, f);
    f(row.prediction);
    f(row.loss);
    f(row.mean_loss);
    f(row.held_out);
    f(row.reset);
  }
};

namespace detail {

struct learn_state {
  online_linear model = {};
  std::uint64_t records = 0;
  std::uint64_t published = 0;
};
BOOST_DESCRIBE_STRUCT(learn_state, (), (model, records, published))

inline constexpr side_output<"models", mlp> models_output;

template <class Label, class... Features>
struct learn_function {
  using state = learn_state;
  learn_options how;
  Label label;
  std::tuple<Features...> features;

  template <class T>
  void process(const T& record, state& mine, auto& context) {
    const std::array<double, sizeof...(Features)> row = std::apply(
        [&](const auto&... each) { return std::array{measured(each, record)...}; }, features);
    const double draw = unit_interval(record_hash(how.seed, context.order().where));
    const online_prediction found =
        learn_one(how.online(), mine.model, row, measured(label, record), draw);
    context.emit(
        {record, found.prediction, found.loss, mine.model.mean_loss, found.held_out, found.reset});
    ++mine.records;
    if (how.publish_every == 0 || mine.records % how.publish_every != 0) return;
    mlp model = mine.model.model(how.loss);
    model.version = ++mine.published;
    context.emit(models_output, std::move(model));
  }
};

}  // namespace detail

/// Trains a linear model of `label` by `features`: member pointers or functions of one record that
/// return numbers (labels of the logistic loss: 0 or 1, or `bool`). `name` identifies its state.
/// \return two streams: a `learned<record>` for each record, and the published models, whose
///         versions count from 1.
/// Throws `std::invalid_argument` for options that cannot be meant, or when another one has the
/// name.
template <class Label, class... Features>
auto learn(std::string name, learn_options options, Label label, Features... features) {
  static_assert(sizeof...(Features) > 0, "freshet: learn needs at least one feature");
  return [name = std::move(name),
          f = detail::learn_function<Label, Features...>{
              options, std::move(label),
              std::tuple(std::move(features)...)}]<class Upstream>(const Upstream& upstream) {
    using record = typename Upstream::value_type;
    static_assert(detail::measures<Label, record> && (detail::measures<Features, record> && ...),
                  "freshet: learn needs member pointers or functions of one record that return "
                  "numbers, or optional ones");
    detail::require_usable("learn '" + name + "'", f.how.online().check());
    const std::string described = f.how.online().describe() + " " +
                                  std::to_string(sizeof...(Features)) + " features, seed " +
                                  std::to_string(f.how.seed);
    return detail::add_watching<learned<record>>("learn", name, described, f, upstream,
                                                 detail::models_output);
  };
}

}  // namespace freshet
