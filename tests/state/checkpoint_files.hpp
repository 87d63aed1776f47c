// What the tests of checkpoints on disk share: directories that vanish, and looking at them.
#pragma once

#include <freshet/state/rocksdb.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

namespace checkpoint_files {

namespace fs = std::filesystem;
namespace fr = freshet;

enum class medium { disk, memory };

class temporary_directory {
 public:
  /// In memory, if the system offers that, where waiting for a disk would say nothing.
  explicit temporary_directory(medium where = medium::disk)
      : path_((parent_of(where) / "freshet-XXXXXX").string()) {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    // One test gives up its rights and must still reach what is inside.
    fs::permissions(path_, fs::perms(0755));
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  static fs::path parent_of(medium where) {
    const fs::path memory = "/dev/shm";
    const bool usable = where == medium::memory && ::access(memory.c_str(), W_OK) == 0;
    return usable ? memory : fs::temp_directory_path();
  }

  std::string path_;
};

inline auto open(const std::string& directory, const std::string& job = "job") {
  return fr::open_rocksdb({.directory = directory, .job = job});
}

/// Where the newest commit lies.
inline fs::path newest_commit(const std::string& directory) {
  std::uint64_t newest = 0;
  for (const auto& entry : fs::directory_iterator(directory + "/commits")) {
    newest = std::max<std::uint64_t>(newest, std::stoull(entry.path().filename().string()));
  }
  return directory + "/commits/" + std::to_string(newest);
}

inline absl::Status commit_one(const std::string& directory, const std::string& manifest) {
  auto backend = open(directory);
  if (!backend.ok()) return backend.status();
  return backend->get()->commit({{"0001key", manifest + " value"}}, manifest, {});
}

inline std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Every file and folder below `directory`, by name, with the bytes of files.
inline std::map<std::string, std::string> contents_of(const fs::path& directory) {
  std::map<std::string, std::string> contents;
  if (!fs::is_directory(directory)) return contents;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    contents[entry.path().string()] =
        entry.is_regular_file() ? read_file(entry.path()) : "(folder)";
  }
  return contents;
}

enum class may_change { no, yes };

/// Opening `directory` fails with `code`, a message with all of `words`, and nothing changed on
/// disk.
inline void refuses(const std::string& directory, const std::string& job, absl::StatusCode code,
                    const std::vector<std::string>& words, may_change change = may_change::no) {
  const auto before = contents_of(directory);
  const absl::Status status = open(directory, job).status();
  const std::string message(status.message().data(), status.message().size());
  CAPTURE(message);
  CHECK(status.code() == code);
  CHECK(
      message.starts_with(directory.empty() ? "checkpoint: " : "checkpoint '" + directory + "': "));
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(message.find(word) != std::string::npos);
  }
  if (change == may_change::no) CHECK(contents_of(directory) == before);
}

}  // namespace checkpoint_files
