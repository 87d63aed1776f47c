// The job that the crash tests kill: a source of several splits, an exchange by key, sliding and
// session windows, a function with timers, a sampler, late records, a transactional sink of each,
// and a table of the newest rows of one. Its rows depend on the first two numbers alone, but for
// their order.
//
//     freshet_crash_job ROWS SEED PARALLELISM EVERY OUT [STATE [STOP]]
//
// ROWS: of each split. EVERY: between two commits, such as 5ms. OUT: the folder of its outputs.
// STATE: of its checkpoints. STOP: after so many records of each split there are none for now, and
// the job is asked to stop. It exits with 0 when it has come to the end, or has stopped.
#include "crash/silence.hpp"

#include <freshet/connectors/csv.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fr = freshet;
using freshet::test::silence;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t splits = 4;

struct reading {
  std::string device;
  fr::timestamp at;
  std::int64_t value = 0;
  bool alarm = false;
};
BOOST_DESCRIBE_STRUCT(reading, (), (device, at, value, alarm))

/// Record `number` of a split. Few devices have half of all records, and are heard of all the time;
/// the others fall silent. Some records come far too late.
reading reading_at(std::uint64_t seed, std::uint64_t split, std::uint64_t number) {
  auto draw = [&, count = std::uint64_t{0}](std::uint64_t below) mutable {
    return static_cast<std::int64_t>(
        fr::mix_bits(fr::mix_bits(seed * 8 + split) + number * 16 + ++count) % below);
  };
  const std::int64_t device = draw(2) == 0 ? draw(5) : 5 + draw(2000);
  const std::int64_t behind = draw(50) == 0 ? draw(9'000) : draw(900);
  const std::int64_t at = static_cast<std::int64_t>(number) * 2 - behind;
  return {"device " + std::to_string(device), fr::timestamp{std::chrono::milliseconds(at)},
          draw(1000), draw(200) == 0};
}

class readings final : public fr::source<reading> {
 public:
  readings(std::uint64_t rows, std::uint64_t seed, std::uint64_t stop)
      : rows_(rows), seed_(seed), stop_(std::min(stop, rows)) {}

  std::vector<std::string> splits() const override { return {"north", "east", "south", "west"}; }
  absl::StatusOr<std::unique_ptr<fr::split_reader<reading>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    const std::uint64_t next = position ? std::stoull(std::string(*position)) : 0;
    return std::make_unique<reader>(*this, split, next);
  }

 private:
  class reader final : public fr::split_reader<reading> {
   public:
    reader(const readings& of, std::size_t split, std::uint64_t next)
        : of_(of), split_(split), next_(next) {}
    absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<reading>& rows,
                                        std::vector<fr::dead_letter>&) override {
      for (; limit > 0 && next_ < of_.stop_; --limit, ++next_) {
        rows.values.push_back(reading_at(of_.seed_, split_, next_));
        rows.positions.push_back({next_, 0, 0});
      }
      if (next_ == of_.rows_) return fr::read_state::end;
      return next_ < of_.stop_ ? fr::read_state::more : fr::read_state::idle;
    }
    std::string position() const override { return std::to_string(next_); }

   private:
    const readings& of_;
    std::size_t split_;
    std::uint64_t next_;
  };

  std::uint64_t rows_;
  std::uint64_t seed_;
  std::uint64_t stop_;
};

struct all_readings {
  using value_type = reading;
  std::uint64_t rows = 0;
  std::uint64_t seed = 0;
  std::uint64_t stop = 0;
  absl::StatusOr<std::unique_ptr<fr::source<reading>>> open() const {
    return std::make_unique<readings>(rows, seed, stop);
  }
};

struct last_heard {
  std::int64_t count = 0;
  fr::timestamp last = fr::timestamp_min;
};
BOOST_DESCRIBE_STRUCT(last_heard, (), (count, last))

/// Tells of devices that have been silent for two seconds of event time.
struct silences {
  using state = last_heard;
  void process(const reading& row, last_heard& of, auto& context) const {
    ++of.count;
    if (row.at <= of.last) return;
    if (of.last > fr::timestamp_min) context.delete_event_timer(of.last + 2s);
    of.last = row.at;
    context.set_event_timer(of.last + 2s);
  }
  void on_timer(const fr::timer&, last_heard& of, auto& context) const {
    context.emit(silence{context.key(), of.last, of.count});
  }
};

void compose(fr::pipeline& p, const all_readings& in, const std::string& out) {
  const auto into = [&](const std::string& name) {
    return fr::to(name, fr::csv::write(out + "/" + name + ".csv"));
  };
  const auto all = p.from("readings", in) | fr::event_time(&reading::at, fr::bounded_disorder{1s});
  const auto keyed = all | fr::key_by(&reading::device);

  const auto sliding = keyed | fr::window(fr::sliding(4s, 1s), {.allowed_lateness = 2s}) |
                       fr::aggregate("recent", fr::count("n"), fr::sum("sum", &reading::value),
                                     fr::max("max", &reading::value));
  sliding | into("recent");
  sliding.late() | into("late");
  keyed | fr::window(fr::session(700ms)) |
      fr::aggregate("visits", fr::count("n"), fr::max("max", &reading::value)) | into("visits");
  const auto silent = all | fr::ordered("in order") | fr::key_by(&reading::device) |
                      fr::process<silence>("silences", silences{});
  silent | into("silences");
  silent | fr::to("last silence", fr::upsert(&silence::device));
  all | fr::sample("training", fr::rarity(&reading::alarm, {.rate = 0.2})) | into("training");
}

absl::Status run(const std::vector<std::string>& given) {
  fr::pipeline p("crash");
  const bool stops = given.size() > 6;
  all_readings in{std::stoull(given[0]), std::stoull(given[1])};
  in.stop = stops ? std::stoull(given[6]) : in.rows;
  compose(p, in, given[4]);
  fr::run_options options;
  options.parallelism = std::stoull(given[2]);
  options.scheduler = fr::thread_pool(options.parallelism);
  options.rebalance_every = 20ms;
  if (given.size() > 5) {
    options.checkpoint.directory = given[5];
    options.checkpoint.every = *fr::parse_duration(given[3]);
  }
  absl::StatusOr<fr::job> job = p.start(options);
  if (!job.ok()) return job.status();
  if (stops) {
    while (job->metrics().records() < splits * in.stop && !job->wait_for(1ms)) {
    }
    job->stop();
  }
  absl::Status done = job->wait();
  if (done.ok()) fmt::print("{}", job->summary().to_text());
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> given(argv + 1, argv + argc);
  if (given.size() < 5 || given.size() > 7) {
    fmt::print(stderr,
               "freshet_crash_job: wanted ROWS SEED PARALLELISM EVERY OUT [STATE [STOP]]\n");
    return 2;
  }
  try {
    const absl::Status done = run(given);
    if (done.ok()) return 0;
    fmt::print(stderr, "freshet_crash_job: {}\n", done.ToString());
  } catch (const std::exception& error) {
    fmt::print(stderr, "freshet_crash_job: {}\n", error.what());
  }
  return 1;
}
