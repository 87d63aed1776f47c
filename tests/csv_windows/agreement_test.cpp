// csv_windows against the evaluator, row for row, on seeded random files and on real data.
#include "csv_windows/comparison.hpp"
#include "csv_windows/evaluator.hpp"
#include "csv_windows/random_logs.hpp"
#include "csv_windows/real_logs.hpp"
#include "csv_windows/support.hpp"

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace csv_windows_test;

namespace {

constexpr std::int64_t minute = 60'000'000;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

/// Runs csv_windows over `texts`, each stored as a file compressed by `kind`, and requires that all
/// its outputs agree with the evaluation. LATE.csv is asked for only with `late`.
evaluation require_agreement(const std::vector<std::string>& texts, const columns_wanted& columns,
                             const window_definition& windows, bool late = true,
                             const std::string& kind = "") {
  const scratch_folder folder(medium::memory);
  arguments given = column_options(columns) + window_options(windows);
  std::vector<std::string> inputs;
  for (const std::string& text : texts) {
    const std::string name = "input" + std::to_string(inputs.size()) + ".csv" + kind;
    inputs.push_back(folder.file(name, kind.empty() ? text : compressed(text, kind)));
    given = given + arguments{"--input", inputs.back()};
  }
  given = given + arguments{"--out", folder / "out.csv", "--dead", folder / "dead.csv"};
  if (late) given = given + arguments{"--late", folder / "late.csv"};
  const std::string summary = run_successfully(given);

  const evaluation wanted = evaluate(texts, columns, windows);
  CHECK(window_differences(content(folder / "out.csv"), wanted) == "");
  CHECK(dead_differences(content(folder / "dead.csv"), inputs, wanted) == "");
  CHECK(summary_differences(summary, wanted) == "");
  if (late) {
    const std::string header = parse_csv(texts.at(0)).at(0).text;
    CHECK(late_differences(content(folder / "late.csv"), header, wanted) == "");
  }
  return wanted;
}

/// Runs one case of the random ones; every failure names the seed that draws it again.
evaluation require_agreement_of_case(std::uint64_t seed) {
  const random_case drawn = draw_case(seed);
  CAPTURE(seed, window_options(drawn.windows));
  return require_agreement(drawn.texts, drawn.columns, drawn.windows, drawn.one_header);
}

}  // namespace

TEST_CASE("the comparison finds windows that are missing, unwanted, twice, or wrong",
          "[csv_windows]") {
  const std::string header = "key,window_start,window_end,count,sum,min,max,mean\n";
  const std::string right = "a,0,10,2,3,1,2,1.5\n";
  const evaluation wanted =
      evaluate({"at,key,value\n1,a,1\n9,a,2\n"}, {"at", "key", "value", time_text::epoch_us},
               {.size = 10, .slide = 10});
  CHECK(window_differences(header + right, wanted) == "");
  CHECK(says(window_differences(header, wanted), "missing: key 'a' [0, 10)"));
  CHECK(says(window_differences(header + right + right, wanted), "twice: a,0,10"));
  CHECK(says(window_differences(header + right + "a,10,20,1,1,1,1,1\n", wanted), "unwanted: a,10"));
  CHECK(says(window_differences(header + "a,0,10,2,3.0000001,1,2,1.5\n", wanted), "found count 2"));
  CHECK(says(window_differences(header + "a,0,10,1,3,1,2,1.5\n", wanted), "found count 1"));
  CHECK(says(window_differences(right, wanted), "header"));
}

TEST_CASE("csv_windows agrees with the evaluator on 150 random cases", "[csv_windows]") {
  std::size_t windows = 0;
  std::size_t late = 0;
  std::size_t dead = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const evaluation wanted = require_agreement_of_case(seed);
    windows += wanted.windows.size();
    late += wanted.late.size();
    dead += wanted.dead.size();
  }
  // Else the cases are too easy to prove anything.
  CHECK(windows > 20'000);
  CHECK(late > 500);
  CHECK(dead > 1'000);
}

TEST_CASE("csv_windows agrees with the evaluator on 5,000 random cases", "[.][long]") {
  for (std::uint64_t seed = 1'001; seed <= 6'000; ++seed) require_agreement_of_case(seed);
}

TEST_CASE("csv_windows reads compressed files like plain ones", "[csv_windows]") {
  for (const std::string kind : {".gz", ".xz"}) {
    CAPTURE(kind);
    const random_case drawn = draw_case(1);
    require_agreement(drawn.texts, drawn.columns, drawn.windows, drawn.one_header, kind);
  }
}

TEST_CASE("csv_windows writes the same bytes in every run, whatever the time between checkpoints",
          "[csv_windows]") {
  const scratch_folder folder(medium::memory);
  const arguments asked =
      column_options({"at", "key", "value", time_text::epoch_ms}) +
      arguments{"--input", folder.file("a.csv", large_log(1, 30'000)),
                folder.file("b.csv", large_log(2, 20'000))} +
      arguments{"--window", "session:4s", "--max-disorder", "2s", "--lateness", "2s"};
  const auto outputs_of = [&](const std::string& name, const arguments& more) {
    const std::string out = folder / (name + "_out");
    const std::string late = folder / (name + "_late");
    const std::string dead = folder / (name + "_dead");
    run_successfully(asked + arguments{"--out", out, "--late", late, "--dead", dead} + more);
    return std::vector<std::string>{content(out), content(late), content(dead)};
  };
  const std::vector<std::string> first = outputs_of("first", {});
  CHECK(outputs_of("second", {}) == first);
  for (const std::string every : {"1ms", "7ms", "1h"}) {
    CAPTURE(every);
    CHECK(outputs_of(every, {"--checkpoint", folder / ("state" + every), "--every", every}) ==
          first);
  }
}

TEST_CASE("csv_windows agrees with the evaluator on a year of flights",
          "[csv_windows][data][slow]") {
  const std::optional<std::string> flights = flights_csv();
  if (!flights) return skip_without("hflights.csv.xz");
  columns_wanted columns{"at", "carrier", "delay", time_text::iso};
  const window_definition daily{
      .size = day, .slide = day, .offset = 6 * hour, .disorder = 2 * day, .lateness = 3 * day};
  const window_definition rolling{
      .size = 3 * hour, .slide = 20 * minute, .disorder = 31 * day, .lateness = hour};
  const window_definition visits{
      .sessions = true, .size = 5 * hour, .disorder = 12 * hour, .lateness = 2 * day};
  const evaluation wanted = require_agreement({*flights}, columns, daily);
  CHECK(wanted.records == 227'496);
  CHECK(wanted.late.size() > 1'000);
  CHECK(wanted.dead.size() > 1'000);
  require_agreement({*flights}, columns, rolling, true, ".gz");
  columns.key = "tail";
  require_agreement({*flights}, columns, visits, true, ".xz");
}

TEST_CASE("csv_windows agrees with the evaluator on a web server's log", "[csv_windows][data]") {
  const std::optional<std::string> requests = requests_csv();
  if (!requests) return skip_without("apache_access_10k.log.gz");
  const columns_wanted columns{"at", "host", "bytes", time_text::epoch_s};
  const window_definition tumbling{
      .size = 10 * minute, .slide = 10 * minute, .disorder = minute / 6};
  const window_definition sliding{
      .size = hour, .slide = 7 * minute, .disorder = minute / 2, .lateness = 10 * minute};
  const window_definition sessions{
      .sessions = true, .size = 30 * minute, .disorder = minute / 4, .lateness = minute};
  CHECK(require_agreement({*requests}, columns, tumbling).records > 9'900);
  require_agreement({*requests}, columns, sliding);
  require_agreement({*requests}, columns, sessions);
}
