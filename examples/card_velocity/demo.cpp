#include "demo.hpp"

#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using clock_type = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(fmt::format("{} ({})", what, std::strerror(errno)));
}

/// This program, running once more, with its standard error readable line by line. Destroying it
/// kills the process if it still runs.
class child {
 public:
  explicit child(std::vector<std::string> arguments) {
    std::vector<char*> texts;
    for (std::string& each : arguments) texts.push_back(each.data());
    texts.push_back(nullptr);
    int ends[2];
    if (pipe(ends) != 0) fail("demo: no pipe to a child process");
    process_ = fork();
    if (process_ < 0) fail("demo: no child process");
    if (process_ == 0) {
      dup2(ends[1], STDERR_FILENO);
      close(ends[0]);
      close(ends[1]);
      execv("/proc/self/exe", texts.data());
      _exit(127);
    }
    close(ends[1]);
    lines_ = fdopen(ends[0], "r");
    if (lines_ == nullptr) fail("demo: no stream from a child process");
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (process_ > 0) kill();
    if (lines_ != nullptr) std::fclose(lines_);
  }

  /// The next line on its standard error; nothing when there are no more.
  std::optional<std::string> line() {
    char text[1024];
    if (std::fgets(text, sizeof text, lines_) == nullptr) return std::nullopt;
    return std::string(text);
  }

  void kill() {
    ::kill(process_, SIGKILL);
    wait();
  }

  /// Waits for its end; true when it exited with 0.
  bool wait() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t process_ = -1;
  std::FILE* lines_ = nullptr;
};

enum class outcome { finished, killed, failed };

/// Runs the payments into `directory`, going on where an earlier run was killed. Kills the run once
/// `kill_at` payments are through, and at least one checkpoint of this run is committed.
outcome run_once(const demo_options& options, const fs::path& directory,
                 std::optional<std::uint64_t> kill_at) {
  child run({"card_velocity", "--count", std::to_string(options.count), "--out", directory,
             "--checkpoint", directory / "checkpoint", "--every", options.every, "--progress"});
  auto told = clock_type::now();
  while (const std::optional<std::string> line = run.line()) {
    unsigned long long payments = 0, checkpoints = 0;
    if (std::sscanf(line->c_str(), "card_velocity: %llu payments, %llu checkpoints", &payments,
                    &checkpoints) != 2) {
      fmt::print(stderr, "{}", *line);  // Whatever else it has to say, people should see.
      continue;
    }
    const bool now = kill_at && payments >= *kill_at && checkpoints > 0;
    if (now) run.kill();
    if (now || clock_type::now() - told > std::chrono::milliseconds(500)) {
      fmt::print(stderr, "  {:3} %  {} payments, {} checkpoints{}\n",
                 100 * payments / options.count, payments, checkpoints, now ? "  <- kill -9" : "");
      told = clock_type::now();
    }
    if (now) return outcome::killed;
  }
  return run.wait() ? outcome::finished : outcome::failed;
}

/// Whether two files hold the same bytes.
bool are_equal(const fs::path& a, const fs::path& b) {
  if (fs::file_size(a) != fs::file_size(b)) return false;
  std::ifstream first(a, std::ios::binary), second(b, std::ios::binary);
  std::vector<char> block_of_first(1 << 20), block_of_second(1 << 20);
  do {
    first.read(block_of_first.data(), static_cast<std::streamsize>(block_of_first.size()));
    second.read(block_of_second.data(), static_cast<std::streamsize>(block_of_second.size()));
    if (first.gcount() != second.gcount() ||
        !std::equal(block_of_first.begin(), block_of_first.begin() + first.gcount(),
                    block_of_second.begin())) {
      return false;
    }
  } while (first);
  return first.eof() && second.eof();
}

/// Compares the outputs; true when all are equal.
bool print_comparison(const fs::path& killed, const fs::path& whole) {
  bool all_equal = true;
  for (const char* name : {"activity.csv", "late.csv", "training.csv", "alerts.csv"}) {
    const bool equal = are_equal(killed / name, whole / name);
    all_equal = all_equal && equal;
    const double megabytes = static_cast<double>(fs::file_size(whole / name)) / 1e6;
    fmt::print("{:20}  {} after two kill -9 and resumes ({:.1f} MB)\n", name,
               equal ? "identical" : "DIFFERENT", megabytes);
  }
  return all_equal;
}

/// A directory of the demo's own, removed at the end unless the user named it.
class workplace {
 public:
  explicit workplace(const std::string& given) : path_(given), temporary_(given.empty()) {
    if (temporary_) {
      std::string pattern = fs::temp_directory_path() / "card_velocity.XXXXXX";
      if (mkdtemp(pattern.data()) == nullptr) {
        fail("demo: no temporary directory '" + pattern + "'");
      }
      path_ = pattern;
    }
    if (fs::exists(path_) && !fs::is_empty(path_)) {
      throw std::runtime_error(
          fmt::format("demo: '{}' is not empty, wanted a directory of its own; name a new one",
                      path_.string()));
    }
    fs::create_directories(path_ / "killed");
    fs::create_directories(path_ / "uninterrupted");
  }
  workplace(const workplace&) = delete;
  workplace& operator=(const workplace&) = delete;
  ~workplace() {
    std::error_code ignored;
    if (temporary_) fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }
  bool temporary() const { return temporary_; }

 private:
  fs::path path_;
  bool temporary_;
};

/// Runs into `directory` with two kills on the way, and to the end. A run that is over before the
/// signal reaches it proves nothing: then all begins again.
outcome run_with_kills(const demo_options& options, const fs::path& directory) {
  constexpr int attempts = 10;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    outcome last = outcome::killed;
    for (const std::uint64_t kill_at : {options.count / 3, options.count / 3 * 2}) {
      if (last != outcome::killed) break;
      fmt::print(stderr, "{} {} payments, checkpoints every {}, to be killed at {}\n",
                 kill_at == options.count / 3 ? "running" : "resuming:", options.count,
                 options.every, kill_at);
      last = run_once(options, directory, kill_at);
    }
    if (last == outcome::killed) {
      fmt::print(stderr, "resuming: to the end\n");
      return run_once(options, directory, std::nullopt);
    }
    if (last == outcome::failed) return last;
    fmt::print(stderr, "that run ended before it was killed; once more\n");
    fs::remove_all(directory);
    fs::create_directories(directory);
  }
  throw std::runtime_error(fmt::format(
      "demo: all of {} runs ended before they were killed; give a larger --count", attempts));
}

}  // namespace

int run_demo(const demo_options& options) {
  // An interrupt from the keyboard ends the child; we go on, to remove the temporary directory.
  std::signal(SIGINT, [](int) {});
  const workplace place(options.directory);
  const fs::path killed = place.path() / "killed";
  const fs::path whole = place.path() / "uninterrupted";

  if (run_with_kills(options, killed) != outcome::finished) return 1;
  fmt::print(stderr, "running {} payments again, without being killed\n", options.count);
  const auto began = clock_type::now();
  if (run_once(options, whole, std::nullopt) != outcome::finished) return 1;
  const std::chrono::duration<double> seconds = clock_type::now() - began;

  if (const absl::Status status = print_report(killed, "", options.count); !status.ok()) {
    throw std::runtime_error(std::string(status.message()));
  }
  const bool all_equal = print_comparison(killed, whole);
  fmt::print("speed                 {:.0f} payments/s in one thread, with checkpoints every {}\n",
             static_cast<double>(options.count) / seconds.count(), options.every);
  fmt::print("files                 {}\n",
             place.temporary() ? "were temporary; --out DIR keeps them" : place.path().string());
  return all_equal ? 0 : 1;
}
