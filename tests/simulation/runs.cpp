#include "simulation/runs.hpp"

#include <freshet/state/memory.hpp>

#include <absl/status/status.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

namespace freshet::simulated {

namespace {

/// So often a job is killed at most before it may end.
constexpr std::size_t kills_max = 4;

std::string text_of(const way& how) {
  constexpr const char* pauses[] = {"none", "waking", "asked"};
  constexpr const char* interruptions[] = {"no interruption", "kills", "a stop"};
  return fmt::format("reads of {}{}, pauses {}, {}, seed {}", how.rows_vary ? "0 to " : "",
                     how.rows_max, pauses[static_cast<std::size_t>(how.pauses)],
                     interruptions[static_cast<std::size_t>(how.interrupted)], how.seed);
}

/// A run that may take several jobs.
class running {
 public:
  running(const plan& all, const input_log& input, const way& how)
      : all_(all), input_(input), how_(how), random_(how.seed) {
    for (const source_log& each : input) records_ += each.records();
  }

  /// \return an error where a job did not do what it was told to.
  absl::Status to_the_end() {
    absl::Status ended;
    bool again = true;
    while (again) {
      const auto sources = instructions();
      pipeline made("simulation");
      compose(made, all_, input_, sources, taken_);
      const bool dies = sources->fail_after != replay::never || sources->crash->planned();
      again = dies || sources->halt_after != replay::never;
      ended = sources->halt_after != replay::never ? stop_one(made, *sources)
                                                   : made.run(options(*sources), &summary_);
      ++opening_;
      met_.moves += summary_.metrics.moves;
      met_.abandoned += summary_.metrics.checkpoints_abandoned;
      for (const operator_metrics& each : summary_.metrics.operators) {
        met_.evicted += each.evicted;
        met_.read_back += each.cold_read;
      }
      if (sources->crash->happened()) ++met_.crashes[static_cast<std::size_t>(point_)];
      if (dies && absl::IsAborted(ended)) continue;
      if (!ended.ok()) return ended;
      if (summary_.finished) again = false;
    }
    return ended;
  }

  /// What has been published at the end.
  const outputs& taken() const { return taken_; }
  const run_summary& summary() const { return summary_; }
  const std::string& schedules() const { return schedules_; }
  const happened& met() const { return met_; }

 private:
  /// What the sources do in the next job.
  std::shared_ptr<replay> instructions() {
    auto told = std::make_shared<replay>();
    told->rows_max = how_.rows_max;
    told->rows_vary = how_.rows_vary;
    told->pauses = how_.pauses;
    told->seed = how_.seed + 7919 * opening_;
    if (how_.interrupted == way::interruption::kills && opening_ < kills_max) {
      // Half of them die between two records, the others at some point of a commit.
      if (random_() % 2 == 0) {
        told->fail_after = random_() % (records_ / 2 + 2);
      } else {
        point_ = static_cast<crash_point>(random_() % crash_point_names.size());
        told->crash->plan(point_, 1 + random_() % 6);
      }
    }
    if (how_.interrupted == way::interruption::stop && opening_ == 0 && records_ > 0) {
      told->halt_after = random_() % records_;
    }
    return told;
  }

  run_options options(const replay& told) {
    run_options all;
    schedules_ += (opening_ == 0 ? "" : ", then ") + vary_schedule(all, how_, opening_);
    if (how_.interrupted == way::interruption::none) return all;
    all.checkpoint.backend =
        [kept = commits_, when = told.crash]() -> absl::StatusOr<std::unique_ptr<state_backend>> {
      return std::make_unique<crashing_backend>(memory_backend(kept), when);
    };
    // The clock moves whenever someone looks at it, so that commits come at seeded moments.
    all.checkpoint.every = duration{static_cast<std::int64_t>(1 + random_() % 20)};
    // From no limit to one for a few rows.
    all.state.memory_limit = one_of<std::size_t>(random_, {0, 0, 1, 66'000, 70'000, 100'000});
    schedules_ += fmt::format(", memory limit {}", all.state.memory_limit);
    all.clock = [moved = std::make_shared<std::atomic<std::int64_t>>(0)] {
      return at_tick(moved->fetch_add(1));
    };
    return all;
  }

  absl::Status stop_one(pipeline& made, replay& sources) {
    absl::StatusOr<job> started = made.start(options(sources));
    if (!started.ok()) return started.status();
    sources.wait_until_halted();
    started->stop();
    const absl::Status ended = started->wait();
    summary_ = started->summary();
    if (ended.ok() && summary_.finished) return absl::InternalError("it finished before its stop");
    return ended;
  }

  const plan& all_;
  const input_log& input_;
  const way& how_;
  std::mt19937_64 random_;
  std::size_t records_ = 0;
  std::size_t opening_ = 0;
  std::string schedules_;
  std::shared_ptr<memory_checkpoint> commits_ = std::make_shared<memory_checkpoint>();
  outputs taken_;
  run_summary summary_;
  crash_point point_{};
  happened met_;
};

std::string text_of(const std::vector<event>& rows) {
  constexpr std::size_t shown = 6;
  std::string text;
  for (std::size_t i = 0; i < std::min(rows.size(), shown); ++i) {
    text += fmt::format(" {}:{}@{}", rows[i].key, rows[i].value, tick_of(rows[i].at));
  }
  return rows.size() > shown ? text + fmt::format(" and {} more", rows.size() - shown) : text;
}

std::vector<event> only_in(std::vector<event> all, std::vector<event> others) {
  std::sort(all.begin(), all.end());
  std::sort(others.begin(), others.end());
  std::vector<event> rest;
  std::set_difference(all.begin(), all.end(), others.begin(), others.end(),
                      std::back_inserter(rest));
  return rest;
}

std::map<std::int64_t, std::vector<event>> by_key(const std::vector<event>& rows) {
  std::map<std::int64_t, std::vector<event>> keys;
  for (const event& each : rows) keys[each.key].push_back(each);
  return keys;
}

std::string compared(const flow& wanted, const std::vector<event>& found) {
  std::vector<event> rows;
  for (const row& each : wanted.rows) rows.push_back(each.value);
  const std::vector<event> missing = only_in(rows, found);
  const std::vector<event> others = only_in(found, rows);
  if (!missing.empty() || !others.empty()) {
    return fmt::format("rows missing:{}\n  rows instead:{}", text_of(missing), text_of(others));
  }
  if (!wanted.in_key_order) return {};
  const auto keys = by_key(found);
  for (const auto& [key, in_order] : by_key(rows)) {
    if (keys.at(key) == in_order) continue;
    return fmt::format("rows of key {} in another order:\n  wanted:{}\n  found:{}", key,
                       text_of(in_order), text_of(keys.at(key)));
  }
  return {};
}

/// The counters of an operator against what the oracle has counted.
std::string compared(const outcome& wanted, const plan_node& of, const std::string& name,
                     const job_metrics& metrics) {
  operator_metrics found;
  if (of.what == op::source) found = metrics.of("event_time", name);
  if (of.what == op::trailing) found = metrics.of("trailing", name);
  if (of.what >= op::counting && of.what <= op::session) found = metrics.of("window", name);
  const auto check = [](const char* what, std::size_t wanted_count, std::uint64_t count) {
    if (wanted_count == count) return std::string();
    return fmt::format("counted {} {}, wanted {}", count, what, wanted_count);
  };
  std::string wrong = check("late", wanted.late, found.late);
  if (wrong.empty()) wrong = check("unassigned", wanted.unassigned, found.unassigned);
  if (wrong.empty()) wrong = check("dead", wanted.dead, found.dead);
  if (wrong.empty()) wrong = check("realigned", 0, found.realigned);
  return wrong;
}

}  // namespace

std::string vary_schedule(run_options& options, const way& how, std::size_t opening) {
  std::mt19937_64 random(how.seed + 31 * opening);
  // A job that goes on may have another number of tasks.
  options.parallelism = opening == 0 || how.parallelism == 1
                            ? how.parallelism
                            : one_of<std::size_t>(random, {1, 2, 3, 4, 5});
  options.latency_markers = duration{one_of<std::int64_t>(random, {0, 1, 30})};
  if (how.parallelism == 1) return "in the calling thread";
  options.scheduler =
      how.threads ? thread_pool(options.parallelism) : simulation(how.seed + opening);
  options.flush_after = duration{one_of<std::int64_t>(random, {0, 10, 1000})};
  options.max_drift = duration{one_of<std::int64_t>(random, {0, 10, 60'000'000})};
  options.channel_batches = one_of<std::size_t>(random, {1, 2, 8});
  // A simulation draws when key groups move, unless they are not to.
  options.rebalance_every = duration{one_of<std::int64_t>(random, {0, 1000, 1000})};
  return fmt::format("parallelism {}, {}, flush after {}, drift {}, {} batches, {}, markers {}",
                     options.parallelism, how.threads ? "threads" : "simulated",
                     to_text(options.flush_after), to_text(options.max_drift),
                     options.channel_batches,
                     options.rebalance_every > duration::zero() ? "with moves" : "without moves",
                     to_text(options.latency_markers));
}

std::vector<way> random_ways(std::mt19937_64& random) {
  const auto varied = [&random](way::interruption interrupted) {
    return way{.rows_max = one_of<std::size_t>(random, {1, 2, 5, 20, 100}),
               .rows_vary = true,
               .pauses = one_of(random,
                                {replay::pause::none, replay::pause::waking, replay::pause::asked}),
               .interrupted = interrupted,
               .seed = random() % 1'000'000};
  };
  std::vector<way> all;
  const auto in_parallel = [&](way how, std::size_t parallelism, bool threads) {
    how.parallelism = parallelism;
    how.threads = threads;
    all.push_back(how);
  };
#ifdef __SANITIZE_THREAD__
  // With ThreadSanitizer, which is slow, only what it can look at.
  in_parallel(varied(way::interruption::none), one_of<std::size_t>(random, {2, 4}), true);
  in_parallel(varied(way::interruption::kills), one_of<std::size_t>(random, {2, 4}), true);
  in_parallel(varied(way::interruption::stop), one_of<std::size_t>(random, {2, 4}), true);
#else
  all.push_back({.seed = random() % 1'000'000});
  all.push_back({.rows_max = 1, .seed = random() % 1'000'000});
  all.push_back(varied(way::interruption::none));
  all.push_back(varied(way::interruption::kills));
  all.push_back(varied(way::interruption::stop));
  for (const std::size_t parallelism : {2U, 3U, 5U}) {
    in_parallel(varied(way::interruption::none), parallelism, false);
  }
  in_parallel({.seed = random() % 1'000'000}, one_of<std::size_t>(random, {2, 3, 5}), false);
  in_parallel(varied(way::interruption::kills), one_of<std::size_t>(random, {2, 3, 5}), false);
  in_parallel(varied(way::interruption::stop), one_of<std::size_t>(random, {2, 3, 5}), false);
  in_parallel(varied(way::interruption::none), one_of<std::size_t>(random, {2, 4}), true);
  in_parallel(varied(one_of(random, {way::interruption::kills, way::interruption::stop})),
              one_of<std::size_t>(random, {2, 4}), true);
#endif
  return all;
}

std::optional<std::string> first_difference(const plan& all, const input_log& input,
                                            const std::vector<outcome>& wanted, const way& how,
                                            happened& all_happened) {
  running run(all, input, how);
  const absl::Status ended = run.to_the_end();
  all_happened.moves += run.met().moves;
  all_happened.abandoned += run.met().abandoned;
  all_happened.evicted += run.met().evicted;
  all_happened.read_back += run.met().read_back;
  for (std::size_t i = 0; i < all_happened.crashes.size(); ++i) {
    all_happened.crashes[i] += run.met().crashes[i];
  }
  const std::string place = fmt::format("{} ({}): ", text_of(how), run.schedules());
  if (!ended.ok()) return place + ended.ToString();
  if (!run.summary().unpromised.empty()) {
    return place + "not promised, says the summary: " + run.summary().unpromised.front();
  }
  for (std::size_t node = 0; node < all.size(); ++node) {
    for (std::size_t port = 0; port < all[node].ports(); ++port) {
      if (!all[node].tapped[port]) continue;
      const kept_rows& kept = *run.taken().at({node, port});
      std::string wrong = compared(wanted[node].outputs[port], kept.rows);
      if (wrong.empty() && kept.published != kept.rows.size()) wrong = "rows are not published";
      if (!wrong.empty()) return fmt::format("{}{}.{}: {}", place, name_of(node), port, wrong);
    }
    const std::string wrong =
        compared(wanted[node], all[node], name_of(node), run.summary().metrics);
    if (!wrong.empty()) return fmt::format("{}{}: {}", place, name_of(node), wrong);
  }
  return std::nullopt;
}

std::optional<std::string> failure_of_seed(std::uint64_t seed, happened& all_happened) {
  std::mt19937_64 random(seed);
  const input_log input = random_input(random);
  const plan made = random_plan(random, input);
  const std::vector<outcome> wanted = outcomes_of(made, input);
  const bool tells = std::getenv("FRESHET_SIMULATION_VERBOSE") != nullptr;
  for (const way& how : random_ways(random)) {
    if (tells) fmt::print(stderr, "seed {}: {}\n", seed, text_of(how));
    const auto wrong = first_difference(made, input, wanted, how, all_happened);
    if (!wrong) continue;
    std::string report = fmt::format("seed {}: {}\n", seed, *wrong);
    // The same with a sink at every output: the first one that differs is at fault.
    plan tapped = made;
    for (plan_node& each : tapped) each.tapped.assign(each.ports(), true);
    const auto nearer = first_difference(tapped, input, wanted, how, all_happened);
    report += nearer ? "with all outputs looked at: " + *nearer + "\n"
                     : "with all outputs looked at, nothing differs\n";
    return report + text_of(made, input);
  }
  return std::nullopt;
}

}  // namespace freshet::simulated
