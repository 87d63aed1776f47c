// Instructions per event of the four main kernels, counted by callgrind, against a file of known
// counts. Times drift with the machine; counts of one compiler's code do not.
//
//     kernel_instructions baseline.txt            compares: exit code 0 equal enough, 1 not,
//                                                 77 nothing could be counted here
//     kernel_instructions baseline.txt --update   writes the counts of now
//
// The program runs itself under valgrind. Between two of callgrind's client requests it runs one
// kernel over n events, then over 3 n; half the difference is the cost of n events without that of
// starting and ending a job. Valgrind shows every program the same processor, so that what the C
// library chooses by processor is the same too, as long as the machine has AVX2; the file names the
// compiler that its counts are of.
#include "guard.hpp"
#include "kernels.hpp"

#include <fmt/core.h>
#include <valgrind/callgrind.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using kernels::load;

constexpr std::uint64_t events = 40'000;
constexpr std::uint64_t keys = 5'000;

struct kernel {
  const char* name;
  std::optional<kernels::answer> (*run)(std::uint64_t count);
};

/// Windows hold as much in a short run as in a long one. Each key has an event every 5 ms or so; a
/// session ends where there is none for 10 ms.
constexpr kernel all_kernels[] = {
    {"chain", [](std::uint64_t count) { return kernels::chain({count, keys}); }},
    {"tumbling", [](std::uint64_t count) { return kernels::tumbling({count, keys}, 20ms); }},
    {"sliding", [](std::uint64_t count) { return kernels::sliding({count, keys}, 20ms, 2ms); }},
    {"session", [](std::uint64_t count) { return kernels::session({count, keys}, 10ms); }},
};

/// Under callgrind: leaves one file of counts for each run.
int run_all() {
  for (const kernel& each : all_kernels) {
    if (!each.run(events)) return 1;  // Whatever happens once.
    for (const std::uint64_t count : {events, 3 * events}) {
      CALLGRIND_ZERO_STATS;
      if (!each.run(count)) return 1;
      CALLGRIND_DUMP_STATS_AT(fmt::format("{} {}", each.name, count).c_str());
    }
  }
  return 0;
}

class scratch_folder {
 public:
  scratch_folder() {
    std::string pattern = (fs::temp_directory_path() / "freshet_XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~scratch_folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// \return what `all_kernels` cost, or nothing where valgrind is not installed or fails.
std::optional<kernels::counts> count_all(const char* self) {
  const scratch_folder scratch;
  if (scratch.path().empty()) return std::nullopt;
  const std::string out = "--callgrind-out-file=" + (scratch.path() / "counts").string();
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("valgrind", "valgrind", "--quiet", "--tool=callgrind", out.c_str(), self, "--run",
             nullptr);
    ::_exit(127);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return std::nullopt;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  std::map<std::string, std::uint64_t> totals;
  for (const auto& entry : fs::directory_iterator(scratch.path())) {
    std::ifstream in(entry.path());
    if (const auto dump = kernels::read_dump(in)) totals[dump->trigger] = dump->total;
  }
  kernels::counts found;
  for (const kernel& each : all_kernels) {
    const auto once = totals.find(fmt::format("{} {}", each.name, events));
    const auto thrice = totals.find(fmt::format("{} {}", each.name, 3 * events));
    if (once == totals.end() || thrice == totals.end()) return std::nullopt;
    found.emplace_back(each.name, static_cast<double>(thrice->second - once->second) /
                                      static_cast<double>(2 * events));
  }
  return found;
}

constexpr int not_counted = 77;

int skip(std::string_view why) {
  fmt::print("kernel_instructions: skipped: {}\n", why);
  return not_counted;
}

int compare(const char* self, const char* path, bool update) {
  kernels::baseline known;
  if (!update) {
    std::ifstream in(path);
    std::string wrong;
    if (!in || !(wrong = kernels::read_baseline(in, known)).empty()) {
      fmt::print(stderr, "kernel_instructions: '{}': {}\n", path,
                 in || !wrong.empty() ? wrong : "cannot be read");
      return 1;
    }
    if (known.compiler != __VERSION__) {
      return skip(
          fmt::format("the baseline is of g++ {}, this is {}", known.compiler, __VERSION__));
    }
  }
  if (!__builtin_cpu_supports("avx2")) return skip("the machine has no AVX2");
  const auto found = count_all(self);
  if (!found) return skip("valgrind is not installed, or could not run; install valgrind");
  if (update) {
    std::ofstream out(path);
    out << kernels::text_of({__VERSION__, *found});
    return out.flush() ? 0 : 1;
  }
  const kernels::verdict judged = kernels::judge(*found, known.of);
  fmt::print("{}", judged.text);
  return judged.holds ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--run") return run_all();
  const bool update = argc == 3 && std::string_view(argv[2]) == "--update";
  if (argc < 2 || argc > 3 || (argc == 3 && !update)) {
    fmt::print(stderr, "kernel_instructions: wanted BASELINE.txt [--update]\n");
    return 1;
  }
  std::error_code failed;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", failed).string();
  return compare(failed ? argv[0] : self.c_str(), argv[1], update);
}
