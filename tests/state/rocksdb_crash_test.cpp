// Real processes, really killed: a checkpoint holds one whole commit, and every commit that was
// reported.
#include <freshet/state/rocksdb.hpp>

#include "catch.hpp"
#include "process/program.hpp"
#include "state/checkpoint_files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace checkpoint_files;

namespace {

constexpr const char* directory_variable = "FRESHET_COMMIT_LOOP_DIRECTORY";
constexpr int report_descriptor = 3;

// What commit `number` changes: now and then many rows, so that kills also hit long writes.
std::vector<fr::state_change> changes_of(std::uint64_t number) {
  std::map<std::string, std::optional<std::string>> changes;
  const std::uint64_t rows = number % 8 == 0 ? 3000 : 10;
  for (std::uint64_t row = 1; row <= rows; ++row) {
    const std::string key = "0001" + std::to_string(number * row % 5003);
    changes[key] = (number + row) % 3 == 0
                       ? std::nullopt
                       : std::optional<std::string>(std::to_string(number) + std::string(40, 'v'));
  }
  std::vector<fr::state_change> result;
  for (auto& [key, value] : changes) result.push_back({key, std::move(value)});
  return result;
}

// The rows that all commits up to one leave behind.
class replay {
 public:
  const std::map<std::string, std::string>& rows_after(std::uint64_t number) {
    for (; done_ < number; ++done_) {
      for (const fr::state_change& change : changes_of(done_ + 1)) {
        if (change.value) {
          rows_[change.key] = *change.value;
        } else {
          rows_.erase(change.key);
        }
      }
    }
    return rows_;
  }

 private:
  std::uint64_t done_ = 0;
  std::map<std::string, std::string> rows_;
};

std::uint64_t commit_number(const std::optional<std::string>& manifest) {
  return manifest ? std::stoull(*manifest) : 0;
}

// A process of its own that commits until it is killed, telling each commit it was told has
// happened.
class committing_process {
 public:
  explicit committing_process(const std::string& directory) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    // This program runs again from its start: threads of RocksDB would not survive a mere fork.
    std::string program = fs::read_symlink("/proc/self/exe").string();
    std::string test = "[.commit_loop]";
    char* arguments[] = {program.data(), test.data(), nullptr};
    process_ = ::fork();
    if (process_ == 0) {
      ::setenv(directory_variable, directory.c_str(), 1);
      ::dup2(ends[1], report_descriptor);
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, 1);
      ::execv(program.c_str(), arguments);
      ::_exit(127);
    }
    REQUIRE(process_ > 0);
    ::close(ends[1]);
    reports_ = ends[0];
  }
  committing_process(const committing_process&) = delete;
  committing_process& operator=(const committing_process&) = delete;
  ~committing_process() {
    if (process_ > 0) kill();
    ::close(reports_);
  }

  // Waits for one report; false if the process ended instead.
  bool next_report() {
    std::uint64_t number = 0;
    if (::read(reports_, &number, sizeof number) != sizeof number) return false;
    reported_ = number;
    return true;
  }

  // Waits until it has created `path`.
  void await(const std::string& path) const {
    while (!fs::exists(path) && ::waitpid(process_, nullptr, WNOHANG) == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  // Kills it; returns the number of the last commit that it reported, 0 if none.
  std::uint64_t kill() {
    ::kill(process_, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(process_, &status, 0) == std::exchange(process_, -1));
    REQUIRE(WIFSIGNALED(status));  // It had not failed by itself.
    while (next_report()) {
    }
    return reported_;
  }

 private:
  pid_t process_ = -1;
  int reports_ = -1;
  std::uint64_t reported_ = 0;
};

void sleep_up_to(std::chrono::microseconds longest, std::mt19937_64& random) {
  const auto span = static_cast<std::uint64_t>(longest.count());
  std::this_thread::sleep_for(std::chrono::microseconds(random() % span));
}

// How long a new process takes from its directory to its first commit, here and now.
std::chrono::microseconds time_to_first_commit() {
  const temporary_directory home;
  committing_process process(home.path("state"));
  process.await(home.path("state"));
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(process.next_report());
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

// Returns the number of the commit found.
std::uint64_t check_whole_commit(const std::string& directory, std::uint64_t reported,
                                 replay& model) {
  const auto backend = open(directory);
  CAPTURE(backend.status().ToString(), reported);
  REQUIRE(backend.ok());
  const std::uint64_t found = commit_number(backend->get()->manifest().value());
  REQUIRE(found >= reported);
  REQUIRE(backend->get()->warnings().empty());  // No crash leaves what looks like damage.
  std::map<std::string, std::string> rows;
  REQUIRE(backend->get()->scan("", [&](std::string_view key, std::string_view value) {
    rows.emplace(key, value);
    return absl::OkStatus();
  }) == absl::OkStatus());
  REQUIRE(rows == model.rows_after(found));
  return found;
}

}  // namespace

// Not a test: what the process that is killed runs. The tests below would miss its reports if it
// failed.
TEST_CASE("commit until killed", "[.commit_loop]") {
  const char* directory = std::getenv(directory_variable);
  REQUIRE(directory != nullptr);
  auto backend = open(directory);
  REQUIRE(backend.ok());
  for (std::uint64_t number = commit_number(backend->get()->manifest().value()) + 1;; ++number) {
    REQUIRE(backend->get()->commit(changes_of(number), std::to_string(number), {}).ok());
    if (number % 4 == 0) REQUIRE(backend->get()->keep_copy().ok());
    REQUIRE(::write(report_descriptor, &number, sizeof number) == sizeof number);
  }
}

TEST_CASE("a checkpoint holds one whole commit, and all reported ones, after each of 40 kills",
          "[state][rocksdb][crash][slow]") {
  const std::uint64_t seed = 20261121;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const temporary_directory home;
  replay model;
  std::uint64_t last = 0;
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    committing_process process(home.path("state"));
    REQUIRE(process.next_report());
    sleep_up_to(std::chrono::milliseconds(60), random);
    const std::uint64_t found = check_whole_commit(home.path("state"), process.kill(), model);
    REQUIRE(found > last);
    last = found;
  }
}

TEST_CASE("a checkpoint killed while it is created holds a whole commit, or none and is usable",
          "[state][rocksdb][crash][slow]") {
  const std::uint64_t seed = 20261122;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  freshet::test::moment_range moments;
  moments.start_with(time_to_first_commit() * 4);
  int empty = 0;
  const auto all_the_same = [&](int rounds) { return empty == 0 || empty == rounds; };
  for (int round = 0; round < 40 || (all_the_same(round) && round < 1'000); ++round) {
    CAPTURE(round);
    const temporary_directory home;
    const std::string directory = home.path("state");
    replay model;
    {
      committing_process process(directory);
      process.await(directory);
      std::this_thread::sleep_for(moments.draw(random));
      const bool none = check_whole_commit(directory, process.kill(), model) == 0;
      moments.learn(none, false);  // Later after a kill before the first commit, else earlier.
      empty += none ? 1 : 0;
    }
    committing_process again(directory);
    REQUIRE(again.next_report());
    check_whole_commit(directory, again.kill(), model);
  }
  CHECK(empty > 0);  // Else no kill came before the first commit, and this test proved nothing.
  CHECK_FALSE(all_the_same(1'000));
}

TEST_CASE("a checkpoint that another process uses is refused until that process is killed",
          "[state][rocksdb][crash]") {
  const temporary_directory home;
  committing_process process(home.path("state"));
  REQUIRE(process.next_report());
  refuses(home.path("state"), "job", absl::StatusCode::kUnavailable, {"is in use"},
          may_change::yes);
  process.kill();
  REQUIRE(open(home.path("state")).ok());
}
