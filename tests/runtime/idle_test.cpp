// A source that has nothing is left alone until it calls.
#include "runtime/parallel_support.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

/// A split that counts how often it is read, and gives a record for every `call`.
struct quiet_split {
  std::mutex mutex;
  std::function<void()> wake;
  std::uint64_t waiting = 0;
  bool closed = false;
  std::atomic<std::uint64_t> reads{0};

  void call(std::uint64_t records, bool last = false) {
    const std::lock_guard lock(mutex);
    waiting += records;
    closed = last;
    wake();
  }
};

class quiet_reader final : public split_reader<reading> {
 public:
  explicit quiet_reader(quiet_split& of) : of_(of) {}
  absl::StatusOr<read_state> read(std::size_t, batch<reading>& rows,
                                  std::vector<dead_letter>&) override {
    const std::lock_guard lock(of_.mutex);
    of_.reads.fetch_add(1);
    for (; of_.waiting > 0; --of_.waiting) {
      rows.values.push_back({});
      rows.positions.push_back({count_++, 0, 0});
    }
    return of_.closed ? read_state::end : read_state::idle;
  }
  std::string position() const override { return std::to_string(count_); }
  void wake_with(std::function<void()> wake) override { of_.wake = std::move(wake); }

 private:
  quiet_split& of_;
  std::uint64_t count_ = 0;
};

struct quiet_source {
  using value_type = reading;
  quiet_split* of;

  class opened final : public source<reading> {
   public:
    explicit opened(quiet_split& of) : of_(of) {}
    std::vector<std::string> splits() const override { return {"quiet"}; }
    bool bounded() const override { return false; }
    absl::StatusOr<std::unique_ptr<split_reader<reading>>> open(
        std::size_t, std::optional<std::string_view>) override {
      return std::make_unique<quiet_reader>(of_);
    }

   private:
    quiet_split& of_;
  };

  absl::StatusOr<std::unique_ptr<source<reading>>> open() const {
    return std::make_unique<opened>(*of);
  }
};

}  // namespace

TEST_CASE("a source that has nothing is not read while another is busy", "[runtime][idle]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  constexpr std::uint64_t each_split = 100'000;
  quiet_split quiet;
  std::atomic<std::uint64_t> busy_rows{0};
  std::atomic<std::uint64_t> quiet_rows{0};
  pipeline p("half idle");
  p.from("quiet", quiet_source{&quiet}) |
      to("quiet", callback(sink_function([&](const reading&) { ++quiet_rows; })));
  p.from("busy", counting_source(2, each_split)) |
      to("busy", callback(sink_function([&](const reading&) { ++busy_rows; })));
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = thread_pool(parallelism);
  auto job = p.start(options);
  REQUIRE(job.ok());
  // Once to find out that there is nothing, in hundreds of slices.
  wait_until([&] { return busy_rows == 2 * each_split && quiet.reads > 0; });
  CHECK(quiet.reads == 1);
  // One read for one call, though several calls may share it.
  for (std::uint64_t calls = 1; calls <= 5; ++calls) {
    quiet.call(1);
    wait_until([&] { return quiet_rows == calls; });
    CHECK(quiet.reads == 1 + calls);
  }
  quiet.call(1, true);
  REQUIRE(job->wait().ok());
  CHECK(quiet_rows == 6);
  CHECK(quiet.reads == 7);
}

TEST_CASE("rows of a source that falls silent arrive without anything that follows them",
          "[runtime][idle]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  quiet_split quiet;
  std::atomic<std::uint64_t> rows{0};
  pipeline p("silent");
  p.from("quiet", quiet_source{&quiet}) |
      to("quiet", callback(sink_function([&](const reading&) { ++rows; })));
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = thread_pool(parallelism);
  options.flush_after = std::chrono::hours(1);  // It is not the clock that sends them.
  auto job = p.start(options);
  REQUIRE(job.ok());
  std::uint64_t wanted = 0;
  for (std::uint64_t records = 1; records < 3000; records *= 7) {
    quiet.call(records);
    wanted += records;
    wait_until([&] { return rows == wanted; });
  }
  quiet.call(0, true);
  REQUIRE(job->wait().ok());
}
