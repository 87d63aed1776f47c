// Commits that take long are written while tasks go on.
//
// The backend of these tests is slow as long as a test wants: it waits for what the job does
// meanwhile, which a job that waits for its commit would never do. Half a minute without that is a
// failure.
#include "catch.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/job.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/state/memory.hpp>
#include <freshet/window/tumbling.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

struct number {
  std::uint64_t key = 0;
  std::uint64_t value = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(number, (), (key, value, at))

/// What a job, its backend, and its sink tell each other.
class watch {
 public:
  void note_record() {
    const std::lock_guard lock(mutex_);
    ++records_;
    changed_.notify_all();
  }
  void note_begun() {
    const std::lock_guard lock(mutex_);
    ++begun_;
    changed_.notify_all();
  }
  void note_durable() {
    const std::lock_guard lock(mutex_);
    ++durable_;
  }
  void note_published() {
    const std::lock_guard lock(mutex_);
    published_early_ |= ++published_ > durable_;
  }
  std::uint64_t records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  std::uint64_t begun() const {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  std::uint64_t published() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }
  bool published_early() const {
    const std::lock_guard lock(mutex_);
    return published_early_;
  }
  /// Waits no longer for what may not come any more.
  void end() {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  void wait_for_records(std::uint64_t count) {
    wait_until([&] { return records_ >= count; });
  }
  void wait_for_commit(std::uint64_t count) {
    wait_until([&] { return begun_ >= count; });
  }

 private:
  void wait_until(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ending_ || condition(); });
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t records_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t published_ = 0;
  bool published_early_ = false;
  bool ending_ = false;
};

using commit_function = std::function<absl::Status()>;

/// Calls `before` ahead of every commit to memory.
class slow_backend final : public fr::state_backend {
 public:
  slow_backend(std::unique_ptr<fr::state_backend> inner, std::shared_ptr<watch> told,
               commit_function before)
      : inner_(std::move(inner)), told_(std::move(told)), before_(std::move(before)) {}

  absl::StatusOr<std::optional<std::string>> manifest() override { return inner_->manifest(); }
  absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view, std::string_view)> row) override {
    return inner_->scan(prefix, row);
  }
  absl::Status commit(std::vector<fr::state_change> changes, std::string_view manifest,
                      const std::vector<fr::state_horizon>& horizons) override {
    told_->note_begun();
    absl::Status done = before_();
    if (done.ok()) done = inner_->commit(std::move(changes), manifest, horizons);
    if (done.ok()) told_->note_durable();
    return done;
  }

 private:
  std::unique_ptr<fr::state_backend> inner_;
  std::shared_ptr<watch> told_;
  commit_function before_;
};

struct watched_sink {
  std::shared_ptr<watch> told;

  template <class T>
  class opened final : public fr::sink<T> {
   public:
    explicit opened(std::shared_ptr<watch> told) : told_(std::move(told)) {}
    fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::at_least_once; }
    absl::Status start(std::optional<std::string_view>) override { return absl::OkStatus(); }
    absl::Status write(const fr::batch<T>&) override { return absl::OkStatus(); }
    absl::StatusOr<std::string> prepare() override { return std::string(); }
    absl::Status commit(std::string_view, bool) override {
      told_->note_published();
      return absl::OkStatus();
    }

   private:
    std::shared_ptr<watch> told_;
  };

  template <class T>
  absl::StatusOr<std::unique_ptr<fr::sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<opened<T>>(told);
  }
};

constexpr std::uint64_t keys = 500;

using sums = std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>>;

/// A job of one window over `count` numbers, of which `look(k)` is called for each.
struct setup {
  std::shared_ptr<watch> told = std::make_shared<watch>();
  std::shared_ptr<fr::memory_checkpoint> commits = std::make_shared<fr::memory_checkpoint>();
  commit_function before = [] { return absl::OkStatus(); };
  std::function<void(std::uint64_t)> look = [](std::uint64_t) {};
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  std::size_t parallelism = 1;
  sums rows;
  fr::pipeline p{"background"};

  void compose() {
    const auto made = [](std::uint64_t k) {
      return number{k * k % keys, k, fr::timestamp{fr::duration{static_cast<std::int64_t>(k)}}};
    };
    auto looked = p.from("numbers", fr::generate(made, {.count = count})) |
                  fr::event_time(&number::at, fr::ascending{}) | fr::map([this](number each) {
                    look(each.value);
                    told->note_record();
                    return each;
                  });
    looked | fr::to("watched", watched_sink{told});
    looked | fr::key_by(&number::key) | fr::window(fr::tumbling{24h * 365}) |
        fr::aggregate("sums", fr::count("count"), fr::sum("sum", &number::value)) |
        fr::to("rows", fr::callback([this](const auto& row) {
                 auto& [number_of, sum] = rows[row.key];
                 number_of += std::get<0>(row.values);
                 sum += std::get<1>(row.values);
               }));
  }
  fr::run_options options() {
    fr::run_options made;
    made.parallelism = parallelism;
    made.scheduler = fr::thread_pool(parallelism);
    made.checkpoint.every = 1ms;
    made.stop_within = 24h;
    made.checkpoint.backend = [this]() -> absl::StatusOr<std::unique_ptr<fr::state_backend>> {
      return std::make_unique<slow_backend>(fr::memory_backend(commits), told, before);
    };
    return made;
  }
};

}  // namespace

TEST_CASE("tasks go on while a commit is written, and sinks publish when it is durable",
          "[runtime][background_commit]") {
  for (const std::size_t parallelism : {1U, 3U}) {
    CAPTURE(parallelism);
    setup job;
    job.parallelism = parallelism;
    job.before = [&] {
      job.told->wait_for_records(job.told->records() + 5'000);  // Else it hangs here.
      return absl::OkStatus();
    };
    job.compose();
    auto running = job.p.start(job.options());
    REQUIRE(running.ok());
    job.told->wait_for_commit(4);
    job.told->end();
    running->stop();
    REQUIRE(running->wait().ok());
    REQUIRE_FALSE(job.told->published_early());
    REQUIRE(job.told->published() == job.commits->commits);
    REQUIRE(running->metrics().checkpoints == job.commits->commits);
  }
}

TEST_CASE("what is committed while tasks go on is all that came before, and nothing after",
          "[runtime][background_commit]") {
  constexpr std::uint64_t count = 60'000;
  sums wanted;
  for (std::uint64_t k = 0; k < count; ++k) {
    auto& [number_of, sum] = wanted[k * k % keys];
    ++number_of;
    sum += k;
  }
  for (const std::size_t parallelism : {1U, 3U}) {
    CAPTURE(parallelism);
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    // Each run fails some records after a commit of its own has begun.
    for (int run = 0; run < 4; ++run) {
      setup job;
      job.parallelism = parallelism;
      job.count = count;
      job.commits = commits;
      std::atomic<std::uint64_t> fails_at{std::numeric_limits<std::uint64_t>::max()};
      job.before = [&] {
        if (job.told->begun() == 3) fails_at = job.told->records() + 3'000;
        return absl::OkStatus();
      };
      job.look = [&](std::uint64_t) {
        if (run < 3 && job.told->records() >= fails_at) throw std::runtime_error("crash");
      };
      job.compose();
      const absl::Status done = job.p.run(job.options());
      if (!done.ok()) continue;
      REQUIRE(job.rows == wanted);
      break;
    }
    REQUIRE(commits->commits > 0);
  }
}

TEST_CASE("a commit that fails, or throws, ends the job", "[runtime][background_commit]") {
  for (const std::size_t parallelism : {1U, 3U}) {
    CAPTURE(parallelism);
    setup failing;
    failing.parallelism = parallelism;
    failing.before = [&] {
      return failing.told->begun() < 3 ? absl::OkStatus() : absl::UnavailableError("disk");
    };
    failing.compose();
    REQUIRE(failing.p.run(failing.options()) == absl::UnavailableError("disk"));
    REQUIRE(failing.commits->commits == 2);

    setup throwing;
    throwing.parallelism = parallelism;
    throwing.before = []() -> absl::Status { throw std::bad_alloc(); };
    throwing.compose();
    const absl::Status done = throwing.p.run(throwing.options());
    REQUIRE(done.code() == absl::StatusCode::kInternal);
    REQUIRE(throwing.told->published() == 0);
  }
}

TEST_CASE("a job that fails while a commit is written waits for it, and says why it failed",
          "[runtime][background_commit]") {
  for (const std::size_t parallelism : {1U, 3U}) {
    CAPTURE(parallelism);
    setup job;
    job.parallelism = parallelism;
    std::atomic<bool> thrown{false};
    job.look = [&](std::uint64_t) {
      if (job.told->begun() < 2) return;
      thrown = true;
      throw std::runtime_error("crash");
    };
    job.before = [&] {
      if (job.told->begun() >= 2) {
        while (!thrown) std::this_thread::yield();
      }
      return absl::OkStatus();
    };
    job.compose();
    const absl::Status done = job.p.run(job.options());
    REQUIRE(std::string(done.message()).find("crash") != std::string::npos);
    REQUIRE(job.commits->commits == 2);
    REQUIRE(job.told->published() <= 2);
  }
}

TEST_CASE("a job that is destroyed while a commit is written ends after it",
          "[runtime][background_commit]") {
  for (const std::size_t parallelism : {1U, 3U}) {
    CAPTURE(parallelism);
    setup job;
    job.parallelism = parallelism;
    job.before = [&] {
      job.told->wait_for_records(job.told->records() + 5'000);
      return absl::OkStatus();
    };
    job.compose();
    {
      auto running = job.p.start(job.options());
      REQUIRE(running.ok());
      job.told->wait_for_commit(2);
      job.told->end();
    }
    REQUIRE(job.commits->commits >= 2);
    REQUIRE_FALSE(job.told->published_early());
  }
}
