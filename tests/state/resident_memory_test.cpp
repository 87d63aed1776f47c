// A job with more state than its limit of memory, in a process of its own: what the system says
// that it has in memory stays within a quarter more than the limit, all of the program included.
#include "catch.hpp"

// Sanitizers need memory of their own.
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include "state/checkpoint_files.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/process.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fr = freshet;
using checkpoint_files::temporary_directory;

namespace {

constexpr std::size_t limit = std::size_t{64} << 20;
constexpr std::uint64_t keys = 200'000;  // Of about 1 KB: three times the limit.

struct visit {
  std::uint64_t key = 0;
};
BOOST_DESCRIBE_STRUCT(visit, (), (key))

struct page {
  std::uint64_t count = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(page, (), (count, text))

/// Emits how often a key has come, and fails where its text is another's.
struct counting {
  using state = page;
  void process(const visit& of, page& kept, auto& context) const {
    const std::string wanted = std::to_string(of.key);
    if (kept.count++ == 0) kept.text = wanted + std::string(1000, 'x');
    if (!kept.text.starts_with(wanted + "x")) throw std::logic_error("the text of another key");
    context.emit(kept.count);
  }
};

/// The most that this program has had in memory so far.
std::size_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word && word != "VmHWM:") {
  }
  std::size_t kilobytes = 0;
  status >> kilobytes;
  return kilobytes * 1024;
}

/// A test that the other one runs as a program; it tells that it came to its end.
constexpr const char* child = "a job in a process of its own";
constexpr const char* told_in = "FRESHET_RESIDENT_MEMORY_TOLD_IN";

}  // namespace

TEST_CASE(child, "[.]") {
  const temporary_directory home;
  fr::pipeline p("visits");
  std::uint64_t sum = 0;
  // Each key once, then as many of any.
  const auto visits = [](std::uint64_t n) { return visit{n < keys ? n : fr::mix_bits(n) % keys}; };
  p.from("visits", fr::generate(visits, {.count = 2 * keys})) | fr::key_by(&visit::key) |
      fr::process<std::uint64_t>("pages", counting{}) |
      fr::to("counts", fr::callback([&sum](std::uint64_t each) { sum += each; }));
  fr::run_options options;
  options.checkpoint.directory = home.path("state");
  options.checkpoint.copy_every = fr::duration::max();
  options.state.memory_limit = limit;
  fr::run_summary summary;
  REQUIRE(p.run(options, &summary) == absl::OkStatus());

  std::vector<std::uint64_t> counts(keys, 0);
  std::uint64_t wanted = 0;
  for (std::uint64_t n = 0; n < 2 * keys; ++n) wanted += ++counts[visits(n).key];
  REQUIRE(sum == wanted);
  const fr::operator_metrics pages = summary.metrics.of("process", "pages");
  REQUIRE(pages.state_entries == keys);
  REQUIRE(pages.cold_entries > keys / 2);
  REQUIRE(pages.state_bytes < limit);
  const std::size_t peak = peak_bytes();
  REQUIRE(peak > limit / 4);  // The system tells.
  REQUIRE(peak <= limit + limit / 4);
  const char* told = std::getenv(told_in);
  if (told != nullptr) std::ofstream(told) << "within";
}

TEST_CASE("a job with three times its limit of state stays within a quarter more than the limit",
          "[state][memory_limit]") {
  const temporary_directory home;
  const std::string told = home.path("told");
  const pid_t process = ::fork();
  if (process == 0) {
    ::setenv(told_in, told.c_str(), 1);
    ::execl("/proc/self/exe", "freshet", child, static_cast<char*>(nullptr));
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(process, &status, 0) == process);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  REQUIRE(checkpoint_files::read_file(told) == "within");
}

#endif
