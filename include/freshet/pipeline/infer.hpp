// infer: scores every record with a model, many at a time.
//
//     const auto scored = payments | fr::infer<float>(fr::scoring(model, &payment::amount,
//                                                                 &payment::hour));
//     payments | fr::infer<float>([](std::span<const payment> in, std::span<float> out) { ... });
//
// A model is a function of some records and as many places for what it thinks of them. Ours come
// from `scoring`; `shadowing` asks two models and compares them, `splitting` gives some keys to the
// second one. `infer_latest` scores with the model that came last over a control stream.
//
// Micro-batches are the batches in which records travel anyhow: what comes together is scored
// together, at most `.max_batch` at a time, and nothing waits. So batches end by themselves at
// watermarks, barriers and the end of the stream, and behind an exchange after
// `run_options::flush_after`. Record-wise: order, event times and columns stay, no state, and rows
// are a function of each record alone, as long as the model's answers do not depend on what else is
// in its batch. Threads: one copy of the function per task.
#pragma once

#include <freshet/core/columns.hpp>
#include <freshet/core/detail/optional.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/model/mlp.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// A record and what a model thinks of it. Columns: those of the record, then those of the answer.
template <class T, class Out>
struct inferred {
  using value_type = T;
  T value{};
  Out answer{};
  BOOST_DESCRIBE_CLASS(inferred, (), (value, answer), (), ())
};

template <has_columns T, has_columns Out>
struct columns<inferred<T, Out>> {
  static std::vector<std::string> names() {
    std::vector<std::string> all = columns<T>::names();
    if constexpr (scalar_cell<Out>) {
      all.emplace_back("answer");
    } else {
      for (std::string& each : columns<Out>::names()) all.push_back(std::move(each));
    }
    return all;
  }
  template <class F>
  static void visit(const inferred<T, Out>& row, F&& f) {
    columns<T>::visit(row.value, f);
    columns<Out>::visit(row.answer, f);
  }
};

struct infer_options {
  std::size_t max_batch = 1024;  ///< Records given to the model at once, at most; > 0.
};

namespace detail {

template <class T, class Out, class F>
class infer_operator final : public unary_operator<T, inferred<T, Out>> {
 public:
  infer_operator(F f, std::size_t max_batch) : f_(std::move(f)), max_batch_(max_batch) {}

  void consume(batch<T>& rows) override {
    ask(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      rows_.values.push_back({std::move(rows.values[row]), std::move(answers_[row])});
    }
    rows_.swap_columns(rows);
    send();
  }
  void share(const batch<T>& rows) override {
    ask(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      rows_.values.push_back({rows.values[row], std::move(answers_[row])});
    }
    rows_.copy_columns(rows);
    send();
  }

 private:
  void ask(const batch<T>& rows) {
    this->count_in(rows);
    answers_.assign(rows.size(), Out{});
    rows_.values.reserve(rows.size());
    const std::span<const T> records(rows.values);
    for (std::size_t at = 0; at < rows.size(); at += max_batch_) {
      const std::size_t count = std::min(max_batch_, rows.size() - at);
      try {
        std::invoke(f_, records.subspan(at, count), std::span<Out>(answers_).subspan(at, count));
      } catch (...) {
        // Which of them it was, only the model knows.
        fail_in_user_function(this->context().place, rows.positions[at]);
      }
    }
  }
  void send() {
    this->count_out(rows_);
    this->out().emit(rows_);
  }

  F f_;
  std::size_t max_batch_;
  std::vector<Out> answers_;
  batch<inferred<T, Out>> rows_;
};

/// A feature as a model takes it; NaN for one that is not there.
template <class P, class T>
float feature_of(const P& projection, const T& record) {
  const auto& value = std::invoke(projection, record);
  if constexpr (is_optional<std::remove_cvref_t<decltype(value)>>) {
    return value ? static_cast<float>(*value) : std::numeric_limits<float>::quiet_NaN();
  } else {
    return static_cast<float>(value);
  }
}

/// Refuses a model that does not have as many inputs as there are features, and one output.
template <class Model>
void require_scoring(const Model& model, std::size_t features) {
  if (const std::string wrong = model.check(); !wrong.empty()) {
    throw std::invalid_argument("scoring: " + wrong);
  }
  if (model.inputs() != features || model.outputs() != 1) {
    throw std::invalid_argument("scoring: the model has " + std::to_string(model.inputs()) +
                                " inputs and " + std::to_string(model.outputs()) +
                                " outputs, wanted one output and " + std::to_string(features) +
                                " inputs, one for each feature");
  }
}

template <class Model, class... Features>
struct scoring_function {
  std::shared_ptr<const Model> model;  // Immutable: tasks share it.
  std::tuple<Features...> features;
  std::vector<float> gathered = {};

  template <class T>
  void operator()(std::span<const T> records, std::span<float> scores) {
    gathered.clear();
    for (const T& record : records) {
      std::apply([&](const auto&... each) { (gathered.push_back(feature_of(each, record)), ...); },
                 features);
    }
    model->predict(gathered, scores);
  }
};

}  // namespace detail

/// Gives records to `f(std::span<const record>, std::span<Out>)`, which answers for each of them.
/// `Out` is default-constructible and not `bool`. What `f` throws ends the job, with the position
/// of the first record of the batch. Throws `std::invalid_argument` when `.max_batch` is 0.
/// \return a stream of `inferred<record, Out>`.
template <class Out, class F>
auto infer(F f, infer_options options = {}) {
  static_assert(!std::is_same_v<Out, bool>,
                "freshet: infer<bool> has no array to write into; answer with std::uint8_t");
  if (options.max_batch == 0) {
    throw std::invalid_argument("infer: max_batch 0 is not positive; give .max_batch such as 256");
  }
  return [f = std::move(f), options]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_v<F&, std::span<const T>, std::span<Out>>,
                  "freshet: infer<Out> needs a function (std::span<const record>, std::span<Out>)");
    return detail::add_record_wise<inferred<T, Out>>(
        upstream, "infer",
        [f, options] {
          return std::make_unique<detail::infer_operator<T, Out, F>>(f, options.max_batch);
        },
        column_names<inferred<T, Out>>());
  };
}

/// A model of one output (`mlp`, `quantized_mlp`) as a function for `infer<float>`, with what it
/// reads from each record: member pointers or functions that return numbers, in the order of its
/// inputs. Throws `std::invalid_argument` when they are not as many, or the model's `check()` says
/// why.
template <class Model, class... Features>
auto scoring(Model model, Features... features) {
  detail::require_scoring(model, sizeof...(Features));
  return detail::scoring_function<Model, Features...>{
      std::make_shared<const Model>(std::move(model)), std::tuple(std::move(features)...)};
}

/// The scores of two models of one record.
struct shadowed {
  float score = 0;   ///< Of the model that counts.
  float shadow = 0;  ///< Of the other one.
  bool agree = false;
};
BOOST_DESCRIBE_STRUCT(shadowed, (), (score, shadow, agree))

/// For `infer<shadowed>`: both models score each record, and `agree(score, shadow)` says whether
/// they do, such as `[](float a, float b) { return (a > 0.5f) == (b > 0.5f); }`. Count `agree` with
/// a window.
template <class F, class G, class Agree>
auto shadowing(F model, G shadow, Agree agree) {
  return [model = std::move(model), shadow = std::move(shadow), agree = std::move(agree),
          first = std::vector<float>(), second = std::vector<float>()]<class T>(
             std::span<const T> records, std::span<shadowed> answers) mutable {
    first.assign(records.size(), 0);
    second.assign(records.size(), 0);
    model(records, std::span<float>(first));
    shadow(records, std::span<float>(second));
    for (std::size_t i = 0; i < records.size(); ++i) {
      answers[i] = {first[i], second[i],
                    static_cast<bool>(std::invoke(agree, first[i], second[i]))};
    }
  };
}

/// The score of one of two models.
struct split_score {
  float score = 0;
  bool second = false;  ///< Whether it is the second model's.
};
BOOST_DESCRIBE_STRUCT(split_score, (), (score, second))

/// For `infer<split_score>`: an A/B test. A `share` of the keys, in [0, 1], is scored by `second`,
/// the others by `first`: a hash of the key and the seed decides, so that a key stays with its
/// model in every run and on every machine. Throws `std::invalid_argument` for another share.
template <class F, class G, class KeyOf>
auto splitting(F first, G second, KeyOf key_of, double share, std::uint64_t seed = 0) {
  if (!(share >= 0 && share <= 1)) {
    throw std::invalid_argument("splitting: the share " + std::to_string(share) +
                                " is not in [0, 1]; give the share of keys for the second model");
  }
  return [first = std::move(first), second = std::move(second), key_of = std::move(key_of), share,
          seed]<class T>(std::span<const T> records, std::span<split_score> answers) mutable {
    std::vector<float> score(1);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::uint64_t hash = stable_hash(std::invoke(key_of, records[i]));
      const double draw =
          static_cast<double>(combine_hashes(mix_bits(seed), hash) >> 11U) * 0x1p-53;
      const bool to_second = draw < share;
      const std::span<const T> one = records.subspan(i, 1);
      if (to_second) {
        second(one, std::span<float>(score));
      } else {
        first(one, std::span<float>(score));
      }
      answers[i] = {score[0], to_second};
    }
  };
}

namespace detail {

/// Scores with the newest model of a control stream.
template <class Model, class... Features>
struct latest_function {
  struct shared {
    Model model;
    bool came = false;  ///< One has come; until then the first one counts.
    BOOST_DESCRIBE_CLASS(shared, (), (model, came), (), ())
  };
  std::shared_ptr<const Model> first;
  std::tuple<Features...> features;

  void on_broadcast(const Model& fresh, shared& all, const broadcast_context&) const {
    if (fresh.version < (all.came ? all.model : *first).version) return;
    require_scoring(fresh, sizeof...(Features));
    all.model = fresh;
    all.came = true;
  }
  template <class T>
  void process(const T& record, const shared& all, auto& context) const {
    const Model& model = all.came ? all.model : *first;
    const std::array<float, sizeof...(Features)> row = std::apply(
        [&](const auto&... each) { return std::array{feature_of(each, record)...}; }, features);
    float score = 0;
    model.predict(row, std::span<float>(&score, 1));
    context.emit({record, {score, model.version}});
  }
};

}  // namespace detail

/// A score, and the version of the model that gave it.
struct versioned_score {
  float score = 0;
  std::uint64_t version = 0;
};
BOOST_DESCRIBE_STRUCT(versioned_score, (), (score, version))

/// Scores the records of `connect(keyed, models)` with the model that came last, and with `first`
/// until one comes; models of an earlier version than the current one are ignored. The model is in
/// checkpoints. Which one a record meets depends on when it came, so that `run_summary::unpromised`
/// says "broadcast"; the rows tell. A model that does not fit ends the job. `name` as in `process`.
/// \return a stream of `inferred<record, versioned_score>`.
template <class T, class Model, class... Features>
auto infer_latest(std::string name, Model first, Features... features) {
  detail::require_scoring(first, sizeof...(Features));
  return process<inferred<T, versioned_score>>(
      std::move(name),
      detail::latest_function<Model, Features...>{std::make_shared<const Model>(std::move(first)),
                                                  std::tuple(std::move(features)...)});
}

}  // namespace freshet
