// What the tests of relational operators share: random logs of several splits, run in many ways.
//
// Times are ticks of 1 us. A log has disorder, equal times, records behind their frontier, and
// gaps. The oracles see its records in the order of their turns: by event time, and those behind
// their entry frontier when that is reached.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>

#include <map>
#include <set>
#include <tuple>

namespace freshet::test {

namespace fr = freshet;

/// A log and how out of order its source says it is.
struct log_case {
  event_splits splits;
  fr::duration disorder{0};
};

/// A record in its place.
struct logged {
  event value;
  fr::order_key order;
  fr::timestamp entry;  ///< The watermark of its split before it.

  bool behind() const { return order.at < entry; }
  fr::timestamp turn() const { return std::max(order.at, entry); }
};

/// All records by their turns: those behind a frontier before those on time at it.
inline std::vector<logged> turns_of(const log_case& of) {
  std::vector<logged> all;
  for (std::size_t split = 0; split < of.splits.size(); ++split) {
    fr::timestamp frontier = fr::timestamp_min;
    for (std::size_t i = 0; i < of.splits[split].size(); ++i) {
      const event& each = of.splits[split][i];
      all.push_back({each, {each.at, {i, static_cast<std::uint32_t>(split), 0}}, frontier});
      frontier = std::max(frontier, fr::saturating_subtract(each.at, of.disorder));
    }
  }
  std::sort(all.begin(), all.end(), [](const logged& a, const logged& b) {
    return std::tuple(a.turn(), !a.behind(), a.order.where) <
           std::tuple(b.turn(), !b.behind(), b.order.where);
  });
  return all;
}

inline log_case random_log(std::mt19937_64& random, std::size_t splits_max) {
  log_case of;
  constexpr std::int64_t disorders[] = {0, 0, 1, 5, 30, 1000};
  of.disorder = fr::duration{disorders[random() % 6]};
  const std::uint64_t keys = 1 + random() % 5;
  const std::uint64_t back = 1 + random() % 40;
  of.splits.resize(1 + random() % splits_max);
  for (auto& split : of.splits) {
    std::int64_t now = -20;
    for (std::size_t i = random() % 60; i > 0; --i) {
      now += static_cast<std::int64_t>(random() % 3 + (random() % 20 == 0 ? 100 : 0));
      const auto behind = static_cast<std::int64_t>(random() % 3 == 0 ? random() % back : 0);
      const std::string key(1, static_cast<char>('a' + random() % keys));
      split.push_back({key, static_cast<std::int64_t>(random() % 8) - 2, tick(now - behind)});
    }
  }
  return of;
}

inline std::string described(const log_case& of) {
  std::string text = "disorder " + fr::to_text(of.disorder);
  for (const auto& split : of.splits) {
    text += "\nsplit:";
    for (const event& each : split) text += " " + row_text(each);
  }
  return text;
}

/// One way of running a log.
struct way {
  std::size_t parallelism = 1;
  std::size_t chunk = 256;
  std::optional<std::uint64_t> seed;  ///< Of chunks that vary.
  std::uint64_t crashes = 0;          ///< Seed of crashes; 0 for none.
};

/// Runs `add(keyed events)`, which gives a stream, over a log. \return its rows as they came.
template <class Add>
rows_of_text run_way(const log_case& of, const way& how, const Add& add) {
  const auto from = script_of(of.splits);
  from->chunk_max = how.chunk;
  from->chunks_vary = how.seed.has_value();
  from->seed = how.seed.value_or(0);
  const auto rows = keeper();
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::mt19937_64 random(how.crashes);
  for (int runs = 0;; ++runs) {
    REQUIRE(runs < 100);
    constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
    from->crash_after = how.crashes != 0 && runs < 6 ? random() % 30 : never;
    fr::pipeline p("relational");
    add(p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{of.disorder}) | fr::key_by(&event::key)) |
        fr::to("rows", keep_rows_in(rows));
    fr::run_options options;
    if (how.crashes != 0) options = committing_to(commits);
    options.parallelism = how.parallelism;
    const absl::Status done = p.run(options);
    if (from->crash_after != never && !done.ok()) continue;
    INFO(done.ToString());
    REQUIRE(done.ok());
    return how.crashes != 0 ? rows->visible() : rows->rows;
  }
}

/// Ways that must make no difference; `parallel`: also to several tasks.
inline std::vector<way> all_ways(std::mt19937_64& random, bool parallel) {
  std::vector<way> all;
  for (const std::size_t chunk : {1U, 2U, 7U, 256U}) all.push_back({1, chunk, std::nullopt, 0});
  for (std::size_t parallelism = 1; parallelism <= (parallel ? 4U : 1U); ++parallelism) {
    all.push_back({parallelism, 1 + random() % 20, random(), 0});
    all.push_back({parallelism, 1 + random() % 20, random(), 1 + random()});
  }
  return all;
}

/// Requires that what `add` makes of random logs is what `oracle(log)` says, as multisets, in all
/// ways.
template <class Add, class Oracle>
void compare_final(std::uint64_t seed, int rounds, const Add& add, const Oracle& oracle) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const log_case of = random_log(random, 4);
    INFO("round " << round << ", " << described(of));
    const rows_of_text wanted = sorted(oracle(of));
    for (const way& how : all_ways(random, round % 4 == 0)) {
      INFO("parallelism " << how.parallelism << ", chunks " << how.chunk << ", crashes "
                          << how.crashes);
      REQUIRE(sorted(run_way(of, how, add)) == wanted);
    }
  }
}

/// The same for the changes over one split, in their order.
template <class Add, class Oracle>
void compare_changes(std::uint64_t seed, int rounds, const Add& add, const Oracle& oracle) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const log_case of = random_log(random, 1);
    INFO("round " << round << ", " << described(of));
    const rows_of_text wanted = oracle(of);
    for (const way& how : all_ways(random, false)) {
      INFO("chunks " << how.chunk << ", crashes " << how.crashes);
      REQUIRE(run_way(of, how, add) == wanted);
    }
  }
}

/// What stands after changes given as text: those that come less those taken back, each once. Where
/// there are upserts, of each key (the first `key_cells` cells) the last.
inline rows_of_text table_of(const rows_of_text& changes, std::size_t key_cells) {
  std::map<std::string, std::multiset<std::string>> table;
  for (const std::string& each : changes) {
    const std::size_t bar = each.rfind('|');
    const std::string row = each.substr(0, bar);
    const std::string how = each.substr(bar + 1, each.find('@', bar) - bar - 1);
    std::size_t end = 0;
    for (std::size_t i = 0; i < key_cells; ++i) end = row.find('|', end + 1);
    auto& of_key = table[row.substr(0, end)];
    if (how == "upsert") of_key = {row};
    if (how == "insert" || how == "update_after") of_key.insert(row);
    if (how == "erase" || how == "update_before") {
      INFO("taken back: " << each);
      REQUIRE(of_key.count(row) > 0);
      of_key.erase(of_key.find(row));
    }
  }
  rows_of_text all;
  for (const auto& [key, rows] : table) all.insert(all.end(), rows.begin(), rows.end());
  return sorted(all);
}

/// Requires that the changes of random logs lead to the table that `oracle(log)` gives, in all
/// ways.
template <class Add, class Oracle>
void compare_tables(std::uint64_t seed, int rounds, std::size_t key_cells, const Add& add,
                    const Oracle& oracle) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const log_case of = random_log(random, 4);
    INFO("round " << round << ", " << described(of));
    const rows_of_text wanted = sorted(oracle(of));
    for (const way& how : all_ways(random, round % 4 == 0)) {
      INFO("parallelism " << how.parallelism << ", chunks " << how.chunk << ", crashes "
                          << how.crashes);
      REQUIRE(table_of(run_way(of, how, add), key_cells) == wanted);
    }
  }
}

}  // namespace freshet::test
