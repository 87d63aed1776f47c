#include <freshet/state/rocksdb.hpp>
#include <freshet/testing/backend_contract.hpp>

#include "catch.hpp"
#include "state/checkpoint_files.hpp"

#include "state/commit_listing.hpp"

#include <rocksdb/db.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace fr = freshet;
using namespace checkpoint_files;
using fr::detail::with_checksum;

namespace {

std::string state_key(std::uint32_t state, std::string_view rest) {
  const auto number = fr::encode_state_number(state);
  return std::string(number.begin(), number.end()).append(rest);
}

std::string expiring(std::int64_t at, std::string_view rest) {
  const auto expiry = fr::encode_expiry(fr::timestamp{fr::duration{at}});
  return std::string(expiry.begin(), expiry.end()).append(rest);
}

std::size_t count_rows(fr::state_backend& backend) {
  std::size_t rows = 0;
  REQUIRE(backend.scan("", [&](std::string_view, std::string_view) {
    ++rows;
    return absl::OkStatus();
  }) == absl::OkStatus());
  return rows;
}

// A database as RocksDB leaves it when a crash ends its creation.
void create_database(const std::string& directory, const std::vector<std::string>& families) {
  REQUIRE(open(directory).ok());
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  REQUIRE(rocksdb::DB::Open(options, directory + "/db", &opened).ok());
  const std::unique_ptr<rocksdb::DB> database(opened);
  for (const std::string& family : families) {
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    REQUIRE(database->CreateColumnFamily(options, family, &handle).ok());
    REQUIRE(database->DestroyColumnFamilyHandle(handle).ok());
  }
}

}  // namespace

TEST_CASE("rocksdb keeps the state backend contract", "[state][rocksdb][contract]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const temporary_directory home(medium::memory);
    const std::string directory = home.path("state");
    REQUIRE_NOTHROW(fr::testing::check_backend([&] { return open(directory); }, seed));
    // Files for single rows, beside and in place of those for scans.
    const auto open_to_read = [&, path = directory + (seed == 1 ? "" : " to read")] {
      return fr::open_rocksdb({.directory = path, .job = "job", .reads_rows = true});
    };
    if (seed > 1) REQUIRE_NOTHROW(fr::testing::check_backend(open_to_read, seed));
    REQUIRE(open_to_read().ok());
  }
}

TEST_CASE("a checkpoint directory is created, or used when it is empty", "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(open(home.path("new"))->get()->manifest().value() == std::nullopt);
  REQUIRE(fs::is_regular_file(home.path("new/FRESHET")));
  fs::create_directory(home.path("empty"));
  REQUIRE(commit_one(home.path("empty"), "first").ok());
  REQUIRE(open(home.path("empty/"))->get()->manifest().value() == "first");
}

TEST_CASE("an opened checkpoint stays untouched, byte for byte, until its first commit",
          "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(commit_one(home.path("state"), "first").ok());
  const auto before = contents_of(home.path("state"));
  {
    const auto backend = open(home.path("state"));
    REQUIRE(backend->get()->manifest().value() == "first");
    REQUIRE(count_rows(**backend) == 1);
    REQUIRE(contents_of(home.path("state")) == before);
  }
  REQUIRE(contents_of(home.path("state")) == before);
}

TEST_CASE("expired rows leave the disk by compaction, rows of other states and later ones stay",
          "[state][rocksdb]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  {
    const auto backend = open(directory);
    for (int commit = 0; commit < 200; ++commit) {
      std::vector<fr::state_change> changes;
      for (int row = 0; row < 20; ++row) {
        const std::string key = std::to_string(commit) + "/" + std::to_string(row);
        changes.push_back({state_key(1, key), expiring(commit, key)});
      }
      changes.push_back({state_key(2, std::to_string(commit)), expiring(commit, "")});
      const std::vector<fr::state_horizon> horizons = {
          {.state = 1, .frontier = fr::timestamp{fr::duration{commit - 1}}}};
      REQUIRE(backend->get()->commit(std::move(changes), std::to_string(commit), horizons).ok());
    }
  }
  std::size_t kept = 0;
  std::size_t newest = 0;
  std::size_t unbounded = 0;
  REQUIRE(open(directory)->get()->scan("", [&](std::string_view key, std::string_view value) {
    if (fr::decode_state_number(key) == 2) ++unbounded;
    if (fr::decode_state_number(key) == 1) ++kept;
    if (fr::decode_state_number(key) == 1 &&
        fr::decode_expiry(value).time_since_epoch().count() == 199)
      ++newest;
    return absl::OkStatus();
  }) == absl::OkStatus());
  REQUIRE(newest == 20);
  REQUIRE(unbounded == 200);
  REQUIRE(kept < 20 * 60);  // Compaction lags behind by some commits, not by 200.
}

TEST_CASE("a commit of a million rows comes back whole and in order", "[state][rocksdb][slow]") {
  const temporary_directory home(medium::memory);
  constexpr std::uint64_t rows = 1'000'000;
  const auto key_of = [](std::uint64_t row) {
    return state_key(1, std::to_string(10'000'000 + row));  // As many digits each: in order.
  };
  const auto value_of = [](std::uint64_t row) {
    return std::to_string(row) + std::string(80, 'v');
  };
  std::vector<fr::state_change> changes;
  for (std::uint64_t row = 0; row < rows; ++row) changes.push_back({key_of(row), value_of(row)});
  REQUIRE(open(home.path("state"))->get()->commit(std::move(changes), "large", {}).ok());
  std::uint64_t row = 0;
  bool same = true;
  REQUIRE(
      open(home.path("state"))->get()->scan("", [&](std::string_view key, std::string_view value) {
        same = same && key == key_of(row) && value == value_of(row);
        ++row;
        return absl::OkStatus();
      }) == absl::OkStatus());
  REQUIRE(same);
  REQUIRE(row == rows);
}

TEST_CASE("a checkpoint belongs to one job", "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(commit_one(home.path("state"), "first").ok());
  refuses(home.path("state"), "other", absl::StatusCode::kFailedPrecondition,
          {"belongs to job 'job', not to 'other'", "a directory of its own"});
}

TEST_CASE("a directory with files of somebody else is refused", "[state][rocksdb]") {
  const temporary_directory home;
  write_file(home.path("state/thesis.txt"), "years of work");
  refuses(home.path("state"), "job", absl::StatusCode::kFailedPrecondition,
          {"holds files that are no freshet checkpoint ('thesis.txt')", "empty or new directory"});
  write_file(home.path("other/FRESHET"), "the history of freshets\n");
  refuses(home.path("other"), "job", absl::StatusCode::kFailedPrecondition,
          {"FRESHET is not the one of a freshet checkpoint"});
}

TEST_CASE("a checkpoint of a newer format is refused", "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(commit_one(home.path("state"), "first").ok());
  write_file(home.path("state/FRESHET"),
             with_checksum("freshet checkpoint\nformat 3\nsomething new\n"));
  refuses(home.path("state"), "job", absl::StatusCode::kFailedPrecondition,
          {"has format 3, this build reads 2", "newer build"});
}

TEST_CASE("a checkpoint of the format without commits of their own is refused",
          "[state][rocksdb]") {
  const temporary_directory home;
  write_file(home.path("state/FRESHET"), "freshet checkpoint\nformat 1\njob job\ncommits 1\n");
  refuses(home.path("state"), "job", absl::StatusCode::kFailedPrecondition,
          {"has format 1, this build reads 2", "the build that wrote it"});
}

TEST_CASE("a commit of a newer format is refused, and no older one used instead",
          "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(commit_one(home.path("state"), "first").ok());
  REQUIRE(commit_one(home.path("state"), "second").ok());
  write_file(home.path("state/commits/2/COMMIT"),
             with_checksum("freshet commit\nformat 2\nsomething new\n"));
  refuses(home.path("state"), "job", absl::StatusCode::kFailedPrecondition,
          {"commit 2: COMMIT: has format 2, this build reads 1", "newer build"});
}

TEST_CASE("a damaged identity file is refused", "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(commit_one(home.path("state"), "first").ok());
  const std::string whole = read_file(home.path("state/FRESHET"));
  REQUIRE(whole == with_checksum("freshet checkpoint\nformat 2\njob job\ncommitted yes\n"));
  fs::remove_all(home.path("state/commits"));  // Which would tell whose directory it is.
  for (const std::string& damaged :
       {whole.substr(0, 25), whole.substr(0, whole.size() - 1), whole + "x",
        with_checksum("freshet checkpoint\nformat one\njob job\ncommitted yes\n"),
        with_checksum("freshet checkpoint\nformat 0\njob job\ncommitted yes\n"),
        with_checksum("freshet checkpoint\nformat 2\njob job\n"),
        with_checksum("freshet checkpoint\nformat 2\njob job\ncommitted yes\nmore\n")}) {
    CAPTURE(damaged);
    write_file(home.path("state/FRESHET"), damaged);
    refuses(home.path("state"), "job", absl::StatusCode::kDataLoss, {"FRESHET is damaged"});
  }
}

TEST_CASE("what cannot be a checkpoint directory is refused", "[state][rocksdb]") {
  const temporary_directory home;
  refuses(home.path("missing/state"), "job", absl::StatusCode::kNotFound,
          {"cannot be created (No such file or directory)", "create the directory above it"});
  REQUIRE_FALSE(fs::exists(home.path("missing")));
  write_file(home.path("file"), "text");
  refuses(home.path("file"), "job", absl::StatusCode::kFailedPrecondition, {"is no directory"});
  refuses("", "job", absl::StatusCode::kInvalidArgument, {"give a directory"});
  refuses(home.path("state"), "", absl::StatusCode::kInvalidArgument,
          {"give the pipeline a plain name"});
  refuses(home.path("state"), "a\nb", absl::StatusCode::kInvalidArgument, {"plain name"});
  REQUIRE_FALSE(fs::exists(home.path("state")));
}

TEST_CASE("a directory that may not be written to is refused", "[state][rocksdb]") {
  const temporary_directory home;
  REQUIRE(commit_one(home.path("state"), "first").ok());
  fs::permissions(home.path("state"), fs::perms(0555));
  // Root may write anywhere, so a process without its rights has to try.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(2);
    const auto backend = open(home.path("state"));
    const bool refused = backend.status().code() == absl::StatusCode::kPermissionDenied &&
                         backend.status().message().find(
                             "cannot be written to (Permission denied)") != absl::string_view::npos;
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  fs::permissions(home.path("state"), fs::perms::owner_all);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

TEST_CASE("a checkpoint in use is refused, and free again when its backend is gone",
          "[state][rocksdb]") {
  const temporary_directory home;
  auto first = open(home.path("state"));
  refuses(home.path("state"), "job", absl::StatusCode::kUnavailable,
          {"is in use", "stop that one"});
  REQUIRE(first->get()->commit({}, "first", {}).ok());
  refuses(home.path("state"), "job", absl::StatusCode::kUnavailable, {"is in use"},
          may_change::yes);
  first->reset();
  REQUIRE(open(home.path("state")).ok());
}

TEST_CASE("a crash before the first commit is complete leaves an empty checkpoint",
          "[state][rocksdb]") {
  const temporary_directory home;
  const std::string directory = home.path("state");
  SECTION("while the identity is drafted") {
    write_file(directory + "/FRESHET.new", "freshet ch");
  }
  SECTION("after the identity") {
    REQUIRE(open(directory).ok());
  }
  SECTION("while the database is created, before CURRENT") {
    REQUIRE(open(directory).ok());
    write_file(directory + "/db/MANIFEST-000001", "half");
    write_file(directory + "/db/LOCK", "");
    write_file(directory + "/scratch/state-1.sst", "half a file");
  }
  SECTION("while the database is created, before its second column family") {
    create_database(directory, {});
  }
  SECTION("after the database, before the commit") {
    create_database(directory, {"manifest"});
  }
  SECTION("while the commit's folder is filled") {
    REQUIRE(open(directory).ok());
    write_file(directory + "/commits/1.draft/CURRENT", "MANIFEST-0");
  }
  REQUIRE(open(directory).ok());
  REQUIRE(open(directory)->get()->manifest().value() == std::nullopt);
  REQUIRE(count_rows(**open(directory)) == 0);
  REQUIRE(commit_one(directory, "first").ok());
  REQUIRE(open(directory)->get()->manifest().value() == "first");
}

TEST_CASE("a crash between the first commit and its record loses nothing", "[state][rocksdb]") {
  const temporary_directory home;
  const std::string directory = home.path("state");
  REQUIRE(commit_one(directory, "first").ok());
  write_file(directory + "/FRESHET",
             with_checksum("freshet checkpoint\nformat 2\njob job\ncommitted no\n"));
  REQUIRE(open(directory)->get()->manifest().value() == "first");
  SECTION("and a commit that is then damaged is not taken for none") {
    fs::remove(directory + "/commits/1/CURRENT");
    refuses(directory, "job", absl::StatusCode::kDataLoss, {"commit 1: CURRENT: is missing"});
  }
}
