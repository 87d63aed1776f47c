// What the tests of joins share: two random logs of several splits, everything that decides about
// matches, and the many ways in which one job may run over them.
//
// Times are ticks of 1 us. The ways: batches of other sizes, crashes anywhere, several tasks whose
// turns a seed deals out. Rows, late records and what stands below must be the same in all of them.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/scheduling.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <map>

namespace freshet::test {

namespace fr = freshet;

/// The record of the right side: another type than that of the left one.
struct mark {
  std::string key;
  std::int64_t number = 0;
  timestamp at;
};
BOOST_DESCRIBE_STRUCT(mark, (), (key, number, at))

/// The row of a join; -1 where a side is missing.
struct met {
  std::string key;
  std::int64_t left = -1;
  std::int64_t right = -1;
  friend bool operator==(const met&, const met&) = default;
};
BOOST_DESCRIBE_STRUCT(met, (), (key, left, right))

inline met meet(const event* left, const mark* right) {
  return {left ? left->key : right->key, left ? left->value : -1, right ? right->number : -1};
}

/// The records of both sides, and how far they come behind.
struct join_logs {
  std::vector<std::vector<event>> left;
  std::vector<std::vector<mark>> right;
  duration disorder{0};
};

/// A time that wanders on, records in disorder, some of them further behind than was promised.
template <class Make>
auto random_split(std::mt19937_64& random, std::size_t count, Make make) {
  std::vector<decltype(make(std::string(), std::int64_t{}, timestamp{}))> all;
  std::int64_t now = -20;
  for (std::size_t i = 0; i < count; ++i) {
    now += static_cast<std::int64_t>(random() % 3);
    const auto behind = static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 30 : 5));
    const std::string key(1, static_cast<char>('a' + random() % 3));
    all.push_back(make(key, static_cast<std::int64_t>(i), tick(now - behind)));
  }
  return all;
}

inline join_logs random_logs(std::mt19937_64& random) {
  join_logs logs;
  logs.disorder = ticks_long(static_cast<std::int64_t>(random() % 6));
  logs.left.resize(1 + random() % 3);
  logs.right.resize(1 + random() % 3);
  std::int64_t number = 0;
  for (auto& split : logs.left) {
    split = random_split(random, random() % 60, [&](auto key, auto i, auto at) {
      return event{key, 1000 * number + i, at};
    });
    ++number;
  }
  for (auto& split : logs.right) {
    split = random_split(random, random() % 60, [&](auto key, auto i, auto at) {
      return mark{key, 1000 * number + i, at};
    });
    ++number;
  }
  return logs;
}

/// A record of a log, and what had been promised before it.
template <class T>
struct logged {
  T record;
  timestamp at;
  timestamp entry;
  /// The later of the two.
  timestamp from;
  bool behind() const { return at < entry; }
};

template <class T>
std::vector<logged<T>> logged_of(const std::vector<std::vector<T>>& splits, duration disorder) {
  std::vector<logged<T>> all;
  for (const auto& split : splits) {
    timestamp frontier = timestamp_min;
    for (const T& each : split) {
      all.push_back({each, each.at, frontier, std::max(frontier, each.at)});
      frontier = std::max(frontier, saturating_subtract(each.at, disorder));
    }
  }
  return all;
}

/// One way to run.
struct join_way {
  std::size_t chunk = 1024;
  std::size_t crash_after = 0;  ///< Records of each side; 0: never.
  std::size_t parallelism = 1;
  std::uint64_t seed = 0;
  /// Every other run, from the first on, has this limit of memory and one task more. 0: none has.
  std::size_t memory_limit = 0;
};

inline std::vector<join_way> join_ways(std::mt19937_64& random) {
  return {{.chunk = 1, .seed = random()},
          {.chunk = 7, .seed = random()},
          {.chunk = 5, .crash_after = 1 + random() % 20, .seed = random()},
          {.chunk = 20, .parallelism = 2 + random() % 3, .seed = random()},
          {.chunk = 3, .crash_after = 5 + random() % 30, .parallelism = 2, .seed = random()}};
}

/// What the sinks of a job hold, by name, each sorted.
struct join_outcome {
  std::map<std::string, rows_of_text> sinks;
  std::uint64_t late = 0;
  std::uint64_t state_left = 0;
  std::uint64_t evicted = 0;  ///< In the last run.
  std::vector<std::string> unpromised;
};

/// Runs what `compose(left, right, sink)` makes of both streams, where `sink(name)` is an operator
/// that ends a stream.
template <class Compose>
join_outcome run_join(const join_logs& logs, const join_way& how, const Compose& compose) {
  auto left = std::make_shared<script<event>>();
  auto right = std::make_shared<script<mark>>();
  left->splits = logs.left;
  right->splits = logs.right;
  auto commits = std::make_shared<memory_checkpoint>();
  std::map<std::string, kept_rows_handle> kept;
  std::mt19937_64 random(how.seed);
  for (int runs = 0;; ++runs) {
    REQUIRE(runs < 400);
    left->chunk_max = right->chunk_max = how.chunk;
    left->seed = random();
    right->seed = random();
    if (how.crash_after > 0) {
      // A little later each time, since nothing may have been committed before the crash.
      left->crash_after = how.crash_after + static_cast<std::size_t>(runs) / 4;
      right->crash_after = left->crash_after;
    }
    const bool commits_at_all = how.crash_after > 0 || how.memory_limit > 0;
    run_options options = commits_at_all ? committing_to(commits) : run_options{};
    options.parallelism = how.parallelism;
    if (how.memory_limit > 0 && runs % 2 == 0) {
      options.state.memory_limit = how.memory_limit;
      ++options.parallelism;
    }
    if (options.parallelism > 1) options.scheduler = simulation(random());
    pipeline p("join");
    const auto sink = [&kept](const std::string& name) {
      auto& rows = kept[name];
      if (rows == nullptr) rows = keeper();
      return to(name, keep_rows_in(rows));
    };
    compose(p.from("left", scripted<event>(left)) |
                event_time(&event::at, bounded_disorder{logs.disorder}),
            p.from("right", scripted<mark>(right)) |
                event_time(&mark::at, bounded_disorder{logs.disorder}),
            sink);
    run_summary summary;
    const absl::Status done = p.run(options, &summary);
    if (done.code() == absl::StatusCode::kAborted) continue;
    INFO(done.ToString());
    REQUIRE(done.ok());
    join_outcome found;
    for (const auto& [name, rows] : kept) found.sinks[name] = sorted(rows->rows);
    for (const operator_metrics& each : summary.metrics.operators) {
      if (each.place.find("join") == std::string::npos) continue;
      found.late += each.late;
      found.state_left += each.state_entries;
      found.evicted += each.evicted;
    }
    found.unpromised = summary.unpromised;
    return found;
  }
}

/// Windows below a join: their rows depend on the entry frontiers and places of the join's rows.
template <class Sink>
void window_below(const fr::stream<met>& rows, const Sink& sink) {
  auto windows = rows | fr::key_by(&met::key) | fr::window(fr::tumbling{ticks_long(4)}) |
                 fr::aggregate("below", fr::count("n"), fr::collect("left", &met::left),
                               fr::collect("right", &met::right));
  windows | sink("windows");
  windows.late() | sink("windows late");
}

/// Runs in every way and requires the same; returns what it was.
template <class Compose>
join_outcome run_every_way(const join_logs& logs, std::mt19937_64& random, const Compose& compose,
                           bool ends_empty = true) {
  const join_outcome wanted = run_join(logs, {.seed = random()}, compose);
  REQUIRE(wanted.unpromised.empty());
  if (ends_empty) REQUIRE(wanted.state_left == 0);
  for (const join_way& how : join_ways(random)) {
    INFO("batches of " << how.chunk << ", crash after " << how.crash_after << ", parallelism "
                       << how.parallelism << ", seed " << how.seed);
    const join_outcome found = run_join(logs, how, compose);
    for (const auto& [name, rows] : wanted.sinks) {
      INFO("sink " << name);
      REQUIRE(found.sinks.at(name) == rows);
    }
    REQUIRE(found.late == wanted.late);
    if (ends_empty) REQUIRE(found.state_left == 0);
  }
  return wanted;
}

}  // namespace freshet::test
