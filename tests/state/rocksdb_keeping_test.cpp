// What a checkpoint directory keeps: the newest commits, one copy, and nothing else for long; and
// savepoints, which leave it.
#include <freshet/state/rocksdb.hpp>

#include "catch.hpp"
#include "state/checkpoint_files.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace fr = freshet;
using namespace checkpoint_files;

namespace {

using rows = std::map<std::string, std::string>;

rows rows_of(fr::state_backend& backend) {
  rows all;
  REQUIRE(backend.scan("", [&](std::string_view key, std::string_view value) {
    all.emplace(key, value);
    return absl::OkStatus();
  }) == absl::OkStatus());
  return all;
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

auto restore(const std::string& directory, const std::string& from,
             const std::string& job = "job") {
  return fr::open_rocksdb({.directory = directory, .job = job, .restore_from = from});
}

std::string message(const absl::Status& status) {
  return std::string(status.message());
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void commit(fr::state_backend& backend, int number) {
  const std::string text = std::to_string(number);
  REQUIRE(backend.commit({{"0001" + text, text}}, text, {}) == absl::OkStatus());
}

// A job's directory with two commits, and a savepoint of the second.
void make_savepoint(const temporary_directory& home) {
  const auto backend = open(home.path("state"));
  commit(**backend, 1);
  commit(**backend, 2);
  REQUIRE(backend->get()->save(home.path("saved")) == absl::OkStatus());
  commit(**backend, 3);
}

// Names of files, and what they take on the disk: a file counts once, however many names it has.
struct usage {
  std::size_t names = 0;
  std::uintmax_t bytes = 0;
};

usage usage_of(const std::string& directory) {
  usage all;
  std::set<ino_t> known;
  std::error_code gone;  // Compaction removes files while they are counted.
  for (fs::recursive_directory_iterator entry(directory, gone), end; !gone && entry != end;
       entry.increment(gone)) {
    struct stat about{};
    if (::stat(entry->path().c_str(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
    ++all.names;
    if (known.insert(about.st_ino).second) all.bytes += static_cast<std::uintmax_t>(about.st_size);
  }
  return all;
}

// Commits of three rows of 150 that there are, a copy at every 500th, restarts now and then.
usage most_used_over(int commits) {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  auto backend = open(directory);
  std::mt19937_64 random(20261121);
  usage most;
  for (int number = 0; number < commits; ++number) {
    std::vector<fr::state_change> changes;
    for (int row = 0; row < 3; ++row) {
      const std::string key = "0001" + std::to_string(number % 50) + "/" + std::to_string(row);
      const bool put = random() % 3 != 0;
      changes.push_back(
          {key, put ? std::optional<std::string>(std::string(100, 'v')) : std::nullopt});
    }
    REQUIRE(backend->get()->commit(std::move(changes), std::string(1000, 'm'), {}).ok());
    if (number % 500 == 499) REQUIRE(backend->get()->keep_copy().ok());
    if (number % 900 == 899) {
      backend->reset();
      backend = open(directory);
    }
    if (number % 50 != 0) continue;
    const usage now = usage_of(directory);
    most = {std::max(most.names, now.names), std::max(most.bytes, now.bytes)};
  }
  return most;
}

}  // namespace

TEST_CASE("the newest commits are kept, as many as asked for", "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  for (const std::size_t keep : {1u, 2u, 5u}) {
    const std::string directory = home.path(std::to_string(keep));
    const auto backend = fr::open_rocksdb({.directory = directory, .job = "job", .keep = keep});
    for (int number = 1; number <= 9; ++number) {
      commit(**backend, number);
      std::set<std::string> expected;
      for (int each = std::max(1, number - static_cast<int>(keep) + 1); each <= number; ++each) {
        expected.insert(std::to_string(each));
      }
      REQUIRE(names_in(directory + "/commits") == expected);
    }
  }
  REQUIRE(
      fr::open_rocksdb({.directory = home.path("0"), .job = "job", .keep = 0}).status().code() ==
      absl::StatusCode::kInvalidArgument);
}

TEST_CASE("one copy is kept, which shares no file", "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  const auto backend = open(directory);
  REQUIRE_FALSE(backend->get()->has_copy());
  for (int number = 1; number <= 3; ++number) {
    commit(**backend, number);
    REQUIRE(backend->get()->keep_copy() == absl::OkStatus());
    REQUIRE(backend->get()->keep_copy() == absl::OkStatus());  // Of the same commit.
    REQUIRE(names_in(directory + "/copies") == std::set<std::string>{std::to_string(number)});
  }
  for (const auto& file : fs::directory_iterator(directory + "/copies/3")) {
    REQUIRE(file.hard_link_count() == 1);
  }
  REQUIRE(names_in(directory + "/copies/3") == names_in(directory + "/commits/3"));
}

TEST_CASE("what crashes have left is removed with the next commit, and not before",
          "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  REQUIRE(commit_one(directory, "first").ok());
  for (const char* left : {"commits/2.draft/000009.sst", "commits/0.old/COMMIT",
                           "copies/1.draft/COMMIT", "db/000044.sst", "scratch/1.sst"}) {
    write_file(directory + "/" + left, "left");
  }
  const auto before = contents_of(directory);
  {
    const auto backend = open(directory);
    REQUIRE(contents_of(directory) == before);
    commit(**backend, 2);
  }
  REQUIRE(names_in(directory) == std::set<std::string>{"FRESHET", "commits", "copies"});
  REQUIRE(names_in(directory + "/commits") == std::set<std::string>{"1", "2"});
  REQUIRE(names_in(directory + "/copies").empty());
}

TEST_CASE("a savepoint begins a new directory, and is not touched", "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  make_savepoint(home);
  const auto before = contents_of(home.path("saved"));
  {
    const auto backend = restore(home.path("new"), home.path("saved"));
    REQUIRE(backend.ok());
    REQUIRE(backend->get()->manifest().value() == "2");
    REQUIRE(rows_of(**backend) == rows{{"00011", "1"}, {"00012", "2"}});
    REQUIRE(contains(backend->get()->older_because(), "restored from"));
    commit(**backend, 7);
  }
  REQUIRE(contents_of(home.path("saved")) == before);
  for (const auto& file : fs::directory_iterator(home.path("saved"))) {
    REQUIRE(file.hard_link_count() == 1);
  }
  // The same options go on from what is there by now, also when the savepoint is gone.
  for (const bool gone : {false, true}) {
    if (gone) fs::remove_all(home.path("saved"));
    const auto again = restore(home.path("new"), home.path("saved"));
    REQUIRE(again.ok());
    REQUIRE(again->get()->manifest().value() == "7");
    REQUIRE(rows_of(**again) == rows{{"00011", "1"}, {"00012", "2"}, {"00017", "7"}});
    REQUIRE(again->get()->older_because().empty());
  }
}

TEST_CASE("a commit and a copy can be restored from as a savepoint can",
          "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  make_savepoint(home);
  REQUIRE(restore(home.path("a"), home.path("state/commits/3"))->get()->manifest().value() == "3");
}

TEST_CASE("a savepoint on a medium that cannot be written to is restored",
          "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  make_savepoint(home);
  for (const auto& file : fs::directory_iterator(home.path("saved"))) {
    fs::permissions(file.path(), fs::perms::owner_read);
  }
  fs::permissions(home.path("saved"), fs::perms::owner_read | fs::perms::owner_exec);
  {
    const auto backend = restore(home.path("new"), home.path("saved"));
    REQUIRE(backend.ok());
    commit(**backend, 3);
    commit(**backend, 4);
  }
  fs::permissions(home.path("saved"), fs::perms::owner_all);
  REQUIRE(open(home.path("new"))->get()->manifest().value() == "4");
}

TEST_CASE("what does not fit is not restored", "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  make_savepoint(home);
  const absl::Status other = restore(home.path("a"), home.path("saved"), "other").status();
  REQUIRE(other.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(contains(message(other), "belongs to job 'job', not to 'other'"));
  const absl::Status used = restore(home.path("state"), home.path("saved")).status();
  REQUIRE(used.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(contains(message(used), "holds commits that do not come from"));
  const absl::Status missing = restore(home.path("b"), home.path("nothing")).status();
  REQUIRE(missing.code() == absl::StatusCode::kDataLoss);
  REQUIRE(contains(message(missing), "COMMIT: is missing"));
  write_file(home.path("saved/CURRENT"), "MANIFEST-000001\n");
  const absl::Status damaged = restore(home.path("c"), home.path("saved")).status();
  REQUIRE(damaged.code() == absl::StatusCode::kDataLoss);
  REQUIRE(contains(message(damaged), "CURRENT: "));
}

TEST_CASE("a savepoint goes to a new or empty folder only", "[state][rocksdb][keeping]") {
  const temporary_directory home(medium::memory);
  const auto backend = open(home.path("state"));
  REQUIRE(backend->get()->save(home.path("early")).code() == absl::StatusCode::kFailedPrecondition);
  commit(**backend, 1);
  fs::create_directory(home.path("empty"));
  write_file(home.path("kept.draft/left"), "by a crash");
  write_file(home.path("full/thesis.txt"), "years of work");
  REQUIRE(backend->get()->save(home.path("empty/")) == absl::OkStatus());
  REQUIRE(backend->get()->save(home.path("kept")) == absl::OkStatus());
  REQUIRE(backend->get()->save(home.path("full")).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(backend->get()->save(home.path("empty")).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_FALSE(backend->get()->save(home.path("missing/saved")).ok());
  REQUIRE(names_in(home.path("full")) == std::set<std::string>{"thesis.txt"});
  REQUIRE(restore(home.path("a"), home.path("empty"))->get()->manifest().value() == "1");
  REQUIRE(restore(home.path("b"), home.path("kept"))->get()->manifest().value() == "1");
  commit(**backend, 2);  // The job goes on.
}

// Of each column family at most 40 files wait for compaction, under three names: that of the
// database and those of two commits. Live: 150 rows of 100 bytes and a manifest of 1,000.
TEST_CASE("a thousand commits use a bounded number of files and bytes",
          "[state][rocksdb][keeping]") {
  const usage most = most_used_over(1'000);
  CAPTURE(most.names, most.bytes);
  CHECK(most.names < 350);
  CHECK(most.bytes < (std::uintmax_t{2} << 20));
}

TEST_CASE("ten thousand commits use no more than a thousand do",
          "[state][rocksdb][keeping][slow]") {
  const usage most = most_used_over(10'000);
  CAPTURE(most.names, most.bytes);
  CHECK(most.names < 350);
  CHECK(most.bytes < (std::uintmax_t{2} << 20));
}
