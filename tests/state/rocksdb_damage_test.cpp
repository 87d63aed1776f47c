// Damage to any file of a checkpoint: found, reported with the file's name, and the newest commit
// that is whole used instead; never a wrong or empty state.
#include <freshet/state/rocksdb.hpp>

#include "catch.hpp"
#include "state/checkpoint_files.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace checkpoint_files;

namespace {

constexpr int commits = 3;

using rows = std::map<std::string, std::string>;

// What commit number `last` leaves: commit i writes the rows whose number it divides.
rows rows_after(int last) {
  rows all;
  for (int commit = 1; commit <= last; ++commit) {
    for (int row = 0; row < 300; row += commit) {
      all["0001" + std::to_string(row)] = std::string(50, 'v') + std::to_string(commit);
    }
  }
  return all;
}

void make_checkpoint(const std::string& directory) {
  const auto backend = open(directory);
  for (int commit = 1; commit <= commits; ++commit) {
    std::vector<fr::state_change> changes;
    for (const auto& [key, value] : rows_after(commit)) {
      if (value.ends_with(std::to_string(commit))) changes.push_back({key, value});
    }
    REQUIRE(backend->get()->commit(std::move(changes), std::to_string(commit), {}).ok());
  }
}

struct contents {
  std::optional<std::string> manifest;
  rows all;
  std::vector<std::string> warnings;
  std::string older_because;
};

absl::StatusOr<contents> read_all(const std::string& directory) {
  auto backend = open(directory);
  if (!backend.ok()) return backend.status();
  contents found;
  auto manifest = backend->get()->manifest();
  if (!manifest.ok()) return manifest.status();
  found.manifest = *manifest;
  found.warnings = backend->get()->warnings();
  found.older_because = backend->get()->older_because();
  absl::Status status = backend->get()->scan("", [&](std::string_view key, std::string_view value) {
    found.all.emplace(key, value);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

std::string all_of(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& each : texts) all += each + "\n";
  return all;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Damages one file of the newest commit, of a copy of the directory, whose commits share no files.
class damaged_copies {
 public:
  damaged_copies() {
    make_checkpoint(home_.path("state"));
    REQUIRE(read_all(home_.path("state"))->all == rows_after(commits));
  }

  std::vector<std::string> files() const { return names_in(newest_commit(home_.path("state"))); }

  std::string bytes_of(const std::string& file) const {
    return read_file(newest_commit(home_.path("state")) / file);
  }

  void falls_back(const std::string& file, const std::optional<std::string>& bytes) {
    CAPTURE(file, bytes ? bytes->size() : 0);
    const std::string copy = home_.path("copy");
    fs::remove_all(copy);
    fs::copy(home_.path("state"), copy, fs::copy_options::recursive);
    const fs::path damaged = newest_commit(copy) / file;
    bytes ? write_file(damaged, *bytes) : void(fs::remove(damaged));
    const auto before = contents_of(copy);
    const absl::StatusOr<contents> found = read_all(copy);
    CAPTURE(found.status().ToString());
    REQUIRE(contents_of(copy) == before);
    REQUIRE(found.ok());
    REQUIRE(found->manifest == std::to_string(commits - 1));
    REQUIRE(found->all == rows_after(commits - 1));
    REQUIRE(found->warnings.size() == 1);
    CAPTURE(found->warnings[0]);
    REQUIRE(found->warnings[0].starts_with("checkpoint '" + copy + "': commit 3 is damaged (" +
                                           file + ": "));
    REQUIRE(found->warnings[0].ends_with("going on from commit 2"));
    REQUIRE(found->older_because == "commit 3 is damaged, and commit 2 the newest that is whole");
  }

 private:
  temporary_directory home_{medium::memory};
};

void flip_bit(std::string& bytes, std::mt19937_64& random) {
  const std::size_t at = random() % bytes.size();
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
}

}  // namespace

TEST_CASE("a commit that misses a file is left for the one before", "[state][rocksdb][damage]") {
  damaged_copies copies;
  REQUIRE(copies.files().size() >= 5);  // COMMIT, CURRENT, MANIFEST, and two files of rows.
  for (const std::string& file : copies.files()) copies.falls_back(file, std::nullopt);
}

TEST_CASE("a commit with a truncated or longer file is left for the one before",
          "[state][rocksdb][damage]") {
  damaged_copies copies;
  for (const std::string& file : copies.files()) {
    const std::string whole = copies.bytes_of(file);
    for (const std::size_t size : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
      copies.falls_back(file, whole.substr(0, size));
    }
    copies.falls_back(file, whole + '\0');
  }
}

TEST_CASE("a commit with a flipped bit is left for the one before", "[state][rocksdb][damage]") {
  const std::uint64_t seed = 20261121;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  damaged_copies copies;
  for (const std::string& file : copies.files()) {
    for (int i = 0; i < 40; ++i) {
      std::string damaged = copies.bytes_of(file);
      flip_bit(damaged, random);
      copies.falls_back(file, damaged);
    }
  }
}

TEST_CASE("a commit with a log that it does not list is left for the one before",
          "[state][rocksdb][damage]") {
  damaged_copies copies;
  copies.falls_back("000099.log", "rows of somebody else");
}

TEST_CASE("damage to FRESHET is reported, and its commits say whose they are",
          "[state][rocksdb][damage]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  make_checkpoint(directory);
  const std::string whole = read_file(directory + "/FRESHET");
  const std::uint64_t seed = 20261127;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 60; ++i) {
    std::string damaged = whole;
    if (i < 2) damaged.resize(i == 0 ? 0 : whole.size() / 2);
    if (i >= 2) flip_bit(damaged, random);
    CAPTURE(i, damaged);
    write_file(directory + "/FRESHET", damaged);
    const absl::StatusOr<contents> found = read_all(directory);
    CAPTURE(found.status().ToString());
    REQUIRE(found.ok());
    REQUIRE(found->all == rows_after(commits));
    REQUIRE(contains(all_of(found->warnings), "its file FRESHET is damaged"));
    REQUIRE(found->older_because.empty());
  }
  fs::remove(directory + "/FRESHET");
  REQUIRE(contains(all_of(read_all(directory)->warnings), "its file FRESHET is missing"));
  refuses(directory, "other", absl::StatusCode::kFailedPrecondition, {"belongs to job 'job'"});
  REQUIRE(commit_one(directory, "4").ok());
  REQUIRE(read_file(directory + "/FRESHET") == whole);
  REQUIRE(read_all(directory)->warnings.empty());
}

TEST_CASE("numbers go on after a damaged commit, which stays until the next one stands",
          "[state][rocksdb][damage]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  make_checkpoint(directory);
  fs::remove(directory + "/commits/3/CURRENT");
  {
    const auto backend = open(directory);
    REQUIRE(backend->get()->manifest().value() == "2");
    REQUIRE(names_in(directory + "/commits") == std::vector<std::string>{"2", "3"});
    REQUIRE(backend->get()->commit({{"0001new", "value"}}, "4", {}).ok());
    REQUIRE(names_in(directory + "/commits") == std::vector<std::string>{"2", "4"});
  }
  rows expected = rows_after(2);
  expected["0001new"] = "value";
  REQUIRE(read_all(directory)->manifest == "4");
  REQUIRE(read_all(directory)->all == expected);
  REQUIRE(read_all(directory)->older_because.empty());
}

TEST_CASE("damage to a file that commits share leaves the copy", "[state][rocksdb][damage]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  {
    const auto backend = open(directory);
    for (int commit = 1; commit <= 4; ++commit) {
      REQUIRE(backend->get()
                  ->commit({{"0001" + std::to_string(commit), "v"}}, std::to_string(commit), {})
                  .ok());
      if (commit == 2) REQUIRE(backend->get()->keep_copy().ok());
    }
  }
  // In place, so that every name of the file shows it.
  for (const std::string& file : names_in(directory + "/commits/3")) {
    if (!file.ends_with(".sst") || !fs::exists(directory + "/commits/4/" + file)) continue;
    REQUIRE(fs::equivalent(directory + "/commits/3/" + file, directory + "/commits/4/" + file));
    std::fstream bytes(directory + "/commits/4/" + file, std::ios::in | std::ios::out);
    bytes.seekp(20);
    bytes.put('\x7f');
  }
  const absl::StatusOr<contents> found = read_all(directory);
  CAPTURE(found.status().ToString());
  REQUIRE(found.ok());
  REQUIRE(found->manifest == "2");
  REQUIRE(found->all == rows{{"00011", "v"}, {"00012", "v"}});
  REQUIRE(contains(all_of(found->warnings), "commit 4 is damaged ("));
  REQUIRE(contains(all_of(found->warnings), "commit 3 is damaged ("));
  REQUIRE(contains(all_of(found->warnings), "going on from the copy of commit 2"));
}

TEST_CASE("a copy of the newest commit stands in for it, and nothing is older",
          "[state][rocksdb][damage]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  make_checkpoint(directory);
  {
    const auto backend = open(directory);
    REQUIRE(backend->get()->commit({}, "4", {}).ok());
    REQUIRE(backend->get()->keep_copy().ok());
  }
  fs::remove(directory + "/commits/4/COMMIT");
  REQUIRE(read_all(directory)->manifest == "4");
  REQUIRE(read_all(directory)->older_because.empty());
  REQUIRE(read_all(directory)->warnings.size() == 1);
  // A commit made from it must not touch the copy's files.
  const auto copy = contents_of(directory + "/copies");
  REQUIRE(commit_one(directory, "5").ok());
  REQUIRE(contents_of(directory + "/copies") == copy);
  for (const std::string& file : names_in(directory + "/copies/4")) {
    REQUIRE(fs::hard_link_count(directory + "/copies/4/" + file) == 1);
  }
}

TEST_CASE("where nothing is whole, the error says what is wrong with each",
          "[state][rocksdb][damage]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  make_checkpoint(directory);
  fs::remove(directory + "/commits/3/CURRENT");
  write_file(directory + "/commits/2/COMMIT", "nonsense");
  refuses(directory, "job", absl::StatusCode::kDataLoss,
          {"none of its commits can be read", "commit 3: CURRENT: is missing",
           "commit 2: COMMIT: its text does not match its checksum", "restore the directory"});
  fs::remove_all(directory + "/commits");
  refuses(directory, "job", absl::StatusCode::kDataLoss, {"its commits are missing"});
}

TEST_CASE("a copy of damaged bytes is not made, and is lost data", "[state][rocksdb][damage]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  const auto backend = open(directory);
  REQUIRE(backend->get()->commit({{"0001key", "value"}}, "1", {}).ok());
  write_file(directory + "/commits/1/CURRENT", "MANIFEST-000001\n");
  const absl::Status copied = backend->get()->keep_copy();
  CAPTURE(copied.ToString());
  REQUIRE(copied.code() == absl::StatusCode::kDataLoss);
  REQUIRE(contains(std::string(copied.message()), "commit 1 cannot be copied (CURRENT: "));
  REQUIRE(names_in(directory + "/copies").empty());
}
