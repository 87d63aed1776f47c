#include "catch.hpp"
#include "suite/support.hpp"

#include <suite/compare.hpp>

#include <random>
#include <string>

using namespace suite;
using suite::test::made_up;
using suite::test::row_named;

namespace {

results with(row of) {
  results all;
  all.of.cpu = "same";
  all.rows.push_back(std::move(of));
  return all;
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a change is told from noise by repetitions, spread and size", "[suite][compare]") {
  const samples before{10, 10.1, 9.9, 10.05};
  CHECK(judge(before, {12, 12.1, 11.9}, false) == change::worse);
  CHECK(judge(before, {12, 12.1, 11.9}, true) == change::better);
  CHECK(judge(before, {8, 8.1, 7.9}, false) == change::better);
  CHECK(judge(before, {8, 8.1, 7.9}, true) == change::worse);
  // One repetition lies among those of the other run.
  CHECK(judge(before, {12, 12.1, 10}, false) == change::none);
  // All of them are above, but they are far apart themselves.
  CHECK(judge(before, {10.2, 11, 14}, false) == change::none);
  // Nothing moves, and it is a little more than before: less than 2 %.
  CHECK(judge({10, 10, 10}, {10.19, 10.19, 10.19}, false) == change::none);
  CHECK(judge({10, 10, 10}, {10.3, 10.3, 10.3}, false) == change::worse);
  CHECK(judge(before, before, false) == change::none);
}

TEST_CASE("fewer than three repetitions say nothing", "[suite][compare]") {
  CHECK(judge({1, 1}, {9, 9, 9}, false) == change::unknown);
  CHECK(judge({1, 1, 1}, {9, 9}, false) == change::unknown);
  CHECK(judge({}, {}, false) == change::unknown);
}

TEST_CASE("zeros and figures below zero can be compared", "[suite][compare]") {
  CHECK(judge({0, 0, 0}, {0, 0, 0}, false) == change::none);
  CHECK(judge({0, 0, 0}, {1, 1, 1}, false) == change::worse);
  CHECK(judge({1, 1, 1}, {0, 0, 0}, false) == change::better);
  CHECK(judge({-2, -2, -2}, {-1, -1, -1}, false) == change::worse);
  const comparison found =
      compare(with(row_named("zero", {0, 0, 0})), with(row_named("zero", {1, 1, 1})));
  CHECK(found.worse == 1);
  CHECK(says(found.text, "from 0"));
}

TEST_CASE("noise alone is rarely taken for a change", "[suite][compare]") {
  // Five repetitions each of one Gaussian: all on one side happens once in 126 times; with the
  // spread, less often. 400 pairs: 12 or more by chance once in 10^4 times.
  std::mt19937_64 random(7);
  std::normal_distribution<double> noisy(100, 5);
  const auto draw = [&] {
    samples made(5);
    for (double& each : made) each = noisy(random);
    return made;
  };
  int changes = 0;
  for (int i = 0; i < 400; ++i) {
    const samples before = draw();
    changes += judge(before, draw(), false) == change::none ? 0 : 1;
  }
  CHECK(changes < 12);
}

TEST_CASE("ratios are compared where both runs have them", "[suite][compare]") {
  // The machine has become slower, for the loop as for us.
  const row before = row_named("tumbling", {2, 2, 2}, {3, 3, 3}, {0.67, 0.67, 0.67});
  const row after = row_named("tumbling", {4, 4, 4}, {6, 6, 6}, {0.67, 0.67, 0.67});
  CHECK(compare(with(before), with(after)).same == 1);
  const row without = row_named("tumbling", {4, 4, 4});
  CHECK(compare(with(before), with(without)).worse == 1);
}

TEST_CASE("rows of one run only, and failed ones, are named", "[suite][compare]") {
  row failed = row_named("a", {});
  failed.error = "the results disagree";
  results before = with(row_named("a", {1, 1, 1}));
  before.rows.push_back(row_named("old", {1, 1, 1}));
  results after = with(failed);
  after.rows.push_back(row_named("new", {1, 1, 1}));
  const comparison found = compare(before, after);
  CHECK(found.failed == 1);
  CHECK(found.missing == 2);
  CHECK(found.same == 0);
  CHECK(says(found.text, "kernels: old"));
  CHECK(says(found.text, "is gone"));
  CHECK(says(found.text, "kernels: new"));
  CHECK(says(found.text, "failed: the results disagree"));
  CHECK(compare(after, before).unknown == 1);  // It had failed before.
}

TEST_CASE("another machine and a quick run are said", "[suite][compare]") {
  results other = made_up();
  other.of.cpu = "another";
  other.of.quick = true;
  const std::string text = compare(made_up(), other).text;
  CHECK(says(text, "different machines"));
  CHECK(says(text, "quick"));
  CHECK(!says(compare(made_up(), made_up()).text, "different machines"));
}
