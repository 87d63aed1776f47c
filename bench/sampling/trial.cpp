// The pipelines of the trials, and the learner behind them.
#include "trial.hpp"

#include "mlp.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/sampling/loss.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/sampling/uniform.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <stdexcept>

namespace sampling_benchmark {
namespace {

/// A row of the training set as it travels through the pipeline.
struct example {
  std::uint32_t row = 0;
  std::uint8_t label = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(example, (), (row, label, at))

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

predictions predict(const mlp& model, const dataset& data, const labelled_rows& rows,
                    std::size_t count) {
  predictions all{data.classes, std::vector<float>(count * data.classes), {}};
  for (std::size_t row = 0; row < count; ++row) {
    model.predict(&rows.numbers[row * data.features], &all.probabilities[row * data.classes]);
  }
  all.labels.assign(rows.labels.begin(), rows.labels.begin() + static_cast<std::ptrdiff_t>(count));
  return all;
}

/// The network, its learning curve, and what it says back to the sampler.
class learner {
 public:
  learner(const dataset& data, const trial_options& options)
      : data_(data),
        options_(options),
        model_(data.features, data.classes, options.learning_rate, options.seed) {}

  void learn(const example& row) { learn(row, nullptr); }

  void learn(const fr::sampled<example>& row) {
    if (options_.what != method::rarity_log_odds) return learn(row.value, nullptr);
    offsets_.resize(data_.classes);
    if (data_.classes == 2) {
      offsets_[1] = static_cast<float>(row.value.label == 1 ? row.log_odds : -row.log_odds);
    } else {
      // One class against the rest is not enough for a softmax: each class has an offset, the
      // logarithm of the probability that its rows were last kept with.
      offsets_[row.value.label] = static_cast<float>(std::log(row.probability));
    }
    learn(row.value, offsets_.data());
  }

  const fr::sampler_feedback& feedback() const { return feedback_; }

  trial_result finish() {
    model_.finish();
    const predictions on_validation =
        predict(model_, data_, data_.validation, data_.validation.size());
    result_.validation_pr_auc = pr_auc(on_validation);
    if (options_.curve_step == 0) return result_;
    add_point();
    const predictions on_test = predict(model_, data_, data_.test, data_.test.size());
    result_.pr_auc = pr_auc(on_test);
    result_.log_loss = log_loss(on_test);
    result_.balanced_accuracy = balanced_accuracy(on_test, tune_thresholds(on_validation));
    return result_;
  }

  double evaluation_seconds() const { return evaluation_seconds_; }

 private:
  void learn(const example& row, const float* offsets) {
    const double loss =
        model_.learn(&data_.train.numbers[row.row * data_.features], row.label, offsets);
    if (options_.what == method::with_loss) feedback_.loss(row.label, loss);
    ++result_.rows;
    if (options_.curve_step == 0 || result_.rows % options_.curve_step != 0) return;
    const double begin = cpu_seconds();
    add_point();
    evaluation_seconds_ += cpu_seconds() - begin;
  }

  void add_point() {
    if (!result_.curve.empty() && result_.curve.back().rows == result_.rows) return;
    result_.curve.push_back(
        {result_.rows, pr_auc(predict(model_, data_, data_.test, data_.curve_rows))});
  }

  const dataset& data_;
  trial_options options_;
  mlp model_;
  fr::sampler_feedback feedback_;
  std::vector<float> offsets_;
  trial_result result_;
  double evaluation_seconds_ = 0;
};

}  // namespace

const char* name_of(method which) {
  switch (which) {
    case method::full:
      return "full";
    case method::uniform:
      return "uniform";
    case method::rarity:
      return "rarity";
    case method::rarity_log_odds:
      return "rarity+log_odds";
    case method::with_loss:
      return "with_loss";
  }
  return "";
}

struct trial_runner::stream {
  fr::detail::values_description<example> examples;
};

trial_runner::trial_runner(const dataset& data) : data_(data) {
  std::vector<example> examples;
  for (std::uint32_t row = 0; row < data.train.size(); ++row) {
    examples.push_back({row, data.train.labels[row], data.times[row]});
  }
  stream_ = std::make_unique<const stream>(stream{fr::values(std::move(examples))});
}

trial_runner::~trial_runner() = default;

trial_result trial_runner::run(const trial_options& options) const {
  learner model(data_, options);
  const double begin = cpu_seconds();
  fr::pipeline p("trial");
  const auto examples = p.from("examples", stream_->examples) |
                        fr::event_time(&example::at, fr::bounded_disorder{fr::duration{0}});
  const auto into_model =
      fr::to("model", fr::callback([&model](const auto& row) { model.learn(row); }));
  const auto rare = fr::rarity(
      &example::label, {.rate = options.rate, .half_life = data_.half_life, .seed = options.seed});
  switch (options.what) {
    case method::full:
      examples | into_model;
      break;
    case method::uniform:
      examples | fr::sample("sample", fr::uniform{options.rate, options.seed}) | into_model;
      break;
    case method::rarity:
    case method::rarity_log_odds:
      examples | fr::sample("sample", rare) | into_model;
      break;
    case method::with_loss:
      examples | fr::sample("sample", rare.with_loss(model.feedback())) | into_model;
      break;
  }
  const absl::Status done = p.run();
  if (!done.ok()) throw std::runtime_error(std::string(done.message()));
  const double seconds = cpu_seconds() - begin - model.evaluation_seconds();
  trial_result result = model.finish();
  result.cpu_seconds = seconds;
  return result;
}

}  // namespace sampling_benchmark
