#include "process/program.hpp"

#include "catch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

extern char** environ;

namespace freshet::test {

namespace fs = std::filesystem;

namespace {

/// How often a running process is looked at.
constexpr std::chrono::microseconds glance_every{100};

/// Less room in memory than this is left alone.
constexpr std::uintmax_t memory_bytes_wanted = std::uintmax_t{512} << 20U;

}  // namespace

arguments operator+(arguments first, const arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

scratch_folder::scratch_folder(medium where) {
  const fs::path memory = "/dev/shm";
  std::error_code none;
  const bool in_memory = where == medium::memory && ::access(memory.c_str(), W_OK) == 0 &&
                         fs::space(memory, none).available >= memory_bytes_wanted;
  const fs::path parent = in_memory ? memory : fs::temp_directory_path();
  path_ = (parent / "freshet_test_XXXXXX").string();
  REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

scratch_folder::~scratch_folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string scratch_folder::file(const std::string& name, std::string_view text) const {
  std::ofstream(*this / name, std::ios::binary) << text;
  return *this / name;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  INFO("reading " << path);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

bool has_commits(const std::string& directory) {
  const std::string identity = directory + "/FRESHET";
  return exists(identity) && !says(content(identity), "\ncommitted no\n");
}

std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    all[entry.path().string()] =
        entry.is_regular_file() ? content(entry.path().string()) : "(no regular file)";
  }
  return all;
}

std::string built_program(const std::string& name) {
  const char* build = ::getenv("FRESHET_BUILD_DIR");
  if (build == nullptr) FAIL("FRESHET_BUILD_DIR is not set; run this test with ctest");
  return std::string(build) + "/" + name;
}

running_program::running_program(const std::string& program, const arguments& given,
                                 std::string errors_path)
    : errors_path_(std::move(errors_path)) {
  std::vector<std::string> words = arguments{program} + given;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors_path_.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  const int error =
      ::posix_spawn(&process_, program.c_str(), &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  INFO("starting " << program);
  REQUIRE(error == 0);
}

running_program::~running_program() {
  if (status_) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

bool running_program::ended_within(std::chrono::microseconds limit,
                                   const std::function<bool()>& until) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!status_) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) status_ = status;
    const auto now = std::chrono::steady_clock::now();
    if (status_ || now >= deadline || (until && until())) break;
    const std::chrono::nanoseconds left = deadline - now;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, glance_every));
  }
  return status_.has_value();
}

ending running_program::kill() {
  if (!status_) ::kill(process_, SIGKILL);
  return collect();
}

ending running_program::wait() {
  return collect();
}

ending running_program::collect() {
  int status = 0;
  while (!status_) {
    const pid_t found = ::waitpid(process_, &status, 0);
    if (found == process_) status_ = status;
    if (found < 0) REQUIRE(errno == EINTR);
  }
  ending how;
  how.killed = WIFSIGNALED(*status_);
  how.errors = content(errors_path_);
  INFO(how.errors);
  // Any other signal than ours is a crash.
  if (how.killed) REQUIRE(WTERMSIG(*status_) == SIGKILL);
  if (!how.killed) how.exit_code = WEXITSTATUS(*status_);
  return how;
}

}  // namespace freshet::test
