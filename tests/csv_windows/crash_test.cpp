// Real processes, really killed: whenever csv_windows dies and is started again, its outputs end up
// byte for byte as if nothing had happened, and none is published before it is complete.
//
// Moments are drawn from a `moment_range`, which follows what the kills before them have hit, so
// that they land in running processes on fast machines and on slow ones; those that land are
// counted.
#include "csv_windows/random_logs.hpp"
#include "csv_windows/real_logs.hpp"
#include "csv_windows/support.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace csv_windows_test;
using std::chrono::milliseconds;

namespace {

constexpr const char* fresh_start_words = "nothing is committed in";
constexpr const char* nothing_to_do_words = "finished before; nothing to do";

/// One question to csv_windows that is asked again and again, with the answer it must give.
class killing {
 public:
  /// Runs `asked`, with the inputs `texts`, to its end once without checkpoints and once with them.
  /// What a killed process has written outlives it in memory as on a disk, and memory lets it do
  /// more between two kills.
  killing(std::uint64_t seed, arguments asked, const std::vector<std::string>& texts,
          medium where = medium::memory, const std::string& kind = "")
      : where_(where), inputs_(where), random_(seed), asked_(std::move(asked)) {
    for (const std::string& text : texts) {
      const std::string name = "input" + std::to_string(asked_.size()) + ".csv" + kind;
      const std::string path = inputs_.file(name, kind.empty() ? text : compressed(text, kind));
      asked_ = asked_ + arguments{"--input", path};
    }
    const scratch_folder plain(where_);
    run_successfully(asked_ + outputs_in(plain));
    for (const std::string& name : names()) wanted_[name] = content(plain / name);

    const scratch_folder whole(where_);
    const auto start = std::chrono::steady_clock::now();
    run_successfully(resumable_in(whole));
    moments_.start_with(std::chrono::steady_clock::now() - start);
    require_finished(whole);
  }

  /// Kills chains of runs at random moments until `wanted` kills have landed between the first
  /// commit of a job and its last; then lets each chain finish.
  void kill_at_random(int wanted) {
    CAPTURE(wanted);
    int landed = 0;
    int chains = 0;
    for (; landed < wanted && chains < patience * wanted; ++chains) {
      const scratch_folder folder(where_);
      for (int kills = 0; kills < kills_in_a_chain; ++kills) {
        running_program program(resumable_in(folder), folder / "errors");
        const bool from_first_commit = random_() % 4 != 0;
        if (from_first_commit) program.ended_or([&] { return has_commits(folder / "state"); });
        program.ended_within(moments_.draw(random_));
        const ending how = program.kill();
        moments_.learn(how.killed, has_commits(folder / "state"));
        if (!how.killed) {
          require_success(how);
          break;
        }
        require_nothing_half_published(folder);
        landed += has_commits(folder / "state") && !exists(folder / "out.csv") ? 1 : 0;
      }
      finish(folder);
    }
    CAPTURE(chains);
    CHECK(landed >= wanted);
  }

  /// Kills runs between their first sign of life and their first commit, until `wanted` have died,
  /// some of them before it.
  void kill_early(int wanted) {
    CAPTURE(wanted);
    int landed = 0;
    int fresh = 0;
    for (int round = 0; (landed < wanted || fresh == 0) && round < patience * wanted; ++round) {
      const scratch_folder folder(where_);
      running_program program(resumable_in(folder), folder / "errors");
      program.ended_or([&] { return exists(folder / "state"); });
      program.ended_within(moments_.draw(random_));
      const bool killed = program.kill().killed;
      moments_.learn(killed && !has_commits(folder / "state"), true);
      landed += killed ? 1 : 0;
      require_nothing_half_published(folder);
      fresh += has_commits(folder / "state") ? 0 : 1;
      finish(folder);
    }
    CAPTURE(landed, fresh);
    CHECK(landed >= wanted);
    CHECK(fresh > 0);  // Else no kill came before the first commit.
  }

  /// Kills runs as soon as one of their outputs is published, until `wanted` have died.
  void kill_while_publishing(int wanted) {
    CAPTURE(wanted);
    int landed = 0;
    for (int round = 0; landed < wanted && round < patience * wanted; ++round) {
      const scratch_folder folder(where_);
      running_program program(resumable_in(folder), folder / "errors");
      program.ended_or([&] {
        for (const std::string& name : names()) {
          if (exists(folder / name)) return true;
        }
        return false;
      });
      if (round % 4 == 1) program.ended_within(milliseconds(1));
      landed += program.kill().killed ? 1 : 0;
      require_nothing_half_published(folder);
      finish(folder);
    }
    CAPTURE(landed);
    CHECK(landed >= wanted);
  }

 private:
  static constexpr int kills_in_a_chain = 8;
  /// How many runs or chains are started at most for each kill that is to land.
  static constexpr int patience = 40;

  static const std::vector<std::string>& names() {
    static const std::vector<std::string> all = {"out.csv", "late.csv", "dead.csv"};
    return all;
  }

  arguments outputs_in(const scratch_folder& folder) const {
    return {"--out",  folder / "out.csv", "--late", folder / "late.csv",
            "--dead", folder / "dead.csv"};
  }

  arguments resumable_in(const scratch_folder& folder) const {
    return asked_ + outputs_in(folder) +
           arguments{"--checkpoint", folder / "state", "--every", "5ms", "--resume"};
  }

  static void require_success(const ending& how) {
    INFO(how.errors);
    REQUIRE(how.exit_code == 0);
  }

  /// An output is absent, or complete and no more in progress.
  void require_nothing_half_published(const scratch_folder& folder) const {
    for (const auto& [name, bytes] : wanted_) {
      CAPTURE(name);
      if (!exists(folder / name)) continue;
      REQUIRE_FALSE(exists(folder / (name + ".inprogress")));
      const bool complete = content(folder / name) == bytes;
      REQUIRE(complete);
    }
  }

  void require_finished(const scratch_folder& folder) const {
    for (const auto& [name, bytes] : wanted_) {
      CAPTURE(name);
      REQUIRE_FALSE(exists(folder / (name + ".inprogress")));
      const bool as_uninterrupted = content(folder / name) == bytes;
      REQUIRE(as_uninterrupted);
    }
  }

  /// Runs the job to its end, which goes on where there is a commit, and once more, when there is
  /// nothing to do.
  void finish(const scratch_folder& folder) const {
    const bool must_resume = has_commits(folder / "state");
    const std::string said = run_successfully(resumable_in(folder));
    INFO(said);
    if (must_resume) REQUIRE_FALSE(says(said, fresh_start_words));
    require_finished(folder);
    const std::string again = run_successfully(resumable_in(folder));
    INFO(again);
    REQUIRE(says(again, nothing_to_do_words));
    require_finished(folder);
  }

  medium where_;
  scratch_folder inputs_;
  std::mt19937_64 random_;
  arguments asked_;
  std::map<std::string, std::string> wanted_;
  moment_range moments_;
};

const arguments columns = {"--time", "at",  "--time-format", "epoch_ms",
                           "--key",  "key", "--value",       "value"};

const arguments tumbling = {"--window", "tumbling:1s", "--max-disorder", "2s", "--lateness", "3s"};
const arguments sliding = {"--window", "sliding:4s/1500ms", "--offset",
                           "300ms",    "--max-disorder",    "1s"};
const arguments sessions = {"--window", "session:700ms", "--max-disorder",
                            "2s",       "--lateness",    "1s"};

}  // namespace

TEST_CASE("a small csv_windows job gives the uninterrupted outputs after kills at random moments",
          "[csv_windows][crash]") {
  const std::uint64_t seed = 71;
  CAPTURE(seed);
  killing(seed, columns + tumbling, {large_log(seed, 60'000)}).kill_at_random(8);
}

TEST_CASE("tumbling windows come out as uninterrupted after 15 kills, on a disk",
          "[csv_windows][crash][slow]") {
  const std::uint64_t seed = 72;
  CAPTURE(seed);
  killing(seed, columns + tumbling, {large_log(seed, 300'000)}, medium::disk).kill_at_random(15);
}

TEST_CASE("sliding windows come out as uninterrupted after 60 kills at random moments",
          "[csv_windows][crash][slow]") {
  const std::uint64_t seed = 73;
  CAPTURE(seed);
  killing(seed, columns + sliding, {large_log(seed, 200'000)}).kill_at_random(60);
}

TEST_CASE("sessions over two files come out as uninterrupted after 60 kills at random moments",
          "[csv_windows][crash][slow]") {
  const std::uint64_t seed = 74;
  CAPTURE(seed);
  const std::vector<std::string> logs = {large_log(seed, 150'000),
                                         large_log(seed + 1'000, 120'000)};
  killing(seed, columns + sessions, logs).kill_at_random(60);
}

TEST_CASE("windows over a compressed file come out as uninterrupted after 20 kills",
          "[csv_windows][crash][slow]") {
  const std::uint64_t seed = 75;
  CAPTURE(seed);
  killing(seed, columns + tumbling, {large_log(seed, 150'000)}, medium::memory, ".gz")
      .kill_at_random(20);
}

TEST_CASE("a csv_windows job killed before or around its first commit starts over or goes on",
          "[csv_windows][crash][slow]") {
  const std::uint64_t seed = 76;
  CAPTURE(seed);
  killing(seed, columns + sliding, {large_log(seed, 60'000)}).kill_early(15);
}

TEST_CASE("a csv_windows job killed while it publishes its outputs completes them when resumed",
          "[csv_windows][crash][slow]") {
  const std::uint64_t seed = 77;
  CAPTURE(seed);
  killing(seed, columns + tumbling, {large_log(seed, 30'000)}).kill_while_publishing(8);
}

TEST_CASE("windows over a year of flights come out as uninterrupted after 30 kills",
          "[csv_windows][crash][data][slow]") {
  const std::optional<std::string> flights = flights_csv();
  if (!flights) return skip_without("hflights.csv.xz");
  const arguments asked = {"--time",         "at",    "--key",      "tail",
                           "--value",        "delay", "--window",   "session:5h",
                           "--max-disorder", "12h",   "--lateness", "2d"};
  const std::uint64_t seed = 78;
  CAPTURE(seed);
  killing(seed, asked, {*flights}).kill_at_random(30);
}

TEST_CASE("a finished csv_windows job leaves outputs alone that were changed or removed since",
          "[csv_windows][crash]") {
  const scratch_folder folder;
  const arguments given =
      columns + tumbling + arguments{"--input",      folder.file("in.csv", large_log(79, 2'000)),
                                     "--out",        folder / "out.csv",
                                     "--late",       folder / "late.csv",
                                     "--checkpoint", folder / "state",
                                     "--resume"};
  CHECK(says(run_successfully(given), fresh_start_words));
  folder.file("out.csv", "changed since");
  std::filesystem::remove(folder / "late.csv");
  const auto written = std::filesystem::last_write_time(folder / "out.csv");

  CHECK(says(run_successfully(given), nothing_to_do_words));
  CHECK(content(folder / "out.csv") == "changed since");
  CHECK(std::filesystem::last_write_time(folder / "out.csv") == written);
  CHECK_FALSE(exists(folder / "late.csv"));
  CHECK_FALSE(exists(folder / "out.csv.inprogress"));
  CHECK_FALSE(exists(folder / "late.csv.inprogress"));

  // It needs its input no more either.
  std::filesystem::remove(folder / "in.csv");
  CHECK(says(run_successfully(given), nothing_to_do_words));
}

TEST_CASE("a csv_windows job leaves an older output as it was until the new one is complete",
          "[csv_windows][crash]") {
  bool interrupted = false;
  // Where this test gets too little of the processor to kill it in time, the job has more to do.
  for (std::size_t rows = 100'000; !interrupted; rows *= 2) {
    CAPTURE(rows);
    const scratch_folder folder;
    folder.file("out.csv", "of an older job");
    const arguments given =
        columns + tumbling + arguments{"--input",      folder.file("in.csv", large_log(80, rows)),
                                       "--out",        folder / "out.csv",
                                       "--checkpoint", folder / "state",
                                       "--every",      "5ms",
                                       "--resume"};
    running_program program(given, folder / "errors");
    program.ended_or([&] { return exists(folder / "out.csv.inprogress"); });
    interrupted = program.kill().killed && exists(folder / "out.csv.inprogress");
    if (interrupted) CHECK(content(folder / "out.csv") == "of an older job");
    run_successfully(given);
    CHECK(content(folder / "out.csv").starts_with("key,window_start,"));
  }
}

TEST_CASE(
    "csv_windows jobs come out as uninterrupted after 450 kills at random and 100 at the ends",
    "[.][long]") {
  std::random_device entropy;
  const std::uint64_t seed = entropy();
  WARN("seed " << seed);
  killing(seed, columns + tumbling, {large_log(seed, 300'000)}).kill_at_random(150);
  killing(seed, columns + sliding, {large_log(seed, 200'000)}).kill_at_random(150);
  killing(seed, columns + sessions, {large_log(seed, 150'000), large_log(seed + 1, 120'000)})
      .kill_at_random(150);
  killing(seed, columns + sliding, {large_log(seed, 60'000)}).kill_early(50);
  killing(seed, columns + tumbling, {large_log(seed, 30'000)}).kill_while_publishing(50);
}
