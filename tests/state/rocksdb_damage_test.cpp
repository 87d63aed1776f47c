// Damage to any file of a checkpoint: found and reported, or harmless, never a wrong, older, or
// empty state.
#include <freshet/state/rocksdb.hpp>

#include "catch.hpp"
#include "state/checkpoint_files.hpp"

#include <cstdint>
#include <filesystem>
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
};

absl::StatusOr<contents> read_all(const std::string& directory) {
  auto backend = open(directory);
  if (!backend.ok()) return backend.status();
  contents found;
  auto manifest = backend->get()->manifest();
  if (!manifest.ok()) return manifest.status();
  found.manifest = *manifest;
  absl::Status status = backend->get()->scan("", [&](std::string_view key, std::string_view value) {
    found.all.emplace(key, value);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

// One damaged copy; returns whether the damage was reported.
class damaged_copies {
 public:
  damaged_copies() {
    make_checkpoint(home_.path("state"));
    REQUIRE(read_all(home_.path("state"))->all == rows_after(commits));
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(home_.path("state/db"))) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::string bytes_of(const std::string& file) const {
    return read_file(home_.path("state/db/" + file));
  }

  bool reports(const std::string& file, const std::optional<std::string>& bytes) {
    CAPTURE(file, bytes ? bytes->size() : 0);
    const std::string copy = home_.path("copy");
    fs::remove_all(copy);
    fs::copy(home_.path("state"), copy, fs::copy_options::recursive);
    bytes ? write_file(copy + "/db/" + file, *bytes) : void(fs::remove(copy + "/db/" + file));
    const auto before = contents_of(copy);
    const absl::StatusOr<contents> found = read_all(copy);
    REQUIRE(contents_of(copy) == before);
    if (found.ok()) {
      CAPTURE(found->manifest.value_or("none"));
      REQUIRE(found->manifest == std::to_string(commits));
      REQUIRE(found->all == rows_after(commits));
      return false;
    }
    REQUIRE(found.status().code() == absl::StatusCode::kDataLoss);
    REQUIRE(std::string(found.status().message()).starts_with("checkpoint '" + copy + "': "));
    return true;
  }

 private:
  temporary_directory home_{medium::memory};
};

bool is_essential(const std::string& file) {
  return file == "CURRENT" || file.starts_with("MANIFEST") || file.ends_with(".sst");
}

}  // namespace

TEST_CASE("a checkpoint that misses a file it needs is reported as lost data",
          "[state][rocksdb][damage]") {
  damaged_copies copies;
  int essential = 0;
  for (const std::string& file : copies.files()) {
    const bool reported = copies.reports(file, std::nullopt);
    CAPTURE(file);
    if (is_essential(file)) REQUIRE(reported);
    essential += is_essential(file) ? 1 : 0;
  }
  REQUIRE(essential >= 2 + 2 * commits);  // CURRENT, MANIFEST, and two files a commit.
}

TEST_CASE("a checkpoint with a truncated file is reported as lost data, or is harmless",
          "[state][rocksdb][damage]") {
  damaged_copies copies;
  for (const std::string& file : copies.files()) {
    const std::string whole = copies.bytes_of(file);
    for (const std::size_t size : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
      if (size >= whole.size()) continue;
      const bool reported = copies.reports(file, whole.substr(0, size));
      CAPTURE(file, size);
      if (is_essential(file)) REQUIRE(reported);
    }
  }
}

TEST_CASE("a flipped bit in a file that a checkpoint needs is reported as lost data",
          "[state][rocksdb][damage]") {
  const std::uint64_t seed = 20261121;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  damaged_copies copies;
  for (const std::string& file : copies.files()) {
    const std::string whole = copies.bytes_of(file);
    if (whole.empty() || !is_essential(file)) continue;
    for (int i = 0; i < 40; ++i) {
      std::string damaged = whole;
      const std::size_t at = random() % whole.size();
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
      CAPTURE(at);
      REQUIRE(copies.reports(file, damaged));
    }
  }
}
