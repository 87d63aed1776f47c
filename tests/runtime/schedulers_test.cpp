// Who runs tasks: that they really run at once, that one thread is enough for any job, and that a
// simulation can be repeated.
#include "runtime/parallel_support.hpp"

#include <freshet/pipeline/transform.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <set>

using namespace freshet;
using namespace freshet::test;

namespace {

/// Where as many callers as wanted meet: each waits for the others.
class meeting {
 public:
  explicit meeting(std::size_t wanted) : wanted_(wanted) {}
  void come() {
    std::unique_lock lock(mutex_);
    ++present_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return present_ >= wanted_; });
  }
  /// Comes, and goes on at once.
  void come_by() {
    const std::lock_guard lock(mutex_);
    ++present_;
    changed_.notify_all();
  }
  std::size_t present() {
    const std::lock_guard lock(mutex_);
    return present_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::size_t wanted_;
  std::size_t present_ = 0;
};

/// Threads of an application.
class host_pool {
 public:
  explicit host_pool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~host_pool() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& each : threads_) each.join();
  }
  host_pool(const host_pool&) = delete;
  host_pool& operator=(const host_pool&) = delete;

  scheduling workers() {
    return host_workers([this](std::function<void()> work) {
      {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(work));
      }
      changed_.notify_one();
    });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const std::function<void()> next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

using row_function = std::function<reading(const reading&)>;

/// A user function that meets the copies of other tasks at its first record.
row_function meets(meeting& at) {
  return [&at, met = false](const reading& each) mutable {
    if (!met) at.come();
    met = true;
    return each;
  };
}

/// So that batches are filled on their way, and sent when they have waited for long enough.
function_source in_small_reads(function_source of) {
  of.function = [whole = of.function](std::size_t split, std::uint64_t from, std::size_t limit,
                                      std::vector<reading>& rows) {
    return whole(split, from, std::min<std::size_t>(limit, 100), rows);
  };
  return of;
}

run_summary run_in(const scheduling& how, std::size_t parallelism, std::size_t splits,
                   std::uint64_t each_split, const row_function& function) {
  std::atomic<std::uint64_t> rows{0};
  pipeline p("scheduled");
  p.from("in", in_small_reads(counting_source(splits, each_split))) | rebalance() | map(function) |
      to("out", callback(sink_function([&](const reading&) { ++rows; })));
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = how;
  run_summary summary;
  const absl::Status done = p.run(options, &summary);
  INFO(done.ToString());
  REQUIRE(done.ok());
  REQUIRE(rows == splits * each_split);
  return summary;
}

void require_two_at_once(const scheduling& how) {
  meeting both(2);
  run_in(how, 2, 2, 5'000, meets(both));
  REQUIRE(both.present() == 2);
}

}  // namespace

TEST_CASE("two functions of one job run at once in the pool", "[runtime][scheduler]") {
  require_two_at_once(thread_pool(2));
}

TEST_CASE(
    "a pool runs any number of tasks on as many threads as it was given, or as there are cores",
    "[runtime][scheduler]") {
  const std::size_t cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  for (const auto& [given, at_most] :
       {std::pair<std::size_t, std::size_t>(1, 1), {3, 3}, {0, cores}}) {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    run_in(thread_pool(given), 8, 8, 5'000, [&](const reading& each) {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
      return each;
    });
    CHECK(seen.size() <= at_most);
    // Where there is one core, one task is all that a pool of its own choice has.
    if (at_most > 1 || given > 0) CHECK(!seen.contains(std::this_thread::get_id()));
  }
}

TEST_CASE("a thread that is blocked keeps no task from running while others are free",
          "[runtime][scheduler]") {
  // Of four tasks that are at home with the same two threads, one waits for all the others.
  meeting all(4);
  std::atomic<int> copies{0};
  run_in(thread_pool(2), 4, 4, 5'000, [&, number = -1, met = false](const reading& each) mutable {
    if (number < 0) number = copies.fetch_add(1);
    if (met) return each;
    met = true;
    if (number == 0) {
      all.come();
    } else {
      all.come_by();
    }
    return each;
  });
  REQUIRE(all.present() == 4);
}

TEST_CASE("a pool of more threads than there can be tasks is refused", "[runtime][scheduler]") {
  pipeline p("scheduled");
  p.from("in", counting_source(1, 1)) | to("out", callback(sink_function([](const reading&) {})));
  REQUIRE(p.run({.parallelism = 2, .scheduler = thread_pool(129)}) ==
          absl::InvalidArgumentError("pipeline 'scheduled': thread_pool has 129 threads, wanted at "
                                     "most 128; give 0 for one per core"));
}

TEST_CASE("two functions of one job run at once in a oneTBB arena", "[runtime][scheduler][tbb]") {
  require_two_at_once(tbb_arena());
}

TEST_CASE("two functions of one job run at once on the threads of the host",
          "[runtime][scheduler]") {
  host_pool host(2);
  require_two_at_once(host.workers());
}

TEST_CASE("a host with too few threads runs a job all the same, and the summary tells",
          "[runtime][scheduler]") {
  host_pool host(1);
  const auto as_it_is = [](const reading& each) { return each; };
  const run_summary told = run_in(host.workers(), 3, 3, 20'000, as_it_is);
  REQUIRE(told.warnings ==
          std::vector<std::string>{
              "the workers run 1 task at once, and parallelism is 3; give them more threads "
              "(oneTBB: hold a global_control of one more than that), or ask for less"});
  REQUIRE(told.to_text().find(told.warnings[0] + "\n") != std::string::npos);
  // The same job in threads of its own has nothing to complain about.
  REQUIRE(run_in(thread_pool(3), 3, 3, 20'000, as_it_is).warnings.empty());
}

TEST_CASE("a pool that is left to itself has no more tasks than there are cores, and says so",
          "[runtime][scheduler]") {
  const std::size_t cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  const auto as_it_is = [](const reading& each) { return each; };
  const auto mapping_tasks = [](const run_summary& of) {
    return std::count_if(of.metrics.tasks.begin(), of.metrics.tasks.end(),
                         [](const auto& each) { return each.operators.back().starts_with("map"); });
  };
  const std::size_t asked = std::min<std::size_t>(128, cores + 2);
  if (asked <= cores) return;  // A job has no more tasks than key groups, of which there are 128.
  const run_summary limited = run_in(thread_pool(), asked, 2, 5'000, as_it_is);
  REQUIRE(limited.warnings.size() == 1);
  CHECK(limited.warnings[0].starts_with("parallelism is " + std::to_string(asked) + ", and there"));
  if (cores > 1) CHECK(mapping_tasks(limited) == static_cast<std::ptrdiff_t>(cores));
  const run_summary forced = run_in(thread_pool(asked), asked, 2, 5'000, as_it_is);
  CHECK(forced.warnings.empty());
  CHECK(mapping_tasks(forced) == static_cast<std::ptrdiff_t>(asked));
}

TEST_CASE("a host may run slices after its jobs have ended", "[runtime][scheduler]") {
  // Work that comes late: the host keeps each piece until it is asked, and one more at the end.
  std::mutex mutex;
  std::vector<std::function<void()>> kept;
  {
    host_pool host(2);
    const scheduling workers = host.workers();
    const auto keeps_copies = host_workers([&](std::function<void()> work) {
      {
        const std::lock_guard lock(mutex);
        kept.push_back(work);
      }
      workers.enqueue([work] { work(); });
    });
    run_in(keeps_copies, 2, 2, 2'000, [](const reading& each) { return each; });
  }
  REQUIRE(!kept.empty());
}

TEST_CASE("a simulation with one seed calls functions in one order, however slow they are",
          "[runtime][scheduler]") {
  using clock = std::chrono::steady_clock;
  const auto order_of = [](std::uint64_t seed, std::chrono::milliseconds slow = {}) {
    std::vector<std::pair<std::int64_t, std::int64_t>> calls;
    run_in(simulation(seed), 3, 3, 6'000, [&calls, slow](const reading& each) {
      calls.emplace_back(each.key, each.number);
      const clock::time_point began = clock::now();
      while (each.number % 500 == 0 && clock::now() - began < slow) {
      }
      return each;
    });
    return calls;
  };
  std::size_t others = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const auto first = order_of(seed);
    INFO("seed " << seed);
    REQUIRE(first.size() == 18'000);
    const bool same = order_of(seed, std::chrono::milliseconds(2)) == first;
    REQUIRE(same);
    if (order_of(seed + 100) != first) ++others;
  }
  REQUIRE(others > 0);
}
