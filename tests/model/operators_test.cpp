// infer and learn on streams: what the models say of each record, however the log is run.
#include "pipeline/support.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/infer.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/learn.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/transform.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct click {
  std::string user;
  double hour = 0;
  std::optional<double> price;
  bool bought = false;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(click, (), (user, hour, price, bought, at))

using click_splits = std::vector<std::vector<click>>;

click_splits random_clicks(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  click_splits splits(2);
  for (std::size_t i = 0; i < count; ++i) {
    click each{"user " + std::to_string(random() % 40), normal(random), normal(random), false,
               tick(static_cast<std::int64_t>(i))};
    each.bought = normal(random) < each.hour - *each.price;
    if (random() % 50 == 0) each.price = std::nullopt;
    splits[random() % 2].push_back(each);
  }
  return splits;
}

const fr::mlp first_model = fr::linear_model({1.5F, -0.5F}, 0.25F, fr::output_link::logistic);
const fr::mlp second_model = fr::linear_model({1, 1}, 0, fr::output_link::logistic);

bool same_side(float a, float b) {
  return (a > 0.5F) == (b > 0.5F);
}

float score_of(const fr::mlp& model, const click& of) {
  float score = 0;
  const std::vector<float> row{static_cast<float>(of.hour),
                               of.price ? static_cast<float>(*of.price) : std::nanf("")};
  model.predict(row, std::span<float>(&score, 1));
  return score;
}

using outputs = std::map<std::string, rows_of_text>;

outputs run(const click_splits& log, std::size_t parallelism, std::size_t chunk,
            std::size_t max_batch, bool crashing) {
  std::map<std::string, kept_rows_handle> kept;
  for (const char* const name : {"scores", "shadowed", "split", "learned", "models"}) {
    kept[name] = keeper();
  }
  auto from = std::make_shared<script<click>>();
  from->splits = log;
  from->chunk_max = chunk;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::mt19937_64 random(chunk);
  for (int runs = 0;; ++runs) {
    const bool crashes = crashing && runs < 6;
    from->crash_after = crashes ? 20 + random() % 200 : std::numeric_limits<std::size_t>::max();
    fr::pipeline p("model");
    const auto to = [&](const char* name) { return fr::to(name, keep_rows_in(kept[name])); };
    const auto clicks = p.from("clicks", scripted<click>(from)) |
                        fr::event_time(&click::at, fr::bounded_disorder{});
    const auto first = fr::scoring(first_model, &click::hour, &click::price);
    const auto second = fr::scoring(second_model, &click::hour, &click::price);
    const fr::infer_options options{.max_batch = max_batch};
    clicks | fr::infer<float>(first, options) | to("scores");
    clicks | fr::infer<fr::shadowed>(fr::shadowing(first, second, same_side), options) |
        to("shadowed");
    clicks | fr::infer<fr::split_score>(fr::splitting(first, second, &click::user, 0.3), options) |
        to("split");
    const auto [rows, models] = clicks | fr::ordered("o") |
                                fr::learn("learn", {.holdout = 0.2, .publish_every = 100},
                                          &click::bought, &click::hour, &click::price);
    rows | to("learned");
    models | fr::map([](const fr::mlp& model) {
      return std::to_string(model.version) + " " + row_text(model.layers[0].weights[0]);
    }) | to("models");
    fr::run_options run_with;
    if (crashing) run_with = committing_to(commits);
    run_with.parallelism = parallelism;
    fr::run_summary summary;
    const absl::Status done = p.run(run_with, &summary);
    if (crashes && !done.ok()) continue;
    INFO(done.ToString());
    REQUIRE(done.ok());
    REQUIRE(summary.unpromised.empty());
    outputs all;
    for (const auto& [name, of] : kept) all[name] = sorted(of->rows);
    return all;
  }
}

/// The rows are those of plain learning in the order of event times, in which about a fifth is held
/// out: which ones, the rows tell.
void require_learned(const click_splits& log, const rows_of_text& rows) {
  std::vector<click> all;
  for (const auto& split : log) all.insert(all.end(), split.begin(), split.end());
  std::sort(all.begin(), all.end(), [](const click& a, const click& b) { return a.at < b.at; });
  const fr::online_options how{.holdout = 0.2};
  fr::online_linear model;
  std::size_t held = 0;
  for (const click& each : all) {
    const std::vector<double> row{each.hour, each.price.value_or(std::nan(""))};
    const auto learn = [&](double draw) {
      fr::online_linear after = model;
      const auto found = fr::learn_one(how, after, row, each.bought ? 1 : 0, draw);
      const fr::learned<click> wanted{each,           found.prediction, found.loss, after.mean_loss,
                                      found.held_out, found.reset};
      if (!std::binary_search(rows.begin(), rows.end(), row_text(wanted, each.at))) return false;
      model = after;
      return true;
    };
    const bool is_held = learn(0);
    REQUIRE((is_held || learn(1)));
    if (is_held) ++held;
  }
  REQUIRE(rows.size() == all.size());
  REQUIRE(held > 80);
  REQUIRE(held < 160);
}

}  // namespace

TEST_CASE("models score each record by itself, and learning depends on the log alone",
          "[model][operators]") {
  const click_splits log = random_clicks(1, 600);
  outputs wanted;
  for (const auto& split : log) {
    for (const click& each : split) {
      const float a = score_of(first_model, each);
      const float b = score_of(second_model, each);
      wanted["scores"].push_back(row_text(fr::inferred<click, float>{each, a}, each.at));
      wanted["shadowed"].push_back(
          row_text(fr::inferred<click, fr::shadowed>{each, {a, b, same_side(a, b)}}, each.at));
    }
  }
  for (auto& [name, rows] : wanted) rows = sorted(rows);
  const outputs plain = run(log, 1, 256, 1024, false);
  for (const auto& [name, rows] : wanted) {
    INFO(name);
    REQUIRE(plain.at(name) == rows);
  }
  require_learned(log, plain.at("learned"));
  REQUIRE(plain.at("models").size() == 6);
  for (const std::size_t parallelism : {1U, 3U}) {
    for (const bool crashing : {false, true}) {
      CAPTURE(parallelism, crashing);
      const outputs other = run(log, parallelism, 11, 7, crashing);
      for (const auto& [name, rows] : plain) {
        INFO(name);
        REQUIRE(other.at(name) == rows);
      }
    }
  }
}

TEST_CASE("a key stays with its model, and the share of keys is as asked", "[model][operators]") {
  auto split = fr::splitting([](auto, std::span<float> out) { out[0] = 1; },
                             [](auto, std::span<float> out) { out[0] = 2; }, &click::user, 0.3);
  std::vector<click> clicks(4000);
  for (std::size_t i = 0; i < clicks.size(); ++i) clicks[i].user = std::to_string(i % 2000);
  std::vector<fr::split_score> answers(clicks.size());
  split(std::span<const click>(clicks), std::span<fr::split_score>(answers));
  std::size_t seconds = 0;
  for (std::size_t i = 0; i < 2000; ++i) {
    REQUIRE(answers[i].second == answers[i + 2000].second);
    REQUIRE(answers[i].score == (answers[i].second ? 2.0F : 1.0F));
    if (answers[i].second) ++seconds;
  }
  // Four deviations of the binomial are 82; the hash is fixed.
  CHECK(seconds > 518);
  CHECK(seconds < 682);
}

TEST_CASE("models that do not fit are refused while composing", "[model][operators]") {
  CHECK(refusal_of([] { (void)fr::scoring(first_model, &click::hour); }) ==
        "scoring: the model has 2 inputs and 1 outputs, wanted one output and 1 inputs, one for "
        "each feature");
  CHECK(refusal_of([] { (void)fr::scoring(fr::mlp{}, &click::hour); }) ==
        "scoring: the model has no layers; give it at least one");
  const auto nothing = [](std::span<const click>, std::span<float>) {};
  CHECK(refusal_of([&] { (void)fr::infer<float>(nothing, {.max_batch = 0}); }) ==
        "infer: max_batch 0 is not positive; give .max_batch such as 256");
  CHECK(!refusal_of([&] { (void)fr::splitting(nothing, nothing, &click::user, 1.5); }).empty());
}
