// A parallel job with a bit of everything, killed with `kill -9` at random moments and started
// again with another number of tasks: its outputs end up row for row as if nothing had happened.
//
// Moments are drawn from a `moment_range`, which follows what the kills before them have hit, so
// that they land in running processes on fast machines and on slow ones; those that land are
// counted.
//
//     FRESHET_CRASH_SEED=7 FRESHET_CRASH_KILLS=5000 freshet_crash_tests "as many kills*"
#include "catch.hpp"
#include "crash/silence.hpp"
#include "process/program.hpp"

#include <freshet/pipeline/upsert.hpp>

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace freshet::test;

namespace {

constexpr std::array<const char*, 5> names = {"recent", "late", "visits", "silences", "training"};

using lines = std::vector<std::string>;

/// The lines of a file in ascending order: with several tasks no other is promised.
lines sorted_lines(const std::string& path) {
  lines all;
  const std::string text = content(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    all.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// The last line of each device, without its line feed, in a file that has them in order.
std::map<std::string, std::string> last_lines(const std::string& path) {
  std::map<std::string, std::string> last;
  std::istringstream text(content(path));
  std::string line;
  std::getline(text, line);  // The names of the columns.
  while (std::getline(text, line)) last[line.substr(0, line.find(','))] = line;
  return last;
}

/// The table of the newest silences that the job has committed, as the lines of a file.
std::map<std::string, std::string> last_silences(const std::string& state) {
  const auto table = freshet::open_upserts<silence, std::string>(state, "crash", "last silence");
  INFO(table.status().ToString());
  REQUIRE(table.ok());
  std::map<std::string, std::string> rows;
  const absl::Status read = table->for_each([&](const std::string& device, const silence& row) {
    rows[device] = device + "," + freshet::to_iso_8601(row.since) + "," + std::to_string(row.heard);
  });
  REQUIRE(read.ok());
  return rows;
}

/// How many commits a checkpoint directory lists.
std::size_t commits_in(const std::string& directory) {
  std::error_code none;
  const std::filesystem::directory_iterator all(directory + "/commits", none);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// The job with one input, and what it must come to.
class ordeal {
 public:
  ordeal(std::uint64_t seed, std::size_t rows) : random_(seed), seed_(seed), rows_(rows) {
    const scratch_folder plain(medium::memory);
    require_success(run(plain, plain.path(), 1, ""));
    for (const char* name : names) {
      wanted_[name] = sorted_lines(plain / (std::string(name) + ".csv"));
      INFO(name);
      REQUIRE(wanted_[name].size() > 20);  // Else there would be nothing to lose.
    }
    wanted_table_ = last_lines(plain / "silences.csv");
    const scratch_folder whole(medium::memory);
    const auto start = std::chrono::steady_clock::now();
    require_success(run(whole, whole.path(), 3, whole / "state"));
    moments_.start_with(std::chrono::steady_clock::now() - start);
    require_wanted(whole.path());
  }

  /// Starts jobs and kills each until `wanted` kills have come between a first and a last commit.
  void kill_at_random(int wanted) {
    CAPTURE(seed_, wanted);
    int landed = 0;
    int jobs = 0;
    for (; landed < wanted && jobs < patience * wanted; ++jobs) {
      const scratch_folder folder(medium::memory);
      const std::string state = folder / "state";
      for (int kills = 0; kills < kills_of_a_job; ++kills) {
        const std::size_t parallelism = 1 + random_() % 4;
        INFO("job " << jobs << ", killed " << kills << " times, parallelism " << parallelism);
        running_program job(built_program("tests/freshet_crash_job"),
                            given(folder.path(), parallelism, state), folder / "said");
        const bool from_first_commit = random_() % 4 != 0;
        if (from_first_commit) job.ended_or([&] { return has_commits(state); });
        job.ended_within(moments_.draw(random_));
        const ending how = job.kill();
        moments_.learn(how.killed, has_commits(state));
        if (!how.killed) {
          require_success(how);
          break;
        }
        landed += has_commits(state) ? 1 : 0;
      }
      finish(folder.path());
    }
    CAPTURE(jobs);
    CHECK(landed >= wanted);
  }

  /// Flips a bit of the checkpoint after a kill: the job goes on from another commit, or from a
  /// copy, or tells that nothing is left.
  void flip_bits(int wanted) {
    CAPTURE(seed_, wanted);
    int flipped = 0;
    int went_back = 0;
    int lost = 0;
    for (int jobs = 0; flipped < wanted && jobs < patience * wanted; ++jobs) {
      const scratch_folder folder(medium::memory);
      running_program job(built_program("tests/freshet_crash_job"),
                          given(folder.path(), 1 + random_() % 4, folder / "state"),
                          folder / "said");
      job.ended_or([&] { return commits_in(folder / "state") >= 2; });
      job.ended_within(moments_.draw(random_));
      const bool killed = job.kill().killed;
      moments_.learn(killed, true);
      if (!killed) continue;
      const std::string where = flip_a_bit(folder / "state");
      ++flipped;
      const scratch_folder said;
      ending how = run(said, folder.path(), 1 + random_() % 4, folder / "state");
      INFO("a bit of " << where << " was flipped\n" << how.errors);
      went_back += says(how.errors, "going on from") ? 1 : 0;
      if (how.exit_code != 0) {
        ++lost;
        REQUIRE_FALSE(how.killed);
        REQUIRE(says(how.errors, "DATA_LOSS"));
        continue;
      }
      // It may have been killed after its last commit, before it could exit.
      CHECK((says(how.errors, "exactly once") || says(how.errors, "nothing to do")));
      require_wanted(folder.path());
    }
    CAPTURE(went_back, lost);
    CHECK(flipped >= wanted);
    // Most bits are in files of a commit, and the copy is there for those that commits share.
    CHECK(went_back >= wanted / 4);
    CHECK(lost <= wanted / 4);
  }

  /// Stops the job in the middle of windows, sessions and timers, and goes on with other numbers of
  /// tasks.
  void rescale(const std::vector<std::size_t>& parallelisms) {
    const scratch_folder folder(medium::memory);
    for (std::size_t leg = 0; leg < parallelisms.size(); ++leg) {
      CAPTURE(seed_, leg, parallelisms[leg]);
      arguments all = given(folder.path(), parallelisms[leg], folder / "state");
      const bool last = leg + 1 == parallelisms.size();
      if (!last) all.push_back(std::to_string(rows_ * (leg + 1) / parallelisms.size()));
      running_program job(built_program("tests/freshet_crash_job"), all, folder / "said");
      const ending how = job.wait();
      require_success(how);
      INFO(how.errors);
      CHECK(says(how.errors, leg == 0 ? "fresh start" : "resumed"));
      CHECK(says(how.errors, "not finished") == !last);
    }
    require_wanted(folder.path());
  }

  /// Gives the job a disk that is full before it has come to its end, again and again.
  void fill_disk(int wanted) {
    int filled = 0;
    for (int jobs = 0; filled < wanted && jobs < 4 * wanted; ++jobs) {
      CAPTURE(seed_, jobs);
      const scratch_folder folder(medium::memory);
      std::size_t bytes = (std::size_t{256} << 10) + random_() % (std::size_t{4} << 20);
      if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, size_option(bytes).c_str()) != 0) {
        WARN("no disk can be made here that is small (" << std::strerror(errno) << ")");
        return;
      }
      const unmounts_at_end small(folder.path());
      const scratch_folder elsewhere;  // What it says must not need room, too.
      ending how = run(elsewhere, folder.path(), 1 + random_() % 4, folder / "state");
      while (how.exit_code != 0) {
        ++filled;
        INFO(how.errors);
        REQUIRE(says(how.errors, "RESOURCE_EXHAUSTED"));
        bytes += bytes / 2 + (std::size_t{1} << 20);
        REQUIRE(::mount("tmpfs", folder.path().c_str(), "tmpfs", MS_REMOUNT,
                        size_option(bytes).c_str()) == 0);
        how = run(elsewhere, folder.path(), 1 + random_() % 4, folder / "state");
      }
      require_success(how);
      require_wanted(folder.path());
    }
    CHECK(filled >= wanted);
  }

 private:
  static constexpr int kills_of_a_job = 8;
  /// How many jobs are started at most for each kill that is to land.
  static constexpr int patience = 40;

  struct unmounts_at_end {
    explicit unmounts_at_end(std::string where) : path(std::move(where)) {}
    unmounts_at_end(const unmounts_at_end&) = delete;
    unmounts_at_end& operator=(const unmounts_at_end&) = delete;
    ~unmounts_at_end() { ::umount2(path.c_str(), MNT_DETACH); }
    std::string path;
  };

  static std::string size_option(std::size_t bytes) { return "size=" + std::to_string(bytes); }

  arguments given(const std::string& out, std::size_t parallelism, const std::string& state) const {
    arguments all = {std::to_string(rows_), std::to_string(seed_), std::to_string(parallelism),
                     "5ms", out};
    if (!state.empty()) all.push_back(state);
    return all;
  }

  ending run(const scratch_folder& said_in, const std::string& out, std::size_t parallelism,
             const std::string& state) const {
    running_program job(built_program("tests/freshet_crash_job"), given(out, parallelism, state),
                        said_in / "said");
    return job.wait();
  }

  /// In any file of `folder`. \return its name.
  std::string flip_a_bit(const std::string& folder) {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file() || entry.file_size() == 0) continue;
      const std::string path = entry.path().string();
      // The database in work is made anew, whatever is in it.
      const bool counts = !says(path, "/db/") && !says(path, "/scratch/");
      if (counts || random_() % 4 == 0) files.push_back(path);
    }
    std::sort(files.begin(), files.end());
    const std::string& chosen = files[random_() % files.size()];
    // In place: files of several commits are one.
    std::fstream file(chosen, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(random_() % std::filesystem::file_size(chosen));
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ (1 << (random_() % 8))));
    file.close();
    REQUIRE(file.good());
    return chosen;
  }

  static void require_success(const ending& how) {
    INFO(how.errors);
    REQUIRE_FALSE(how.killed);
    REQUIRE(how.exit_code == 0);
  }

  void require_wanted(const std::string& out) const {
    for (const auto& [name, wanted] : wanted_) {
      CAPTURE(name);
      const std::string path = out + "/" + name + ".csv";
      REQUIRE_FALSE(exists(path + ".inprogress"));
      const bool as_uninterrupted = sorted_lines(path) == wanted;
      REQUIRE(as_uninterrupted);
    }
    const bool same_table = last_silences(out + "/state") == wanted_table_;
    REQUIRE(same_table);
  }

  /// Runs the job to its end, which goes on where there is a commit.
  void finish(const std::string& out) {
    const scratch_folder said;
    const bool must_resume = has_commits(out + "/state");
    const ending how = run(said, out, 1 + random_() % 4, out + "/state");
    require_success(how);
    INFO(how.errors);
    if (must_resume) CHECK_FALSE(says(how.errors, "fresh start"));
    CHECK((says(how.errors, "exactly once") || says(how.errors, "nothing to do")));
    require_wanted(out);
  }

  std::mt19937_64 random_;
  std::uint64_t seed_;
  std::size_t rows_;
  std::map<std::string, lines> wanted_;
  std::map<std::string, std::string> wanted_table_;  ///< By device.
  moment_range moments_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::stoull(text);
}

}  // namespace

TEST_CASE("a parallel job gives the uninterrupted rows after 70 kills at random moments (1 of 3)",
          "[crash][slow]") {
  ordeal(101, 15'000).kill_at_random(70);
}
TEST_CASE("a parallel job gives the uninterrupted rows after 70 kills at random moments (2 of 3)",
          "[crash][slow]") {
  ordeal(102, 8'000).kill_at_random(70);
}
TEST_CASE("a parallel job gives the uninterrupted rows after 70 kills at random moments (3 of 3)",
          "[crash][slow]") {
  ordeal(103, 25'000).kill_at_random(70);
}

TEST_CASE("a parallel job gives the uninterrupted rows after a few kills", "[crash]") {
  ordeal(104, 4'000).kill_at_random(6);
}

TEST_CASE(
    "a job that is stopped and goes on with 1, 4, 2, and 3 tasks gives the uninterrupted rows",
    "[crash]") {
  ordeal(106, 20'000).rescale({1, 4, 2, 3});
}

TEST_CASE("a parallel job whose disk fills up says so, and goes on when there is room", "[crash]") {
  ordeal(105, 10'000).fill_disk(5);
}

TEST_CASE("a parallel job gives the uninterrupted rows after kills with a bit flipped each",
          "[crash]") {
  ordeal(107, 12'000).flip_bits(24);
}

TEST_CASE("as many kills as the environment says", "[.][long]") {
  const std::uint64_t seed = number_from("FRESHET_CRASH_SEED", std::random_device()());
  WARN("seed " << seed);
  ordeal(seed, 40'000).kill_at_random(static_cast<int>(number_from("FRESHET_CRASH_KILLS", 1'000)));
}
