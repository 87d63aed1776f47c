// State that does not fit into memory: with a limit rows are those of a run without one, whatever
// is dropped, read back, expires, fires, moves, and starts again.
#include "pipeline/process_support.hpp"
#include "state/checkpoint_files.hpp"

#include <freshet/state/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using checkpoint_files::medium;
using checkpoint_files::temporary_directory;

namespace {

constexpr std::size_t smallest = 1;           // A row or two in memory.
constexpr std::size_t some_rows = 80 * 1024;  // Some tens.

struct visits {
  fr::value_state<std::int64_t> sum{fr::ttl{.after = 400us}};
  fr::list_state<std::int64_t> recent{fr::ttl{.after = 90us}};
  fr::map_state<std::int64_t, std::string> texts{fr::ttl{.after = 2000us}};
};
BOOST_DESCRIBE_STRUCT(visits, (), (sum, recent, texts))

/// Tells what it knows of a key, sets and deletes timers, and forgets.
struct remembering {
  using state = visits;

  void process(const event& of, visits& kept, auto& context) const {
    if (of.value % 11 == 0) {
      kept.sum.clear();
      kept.recent.clear();
      kept.texts.clear();
    } else {
      kept.sum.set(kept.sum.value_or(0) + of.value);
      kept.recent.push_back(of.value);
      if (of.value % 3 == 0) kept.texts.set(of.value % 4, "a text of some length for " + of.key);
    }
    if (of.value % 5 == 0) context.set_event_timer(of.at + fr::duration{of.value % 700});
    if (of.value % 17 == 0) context.delete_event_timer(of.at + 35us);
    tell("after", kept, context);
  }
  void on_timer(const fr::timer& due, visits& kept, auto& context) const {
    tell("timer", kept, context);
    if (due.when.time_since_epoch().count() % 4 == 0) context.set_event_timer(due.when + 333us);
    if (due.when.time_since_epoch().count() % 7 == 0) kept.sum.clear();
  }

 private:
  static void tell(const std::string& what, visits& kept, auto& context) {
    context.emit(what + " " + context.key() + " " + cell_text(kept.sum.value_or(-1)) + " " +
                 cell_text(kept.recent.size()) + " " + cell_text(kept.texts.size()));
  }
};

const auto adding = only<std::string>(remembering{});

std::vector<event> log_of(std::size_t records, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<event> all;
  for (std::size_t i = 0; i < records; ++i) {
    // Some keys all the time, most now and then, so that they expire in between.
    const std::uint64_t key = random() % 3 == 0 ? random() % 8 : random() % 300;
    all.push_back({"k" + std::to_string(key), static_cast<std::int64_t>(random() % 1000),
                   tick(static_cast<std::int64_t>(i) * 3)});
  }
  return all;
}

script_handle<event> script_for(std::uint64_t seed) {
  auto from = script_of({log_of(3000, seed)});
  from->chunk_max = 40;
  from->seed = seed;
  return from;
}

process_rows wanted_rows(std::uint64_t seed) {
  process_rows wanted = run_cut(script_for(seed), {}, adding);
  wanted.rows = sorted(wanted.rows);
  return wanted;
}

struct limited_run {
  process_rows rows;
  std::uint64_t evicted = 0;
  std::uint64_t read_back = 0;
  std::uint64_t cold = 0;
  std::uint64_t moves = 0;
};

/// Runs to the end, in as many jobs as that takes.
limited_run run_limited(const script_handle<event>& from, fr::run_options options,
                        const std::vector<std::size_t>& parallelisms) {
  const auto rows = keeper();
  limited_run made;
  absl::Status done = absl::AbortedError("not yet");
  for (std::size_t run = 0; done.code() == absl::StatusCode::kAborted; ++run) {
    REQUIRE(run < 100);
    options.parallelism = parallelisms[run % parallelisms.size()];
    if (options.parallelism > 1) options.scheduler = fr::simulation(from->seed + run);
    fr::pipeline p("process");
    auto [main, beside] =
        adding(p.from("events", scripted<event>(from)) |
               fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key));
    main | fr::to("rows", keep_rows_in(rows));
    fr::run_summary summary;
    done = p.run(options, &summary);
    const fr::operator_metrics of = summary.metrics.of("process", "p");
    made.evicted += of.evicted;
    made.read_back += of.cold_read;
    made.cold = std::max(made.cold, of.cold_entries);
    made.moves += summary.metrics.moves;
  }
  INFO(done.ToString());
  REQUIRE(done.ok());
  made.rows.rows = sorted(rows->rows);
  return made;
}

}  // namespace

TEST_CASE("rows with a limit are those without one, in one task", "[runtime][memory_limit]") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const process_rows wanted = wanted_rows(seed);
    for (const std::size_t limit : {smallest, some_rows}) {
      INFO("seed " << seed << ", limit " << limit);
      auto options = committing_to(std::make_shared<fr::memory_checkpoint>());
      options.state.memory_limit = limit;
      const auto from = script_for(seed);
      const limited_run whole = run_limited(from, options, {1});
      REQUIRE(whole.rows == wanted);
      REQUIRE(whole.evicted > 300);
      REQUIRE(whole.read_back > 300);

      from->crash_after = 700;
      options = committing_to(std::make_shared<fr::memory_checkpoint>());
      options.state.memory_limit = limit;
      REQUIRE(run_limited(from, options, {1}).rows == wanted);
    }
  }
}

TEST_CASE("rows with a limit stay the same while key groups move and jobs rescale",
          "[runtime][memory_limit]") {
  std::uint64_t moves = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    auto options = committing_to(std::make_shared<fr::memory_checkpoint>());
    options.state.memory_limit = seed % 2 == 0 ? smallest : some_rows;
    options.channel_batches = 1;
    const auto from = script_for(seed);
    from->crash_after = 900;
    const limited_run made = run_limited(from, options, {2, 3, 1, 5});
    REQUIRE(made.rows == wanted_rows(seed));
    REQUIRE(made.read_back > 100);
    moves += made.moves;
  }
  REQUIRE(moves >= 5);
}

TEST_CASE("rows come back from a directory, also after restarts", "[runtime][memory_limit]") {
  for (const std::size_t parallelism : {1U, 3U}) {
    INFO("parallelism " << parallelism);
    const temporary_directory home(medium::memory);
    fr::run_options options;
    options.checkpoint.directory = home.path("state");
    options.checkpoint.every = 1us;
    options.state.memory_limit = some_rows;
    const auto from = script_for(77);
    from->crash_after = 1200;
    const limited_run made = run_limited(from, options, {parallelism});
    REQUIRE(made.rows == wanted_rows(77));
    REQUIRE(made.evicted > 100);
    REQUIRE(made.read_back > 100);
  }
}

TEST_CASE("a savepoint has the rows that are not in memory", "[runtime][memory_limit]") {
  const temporary_directory home(medium::memory);
  const auto from = script_for(5);
  const auto rows = keeper();
  const auto start = [&](const fr::run_options& options) {
    fr::pipeline p("process");
    auto [main, beside] =
        adding(p.from("events", scripted<event>(from)) |
               fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key));
    main | fr::to("rows", keep_rows_in(rows));
    absl::StatusOr<fr::job> job = p.start(options);
    INFO(job.status().ToString());
    REQUIRE(job.ok());
    return *std::move(job);
  };
  fr::run_options options;
  options.checkpoint.directory = home.path("state");
  options.checkpoint.every = 1us;
  options.state.memory_limit = some_rows;
  from->pause_after = 2000;
  {
    fr::job job = start(options);
    while (job.metrics().of("process", "p").records_in < 2000) std::this_thread::yield();
    REQUIRE(job.savepoint(home.path("saved")) == absl::OkStatus());
    REQUIRE(job.metrics().of("process", "p").evicted > 0);
    job.stop();
    REQUIRE(job.wait() == absl::OkStatus());
  }
  from->pause_after = std::numeric_limits<std::size_t>::max();
  options.checkpoint.directory = home.path("new");
  options.checkpoint.restore_from = home.path("saved");
  options.allow_duplicates = true;  // None come: nothing was read since then.
  options.state.memory_limit = 0;
  REQUIRE(start(options).wait() == absl::OkStatus());
  REQUIRE(sorted(rows->rows) == wanted_rows(5).rows);
}

TEST_CASE("a limit without a place for what does not fit is refused", "[runtime][memory_limit]") {
  class write_only final : public fr::state_backend {
   public:
    absl::StatusOr<std::optional<std::string>> manifest() override { return std::nullopt; }
    absl::Status scan(
        std::string_view,
        absl::FunctionRef<absl::Status(std::string_view, std::string_view)>) override {
      return absl::OkStatus();
    }
    absl::Status commit(std::vector<fr::state_change>, std::string_view,
                        const std::vector<fr::state_horizon>&) override {
      return absl::OkStatus();
    }
  };
  const auto refusal = [](const fr::run_options& options) {
    fr::pipeline p("limited");
    auto [main, beside] =
        adding(p.from("events", scripted<event>(script_for(1))) |
               fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key));
    main | fr::to("rows", keep_rows_in(keeper()));
    const absl::Status done = p.run(options);
    REQUIRE(done.code() == absl::StatusCode::kInvalidArgument);
    return std::string(done.message());
  };
  fr::run_options options;
  options.state.memory_limit = 1 << 20;
  REQUIRE(refusal(options) ==
          "pipeline 'limited': state.memory_limit is given without a checkpoint directory, where "
          "rows are that do not fit; give one");
  options.checkpoint.backend = []() -> absl::StatusOr<std::unique_ptr<fr::state_backend>> {
    return std::make_unique<write_only>();
  };
  REQUIRE(refusal(options) ==
          "checkpoint: state.memory_limit is given, and its backend cannot read rows back; give a "
          "directory, or a backend with read_rows");
}
