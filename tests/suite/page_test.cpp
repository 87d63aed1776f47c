#include "catch.hpp"
#include "suite/support.hpp"

#include <suite/chart.hpp>
#include <suite/page.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

using namespace suite;
using suite::test::made_up;

namespace {

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& words) {
  std::size_t found = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++found;
  return found;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string documentation() {
  const char* const root = std::getenv("FRESHET_SOURCE_DIR");
  REQUIRE(root != nullptr);
  return std::string(root) + "/docs/explanation/";
}

}  // namespace

TEST_CASE("the page of measurements is what its results give", "[suite][page]") {
  // Who runs the benchmarks anew writes the page with ./run bench --page, not by hand.
  const page made = to_page(load(documentation() + "measurements/results.json"));
  CHECK(content(documentation() + "measurements.md") == made.markdown);
  CHECK(made.markdown.starts_with(page_marker));
  CHECK(!made.charts.empty());
  for (const auto& [path, svg] : made.charts) CHECK(content(documentation() + path) == svg);
}

TEST_CASE("tables hold every row, and what was missed or failed", "[suite][page]") {
  const std::string markdown = to_page(made_up()).markdown;
  const std::string text = to_text(made_up());
  for (const row& each : made_up().rows) {
    CHECK(says(markdown, "| " + each.name + " |"));
    CHECK(says(text, "  " + each.name + " "));
  }
  CHECK(count(markdown, "**missed**") == 1);
  CHECK(says(markdown, "Of 2 rows with a target, 1 meet it and 1 miss it; 1 rows failed."));
  CHECK(says(text, "4 rows: 1 met their target, 1 missed it, 1 failed"));
  CHECK(says(markdown, "A \\| processor"));                     // The table keeps its columns.
  CHECK(says(markdown, "the results \"disagree\" in a line"));  // And its lines.
  CHECK(says(markdown, "its best engine"));
}

TEST_CASE("a page of nothing is a page", "[suite][page]") {
  const page made = to_page({});
  CHECK(made.markdown.starts_with(page_marker));
  CHECK(made.charts.empty());
}

TEST_CASE("rows come into the chart that they name", "[suite][chart]") {
  const chart made = chart_of(made_up(), chart_styles().front());
  REQUIRE(made.xs == std::vector<std::string>{"100", "10k"});
  REQUIRE(made.all.size() == 2);
  CHECK(made.all[0].name == "tumbling");
  CHECK(made.all[0].values == std::vector<double>{2.1, 20});
  CHECK(made.all[1].name == "tumbling, by hand");
  CHECK(made.all[1].values == std::vector<double>{3, 10});
}

TEST_CASE("a chart has a mark for each value that can be drawn", "[suite][chart]") {
  chart of{"a < b & c", "x", "y", {"1", "2", "3", "4"}, {}, look::lines, true};
  of.all.push_back({"with \"quotes\"", {1, 0, NAN, 1000}});  // No logarithm, and no value.
  CHECK(count(to_svg(of), "<circle") == 2);
  CHECK(count(to_svg(of), "<polyline") == 2);  // A gap stays one.
  of.logarithmic = false;
  CHECK(count(to_svg(of), "<circle") == 3);
  of.how = look::bars;
  of.all.push_back({"below zero", {-5}});
  const std::string svg = to_svg(of);
  CHECK(count(svg, "<rect x") == 4 + 2);  // With those of the legend.
  CHECK(says(svg, "a &lt; b &amp; c"));
  CHECK(!says(svg, "nan"));
  CHECK(!says(svg, "inf"));
  CHECK(!says(svg, "height=\"-"));
}

TEST_CASE("charts of nothing and of one value can be drawn", "[suite][chart]") {
  for (const bool logarithmic : {false, true}) {
    for (const look how : {look::lines, look::bars}) {
      CHECK(says(to_svg({"t", "x", "y", {}, {}, how, logarithmic}), "</svg>"));
      const std::string svg = to_svg({"t", "x", "y", {"1"}, {{"a", {0}}}, how, logarithmic});
      CHECK(says(svg, "</svg>"));
      CHECK(!says(svg, "nan"));
      CHECK(!says(svg, "inf"));
    }
  }
}
