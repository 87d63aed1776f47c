// Checkpoints of trailing: jobs that crash anywhere end with the same bits, every record is written
// once, and what no span can see any more is gone.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/tumbling.hpp>

#include <array>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Thirds and sevenths, whose sums depend on the order of adding in their last bits.
double awkward(const event& of) {
  return static_cast<double>(of.value) / 3 + 1e9 / static_cast<double>(7 + of.value);
}

/// A pipeline over everything that stands below trailing, and what its sinks hold as text in which
/// other doubles are other texts.
struct job_under_test {
  script_handle<event> from;
  std::array<kept_rows_handle, 4> sinks = {keeper(), keeper(), keeper(), keeper()};

  explicit job_under_test(event_splits splits) : from(script_of(std::move(splits))) {}

  fr::pipeline compose() const {
    fr::pipeline p("trailing");
    const auto events = p.from("events", scripted<event>(from)) |
                        fr::event_time(&event::at, fr::bounded_disorder{5us});
    const auto features =
        events | fr::key_by(&event::key) |
        fr::trailing("t", {10us, 60us, {200us, {.resolution = 8us}}}, {.allowed_lateness = 10us},
                     fr::count("n"), fr::sum("sum", awkward), fr::stddev("deviation", awkward));
    features | fr::to("features", keep_rows_in(sinks[0]));
    features.late() | fr::to("late", keep_rows_in(sinks[1]));
    features |
        fr::sample("s", fr::rarity(&event::key, {.rate = 0.5, .half_life = 40us, .epoch = 10us})) |
        fr::to("sample", keep_rows_in(sinks[2]));
    using row = decltype(features)::value_type;
    features | fr::key_by(&event::value) |
        fr::window(fr::tumbling{20us}, {.allowed_lateness = 20us}) |
        fr::aggregate("w", fr::max("sum_max",
                                   [](const row& each) { return std::get<1>(each.trailing[1]); })) |
        fr::to("windows", keep_rows_in(sinks[3]));
    return p;
  }

  std::vector<rows_of_text> rows() const {
    std::vector<rows_of_text> all;
    for (const auto& each : sinks) all.push_back(sorted(each->visible()));
    return all;
  }
};

event_splits random_splits(std::mt19937_64& random) {
  event_splits splits(1 + random() % 3);
  for (auto& split : splits) {
    std::int64_t now = -40;
    for (std::size_t i = random() % 120; i > 0; --i) {
      now += static_cast<std::int64_t>(random() % 3);
      const auto behind = static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 30 : 7));
      const std::string key(1, static_cast<char>('a' + random() % 2));
      split.push_back({key, static_cast<std::int64_t>(random() % 100), tick(now - behind)});
    }
  }
  return splits;
}

/// Passes everything on, and counts what is written.
class counting_backend final : public fr::state_backend {
 public:
  struct counts {
    std::size_t puts = 0;
    std::size_t erased = 0;
  };

  counting_backend(std::unique_ptr<fr::state_backend> to, std::shared_ptr<counts> into)
      : to_(std::move(to)), counts_(std::move(into)) {}

  absl::StatusOr<std::optional<std::string>> manifest() override { return to_->manifest(); }
  absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view, std::string_view)> row) override {
    return to_->scan(prefix, row);
  }
  absl::Status commit(std::vector<fr::state_change> changes, std::string_view manifest,
                      const std::vector<fr::state_horizon>& horizons) override {
    for (const fr::state_change& each : changes) {
      ++(each.value ? counts_->puts : counts_->erased);
    }
    return to_->commit(std::move(changes), manifest, horizons);
  }
  bool commits_quickly() const override { return to_->commits_quickly(); }

 private:
  std::unique_ptr<fr::state_backend> to_;
  std::shared_ptr<counts> counts_;
};

/// A job over one split that commits often, stops before its end, and what it wrote.
struct written {
  std::shared_ptr<fr::memory_checkpoint> checkpoint = std::make_shared<fr::memory_checkpoint>();
  std::shared_ptr<counting_backend::counts> counts = std::make_shared<counting_backend::counts>();

  template <std::size_t Spans>
  written(std::vector<event> log, const fr::trailing_span (&spans)[Spans]) {
    auto from = script_of({std::move(log)});
    from->chunk_max = 10;
    from->chunks_vary = false;
    from->crash_after = from->splits[0].size();
    from->splits[0].push_back({"end", 0, tick(1 << 30)});
    fr::pipeline p("p");
    p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{20us}) | fr::key_by(&event::key) |
        fr::trailing("t", spans, fr::count("n")) | fr::to("rows", keep_rows_in(keeper()));
    fr::run_options options = committing_to(checkpoint);
    options.checkpoint.backend = [this]() -> absl::StatusOr<std::unique_ptr<fr::state_backend>> {
      return std::make_unique<counting_backend>(fr::memory_backend(checkpoint), counts);
    };
    REQUIRE(p.run(options).code() == absl::StatusCode::kAborted);
    REQUIRE(checkpoint->commits > log_size(*from) / 10 - 2);
  }
  static std::size_t log_size(const script<event>& from) { return from.splits[0].size(); }
};

/// `count` records of keys that change every 500 us, one each 2 us.
std::vector<event> wandering_log(std::int64_t count) {
  std::vector<event> all;
  for (std::int64_t i = 0; i < count; ++i) {
    all.push_back({"key " + std::to_string(i / 250), i, tick(2 * i)});
  }
  return all;
}

}  // namespace

TEST_CASE("trailing ends with the same bits wherever the job crashed",
          "[pipeline][trailing][resume]") {
  std::mt19937_64 random(61);
  constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
  int runs = 0;
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const event_splits splits = random_splits(random);
    const job_under_test whole(splits);
    fr::pipeline uninterrupted = whole.compose();
    run_to_end(uninterrupted);

    const job_under_test job(splits);
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    for (bool done = false; !done; ++runs) {
      job.from->seed = random();
      job.from->chunk_max = 1 + random() % 30;
      job.from->crash_after = random() % 6 != 0 ? random() % 40 : never;
      fr::pipeline p = job.compose();
      done = p.run(committing_to(commits)).ok();
    }
    REQUIRE(job.rows() == whole.rows());
  }
  CHECK(runs > 180);  // Else this test interrupts too little to show anything.
}

TEST_CASE("a checkpoint holds every record of trailing once", "[pipeline][trailing][resume]") {
  const std::size_t count = 2000;
  const written exact(wandering_log(count), {1s});
  // Each was written when it came, waiting, and when it had had its turn; the last ten wait.
  REQUIRE(exact.counts->puts <= 2 * count);
  REQUIRE(exact.counts->puts >= 2 * count - 40);
  REQUIRE(exact.counts->erased == 0);
}

TEST_CASE("a checkpoint holds what spans can see, and no more", "[pipeline][trailing][resume]") {
  // 50 records in 100 us of span, and about 10 in the disorder.
  const written exact(wandering_log(2000), {100us, 30us});
  REQUIRE(exact.checkpoint->rows.size() >= 50);
  REQUIRE(exact.checkpoint->rows.size() <= 80);
  // 10 panes, 5 records in the open one.
  const written coarse(wandering_log(2000), {{100us, {.resolution = 10us}}});
  REQUIRE(coarse.checkpoint->rows.size() >= 10);
  REQUIRE(coarse.checkpoint->rows.size() <= 40);
}

TEST_CASE("a checkpoint of other spans, edges or moments of emitting is refused",
          "[pipeline][trailing][resume]") {
  const auto rows = keeper();
  const auto compose = [&](const fr::trailing_span& span, fr::trailing_options options,
                           std::size_t crash_after) {
    auto from = script_of({events_at({1, 2, 3, 4})});
    from->chunk_max = 1;
    from->chunks_vary = false;
    from->crash_after = crash_after;
    const fr::trailing_span spans[] = {span};
    fr::pipeline p("p");
    p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{0us}) | fr::key_by(&event::key) |
        fr::trailing("t", spans, options, fr::count("n")) | fr::to("rows", keep_rows_in(rows));
    return p;
  };
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline first = compose({10us}, {}, 2);
  REQUIRE(first.run(committing_to(commits)).code() == absl::StatusCode::kAborted);
  const auto refused = [&](const fr::trailing_span& span, fr::trailing_options options) {
    fr::pipeline p = compose(span, options, 100);
    return message_of(p.run(committing_to(commits)));
  };
  const auto refusal_of = [](const std::string& format) {
    return "checkpoint: state of trailing 't' has format [trailing 10us lateness 0s], the "
           "pipeline's "
           "is [" +
           format + "]; run it as it was, or give a new directory";
  };
  REQUIRE(refused({20us}, {}) == refusal_of("trailing 20us lateness 0s"));
  REQUIRE(refused({10us, {.resolution = 2us}}, {}) == refusal_of("trailing 10us/2us lateness 0s"));
  REQUIRE(refused({10us}, {.include_self = true}) ==
          refusal_of("trailing 10us with itself lateness 0s"));
  REQUIRE(refused({10us}, {.emit = fr::emit::on_arrival}) ==
          refusal_of("trailing 10us on arrival lateness 0s"));
  REQUIRE(refused({10us}, {}).empty());
}
