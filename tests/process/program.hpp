// Programs run, watched, and killed by tests, and the scratch folders that they work in.
//
// Time: waits are on the system's monotonic clock and only decide when a process is killed, never
// what its output must be. Threads: one. Memory: files as whole strings.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::test {

using arguments = std::vector<std::string>;

/// `first` and then `second`.
arguments operator+(arguments first, const arguments& second);

enum class medium { disk, memory };

/// A fresh folder that is removed with its content.
class scratch_folder {
 public:
  /// In memory, if the system offers that, where waiting for a disk would prove nothing.
  explicit scratch_folder(medium where = medium::disk);
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder();

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  /// Writes `text` to the file `name` and returns its path.
  std::string file(const std::string& name, std::string_view text) const;

 private:
  std::string path_;
};

/// The bytes of a file; fails the test when it cannot be read.
std::string content(const std::string& path);

bool exists(const std::string& path);

/// Whether `text` holds `words`.
bool says(const std::string& text, const std::string& words);

/// Whether the checkpoint directory of a job counts a commit.
bool has_commits(const std::string& directory);

/// Every file and folder below `folder` by name, with the bytes of files.
std::map<std::string, std::string> contents_of(const std::string& folder);

/// The path of a program that has been built; `name` is relative to the build's folder.
std::string built_program(const std::string& name);

/// From how long a stretch of a program's run the moments of kills are drawn. Programs run faster
/// and slower from one time to the next, so it follows what the kills hit.
class moment_range {
 public:
  /// \param run  how long the program runs when it is left alone.
  void start_with(std::chrono::nanoseconds run) {
    longest_ = std::chrono::duration_cast<std::chrono::microseconds>(run) / 2;
  }

  std::chrono::microseconds draw(std::mt19937_64& random) const {
    return std::chrono::microseconds(random() % static_cast<std::uint64_t>(longest_.count() + 1));
  }

  /// \param killed      the program ran until it was killed; else it had ended by itself.
  /// \param far_enough  it had come to what the kill was to interrupt.
  void learn(bool killed, bool far_enough) {
    if (!killed) longest_ = longest_ * 7 / 8;
    if (killed && !far_enough) longest_ += longest_ / 8 + std::chrono::milliseconds(1);
  }

 private:
  std::chrono::microseconds longest_{0};
};

/// How a process ended, and what it had said.
struct ending {
  bool killed = false;  ///< By us; otherwise it exited.
  int exit_code = 0;    ///< When it was not killed.
  std::string errors;   ///< All that it has printed.
};

/// A process. What it says goes to a file, so that a killed one can be heard too.
class running_program {
 public:
  /// \param errors_path  where its standard error goes, and its standard output too; an older file
  ///                     of that name is replaced.
  running_program(const std::string& program, const arguments& given, std::string errors_path);
  running_program(const running_program&) = delete;
  running_program& operator=(const running_program&) = delete;
  ~running_program();

  /// Waits until it exits, or `limit` has passed, or `until` (when given) returns true.
  /// \return whether it has exited.
  bool ended_within(std::chrono::microseconds limit, const std::function<bool()>& until = nullptr);

  /// Waits until it exits, or `until` returns true, however long that takes.
  /// \return whether it has exited.
  bool ended_or(const std::function<bool()>& until) {
    return ended_within(std::chrono::hours(24), until);
  }

  /// Kills it as `kill -9` does, unless it has exited before, and tells which of the two it was.
  ending kill();

  /// Waits until it exits by itself.
  ending wait();

 private:
  ending collect();

  std::string errors_path_;
  pid_t process_ = -1;
  std::optional<int> status_;  ///< As from waitpid.
};

}  // namespace freshet::test
