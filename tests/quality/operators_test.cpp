// The operators that watch numbers: what comes out is what the plain values say of each key's
// records in order, however the log is cut, spread and interrupted.
#include "pipeline/support.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/expect.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/quality.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/quality/check.hpp>

#include <map>
#include <random>
#include <tuple>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct reading {
  std::string sensor;
  std::optional<double> value;
  double other = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(reading, (), (sensor, value, other, at))

using reading_splits = std::vector<std::vector<reading>>;

/// Two splits of three sensors whose level changes midway, with spikes, gaps and NaNs.
reading_splits random_readings(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  reading_splits splits(2);
  for (std::size_t i = 0; i < count; ++i) {
    // No two at one time, up to 120 ticks out of order.
    const auto at = static_cast<std::int64_t>(4 * (10 * i + random() % 30) + i % 4);
    reading each{{static_cast<char>('a' + random() % 3)}, normal(random), normal(random), tick(at)};
    if (i > count / 2) *each.value += 4;
    if (random() % 40 == 0) each.other *= 1000;
    if (random() % 50 == 0) each.value = std::nullopt;
    if (random() % 60 == 0) each.other = std::numeric_limits<double>::quiet_NaN();
    splits[random() % 2].push_back(std::move(each));
  }
  return splits;
}

const fr::adwin adwin_used{.delta = 0.01, .check_every = 4};
const fr::ewma_zscore ewma_used{.half_life = 50,
                                .alarm = {.threshold = 3, .warm_up = 20, .hold = 2}};
const fr::scaling_options scaling_used{.half_life = 100, .limit = 4, .warm_up = 10};

constexpr const char* output_names[] = {"drifts",   "all drifts", "scores", "clean",
                                        "outliers", "standard",   "passed", "refused"};
using outputs = std::map<std::string, rows_of_text>;

outputs run(const reading_splits& log, std::size_t parallelism, std::size_t chunk,
            bool crashing = false) {
  std::map<std::string, kept_rows_handle> kept;
  for (const char* const name : output_names) kept[name] = keeper();
  auto from = std::make_shared<script<reading>>();
  from->splits = log;
  from->chunk_max = chunk;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::mt19937_64 random(chunk);
  for (int runs = 0;; ++runs) {
    const bool crashes = crashing && runs < 8;
    from->crash_after = crashes ? 20 + random() % 200 : std::numeric_limits<std::size_t>::max();
    fr::pipeline p("quality");
    const auto to = [&](const char* name) { return fr::to(name, keep_rows_in(kept[name])); };
    const auto readings = p.from("readings", scripted<reading>(from)) |
                          fr::event_time(&reading::at, fr::bounded_disorder{fr::duration{120}}) |
                          fr::ordered("o");
    const auto sensors = readings | fr::key_by(&reading::sensor);
    sensors | fr::detect_drift("drift", adwin_used, &reading::value) | to("drifts");
    readings | fr::detect_drift("all", adwin_used, &reading::value) | to("all drifts");
    sensors | fr::detect_anomalies("odd", ewma_used, &reading::value) | to("scores");
    const auto [clean, outliers] =
        sensors | fr::clip_outliers("clip", scaling_used, &reading::value, &reading::other);
    clean | to("clean");
    outliers | to("outliers");
    sensors | fr::standardize("scale", scaling_used, &reading::other) | to("standard");
    const auto passed = readings | fr::expect(&reading::value, fr::check::between(-2, 6.5)) |
                        fr::expect(&reading::value, fr::check::not_null());
    passed | to("passed");
    passed.dead() | to("refused");
    fr::run_options options;
    if (crashing) options = committing_to(commits);
    options.parallelism = parallelism;
    fr::run_summary summary;
    const absl::Status done = p.run(options, &summary);
    if (crashes && !done.ok()) continue;
    INFO(done.ToString());
    REQUIRE(done.ok());
    REQUIRE(summary.unpromised.empty());
    outputs all;
    for (const auto& [name, rows] : kept) all[name] = sorted(rows->rows);
    return all;
  }
}

/// What the plain values say.
outputs wanted_of(const reading_splits& log) {
  std::vector<reading> all;
  for (const auto& split : log) all.insert(all.end(), split.begin(), split.end());
  std::stable_sort(all.begin(), all.end(),
                   [](const reading& a, const reading& b) { return a.at < b.at; });
  outputs rows;
  std::map<std::string, std::tuple<fr::adwin::state, fr::ewma_zscore::state, fr::feature_scale,
                                   fr::feature_scale, fr::feature_scale>>
      known;
  fr::adwin::state together;
  const auto text = [&](const auto& row, const reading& of) { return row_text(row, of.at); };
  for (const reading& each : all) {
    auto& [drift, odd, first, second, standard] = known[each.sensor];
    const double value = each.value.value_or(std::nan(""));
    if (const auto found = adwin_used.add(drift, value)) {
      rows["drifts"].push_back(
          text(fr::drift_row<std::string>{each.sensor, found->before, found->after,
                                          found->statistic, found->bound},
               each));
    }
    if (const auto found = adwin_used.add(together, value)) {
      rows["all drifts"].push_back(
          text(fr::drift_row<int>{0, found->before, found->after, found->statistic, found->bound},
               each));
    }
    const fr::judged score = ewma_used.add(odd, value);
    rows["scores"].push_back(
        text(fr::scored<reading>{each, score.score, score.flagged, score.expected, score.deviation},
             each));
    reading clean = each;
    const auto clip = [&](const char* field, double number, fr::feature_scale& of, auto& into,
                          bool there) {
      const fr::scaled_value found = fr::scale(scaling_used, of, number);
      if (!found.outlier || !there) return;
      into = found.clipped;
      rows["outliers"].push_back(text(
          fr::clipped_number{field, number, found.clipped, found.expected, found.deviation}, each));
    };
    clip("value", value, first, clean.value, each.value.has_value());
    clip("other", each.other, second, clean.other, true);
    rows["clean"].push_back(text(clean, each));
    reading scaled = each;
    scaled.other = fr::scale(scaling_used, standard, each.other).standard;
    rows["standard"].push_back(text(scaled, each));
    if (each.value && *each.value >= -2 && *each.value <= 6.5) {
      rows["passed"].push_back(text(each, each));
    }
  }
  for (auto& [name, of] : rows) of = sorted(of);
  return rows;
}

void require_same(const outputs& found, const outputs& wanted) {
  for (const auto& [name, rows] : wanted) {
    INFO(name);
    REQUIRE(!rows.empty());
    REQUIRE(found.at(name).size() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(found.at(name)[i] == rows[i]);
  }
}

}  // namespace

TEST_CASE("operators say of each key what the plain values say, however the log is run",
          "[quality][operators]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    const reading_splits log = random_readings(seed, 1200);
    const outputs wanted = wanted_of(log);
    require_same(run(log, 1, 256), wanted);
    for (const std::size_t parallelism : {1U, 3U}) {
      CAPTURE(parallelism);
      require_same(run(log, parallelism, 17), wanted);
      require_same(run(log, parallelism, 9, true), wanted);
    }
  }
}

TEST_CASE("a record that is not as expected is a dead letter that names field, value and bound",
          "[quality][operators]") {
  const reading_splits log = {{{"a", -3, 0, tick(1)},
                               {"b", std::nullopt, 0, tick(2)},
                               {"c", 1, 0, tick(3)},
                               {"d", std::nan(""), 0, tick(4)}}};
  fr::pipeline p("expect");
  const auto refused = keeper();
  const auto missing = keeper();
  const auto passed = keeper();
  const auto in_range = p.from("readings", scripted<reading>(log)) |
                        fr::expect(&reading::value, fr::check::between(0, 1e6));
  const auto present = in_range | fr::expect(&reading::value, fr::check::not_null());
  in_range.dead() | fr::to("refused", keep_rows_in(refused));
  present.dead() | fr::to("missing", keep_rows_in(missing));
  present | fr::to("passed", keep_rows_in(passed));
  const fr::run_summary summary = run_to_end(p);
  const std::string range = "expect 'value between 0 and 1000000'";
  CHECK(refused->rows == rows_of_text{range + "||0|0|value is -3, wanted between 0 and 1000000|",
                                      range + "||3|0|value is nan, wanted between 0 and 1000000|"});
  CHECK(missing->rows ==
        rows_of_text{"expect 'value a value'||1|0|value is null, wanted a value|"});
  CHECK(passed->rows.size() == 1);
  std::map<std::string, std::uint64_t> dead;
  for (const auto& each : summary.metrics.operators) dead[each.place] = each.dead;
  CHECK(dead[range] == 2);
  CHECK(dead["expect 'value a value'"] == 1);
}

TEST_CASE("operators refuse options that cannot be meant, and checks that nothing passes",
          "[quality][operators]") {
  fr::pipeline p("refused");
  const auto readings = p.from("readings", scripted<reading>(reading_splits{{}}));
  const auto refusal = [&](const auto& add) { return refusal_of([&] { readings | add; }); };
  CHECK(refusal(fr::detect_drift("d", fr::adwin{.delta = 2}, &reading::other)) ==
        "detect_drift 'd': delta 2 is not in (0, 1); give .delta a chance such as 0.002");
  CHECK(refusal(fr::clip_outliers("c", {.limit = 0}, &reading::other)) ==
        "clip_outliers 'c': limit 0 is not positive; give .limit a number of deviations such as 8");
  CHECK(refusal(fr::expect(&reading::other, fr::check::between(2, 1))) ==
        "expect 'other': nothing is between 2 and 1; give the smaller bound first");
  CHECK(refusal(fr::expect(&reading::sensor, fr::check::one_of(std::vector<std::string>{}))) ==
        "expect 'sensor': nothing is one of no values; give at least one");
}
