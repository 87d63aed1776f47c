#include "catch.hpp"
#include "suite/support.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

using namespace suite;
using suite::test::made_up;

namespace {

/// The message with which `text` is refused.
std::string refusal(const std::string& text) {
  try {
    from_json(text);
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("results come back from JSON as they were", "[suite][results]") {
  const results all = made_up();
  CHECK(from_json(to_json(all)) == all);
  CHECK(from_json(to_json({})) == results{});
}

TEST_CASE("broken JSON is refused with what is wrong", "[suite][results]") {
  const std::string good = to_json(made_up());
  CHECK(says(refusal(""), "no JSON"));
  CHECK(says(refusal("[]"), "found no object"));
  CHECK(says(refusal("{}"), "'format' is absent"));
  CHECK(says(refusal(replaced(good, "\"format\": 1", "\"format\": 2")), "wanted 1"));
  CHECK(says(refusal(replaced(good, "\"ours\"", "\"theirs\"")), "'ours' is absent"));
  CHECK(says(refusal(replaced(good, "\"cores\":2", "\"cores\":-2")), "'cores' is out of range"));
  CHECK(says(refusal(replaced(good, "\"cores\":2", "\"cores\":\"2\"")), "'cores' is no finite"));
  CHECK(says(refusal(replaced(good, "\"quick\":false", "\"quick\":0")), "neither true nor false"));
  CHECK(says(refusal(replaced(good, "\"tumbling, more keys\"", "\"tumbling\"")), "is there twice"));
  // A row without an error has figures.
  CHECK(says(refusal(replaced(good, "\"error\":\"the results \\\"disagree\\\"\\nin a line\"",
                              "\"error\":\"\"")),
             "row 'kernels: wrong': 'ours' is empty"));
}

TEST_CASE("every shortened file is refused", "[suite][results]") {
  const std::string good = to_json(made_up());
  for (std::size_t length = 0; length + 2 < good.size(); length += 7) {
    CHECK(!refusal(good.substr(0, length)).empty());
  }
}

TEST_CASE("a file that is not there is named", "[suite][results]") {
  CHECK_THROWS_WITH(load("/nowhere/results.json"), "'/nowhere/results.json': cannot be read");
  CHECK_THROWS_WITH(save("/nowhere/results.json", ""),
                    "'/nowhere/results.json': cannot be written");
}

TEST_CASE("a verdict follows from the median and the target", "[suite][results]") {
  row one = test::row_named("a", {1, 2, 9}, {}, {0.5, 0.6, 7});
  CHECK(verdict_of(one) == verdict::no_target);
  one.target = bound{false, true, 2};
  CHECK(verdict_of(one) == verdict::met);
  one.target = bound{false, true, 1.99};
  CHECK(verdict_of(one) == verdict::missed);
  one.target = bound{true, false, 0.6};
  CHECK(verdict_of(one) == verdict::met);
  one.target = bound{true, false, 0.61};
  CHECK(verdict_of(one) == verdict::missed);
  one.ratio.clear();  // Nothing that could meet it.
  CHECK(verdict_of(one) == verdict::missed);
  one.error = "disagrees";
  CHECK(verdict_of(one) == verdict::failed);
}

TEST_CASE("medians and figures of odd values", "[suite][results]") {
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
  CHECK(std::isnan(median({})));
  CHECK(figure(0) == "0");
  CHECK(figure(1.234) == "1.23");
  CHECK(figure(9.999) == "10.0");
  CHECK(figure(99.96) == "100");
  CHECK(figure(-1234567.4) == "-1,234,567");
  CHECK(figure(1e-5) == "1.00e-05");
  CHECK(figure(NAN) == "");
  CHECK(figure(INFINITY) == "");
}
