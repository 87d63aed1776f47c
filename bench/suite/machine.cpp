#include "machine.hpp"

#include <freshet/core/hash.hpp>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

namespace suite {

namespace {

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t begin = line.find(": ");
    if (begin != std::string::npos) return line.substr(begin + 2);
  }
  return "unknown";
}

std::uint64_t system_value(int name) {
  const long found = ::sysconf(name);
  return found < 0 ? 0 : static_cast<std::uint64_t>(found);
}

/// Makes the compiler believe that `value` is looked at.
void keep(std::uint64_t& value) {
  asm volatile("" : "+r"(value));
}

double mix64_per_second() {
  constexpr std::uint64_t count = 10'000'000;
  std::uint64_t value = 1;
  const double begin = thread_seconds();
  for (std::uint64_t i = 0; i < count; ++i) value = freshet::mix_bits(value);
  keep(value);
  return static_cast<double>(count) / (thread_seconds() - begin);
}

/// Walks over lines of 64 bytes in the order of a linear congruential generator of full period,
/// which no prefetcher follows.
double dependent_miss_ns(std::uint64_t memory_bytes) {
  struct line {
    std::uint64_t next;
    std::uint64_t unused[7];
  };
  std::uint64_t lines = std::uint64_t{1} << 22U;  // 256 MiB.
  while (lines > 1 << 16U && lines * sizeof(line) > memory_bytes / 8) lines /= 2;
  std::vector<line> all(lines);
  for (std::uint64_t i = 0; i < lines; ++i) {
    all[i].next = (i * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U) & (lines - 1);
  }
  constexpr std::uint64_t steps = 500'000;
  std::uint64_t at = 0;
  const double begin = thread_seconds();
  for (std::uint64_t i = 0; i < steps; ++i) at = all[at].next;
  keep(at);
  return (thread_seconds() - begin) * 1e9 / static_cast<double>(steps);
}

}  // namespace

double load_average() {
  double found[1] = {0};
  return ::getloadavg(found, 1) == 1 ? found[0] : 0;
}

circumstances circumstances_now(const std::string& commit, bool quick) {
  circumstances now;
  now.date = fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)));
  now.commit = commit;
  now.cpu = processor();
  now.cores = std::max(1U, std::thread::hardware_concurrency());
  now.l1_bytes = system_value(_SC_LEVEL1_DCACHE_SIZE);
  now.l2_bytes = system_value(_SC_LEVEL2_CACHE_SIZE);
  now.l3_bytes = system_value(_SC_LEVEL3_CACHE_SIZE);
  now.memory_bytes = system_value(_SC_PHYS_PAGES) * system_value(_SC_PAGE_SIZE);
  utsname system{};
  if (::uname(&system) == 0) now.kernel = fmt::format("{} {}", system.sysname, system.release);
#ifdef __clang__
  now.compiler = "clang " __clang_version__;
#else
  now.compiler = "g++ " __VERSION__;
#endif
  now.flags = FRESHET_FLAGS;
  now.load_before = load_average();
  now.quick = quick;
  return now;
}

void calibrate(circumstances& to) {
  to.mix64_per_second.push_back(mix64_per_second());
  to.dependent_miss_ns.push_back(dependent_miss_ns(to.memory_bytes));
}

}  // namespace suite
