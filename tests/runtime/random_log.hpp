// A log for operators that are driven without the engine: a list of steps.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/core/batch.hpp>
#include <freshet/core/hash.hpp>

#include <random>

namespace freshet::test {

namespace fr = freshet;

struct step {
  enum class kind : std::uint8_t { rows, watermark, clock, broadcast };
  kind what = kind::rows;
  fr::batch<event> rows;
  fr::timestamp time;
};

struct log_options {
  std::size_t splits = 1;
  std::int64_t disorder = 0;  ///< By how much records may lie before the frontier of their split.
  std::size_t batches = 40;
  bool by_place = false;  ///< Rows are spread by their positions, and not by their keys.
  bool begins_with_frontier = false;
};

/// Batches of 40 keys from several splits, each behind by up to `disorder` or so, with the combined
/// watermark after each, steps of the clock and control rows in between. Ends with the end of time.
inline std::vector<step> random_log(std::mt19937_64& random, const log_options& options) {
  std::vector<step> log;
  std::vector<fr::timestamp> frontiers(options.splits, fr::timestamp_min);
  std::vector<std::uint64_t> sequences(options.splits, 0);
  fr::timestamp promised = fr::timestamp_min;
  std::int64_t now = 0;
  if (options.begins_with_frontier) {
    log.push_back({step::kind::watermark, {}, promised = tick(-100)});
    frontiers.assign(options.splits, promised);
  }
  for (std::size_t i = 0; i < options.batches; ++i) {
    now += static_cast<std::int64_t>(random() % 6);
    step next;
    const auto split = static_cast<std::uint32_t>(random() % options.splits);
    for (std::uint64_t count = random() % 16; count > 0; --count) {
      const std::string key = "k" + std::to_string(random() % 40);
      const auto back = static_cast<std::int64_t>(random() % 12);
      const fr::timestamp at = tick(now - (random() % 4 == 0 ? 4 * back : back / 4));
      const fr::position where{++sequences[split], split, 0};
      if (at < frontiers[split]) {
        next.rows.behind.push_back(
            {static_cast<std::uint32_t>(next.rows.size()), frontiers[split]});
      }
      next.rows.entry_frontiers.push_back(frontiers[split]);
      next.rows.positions.push_back(where);
      next.rows.times.push_back(at);
      next.rows.hashes.push_back(options.by_place ? fr::combine_hashes(split, where.sequence)
                                                  : fr::stable_hash(key));
      next.rows.values.push_back({key, static_cast<std::int64_t>(random() % 100), at});
      frontiers[split] =
          std::max(frontiers[split], fr::saturating_subtract(at, ticks_long(options.disorder)));
    }
    log.push_back(std::move(next));
    const fr::timestamp least = *std::min_element(frontiers.begin(), frontiers.end());
    if (least > promised) log.push_back({step::kind::watermark, {}, promised = least});
    if (random() % 3 == 0) log.push_back({step::kind::clock, {}, tick(now)});
    if (random() % 5 == 0) {
      step control{step::kind::broadcast, {}, {}};
      control.rows.values = {{"factor", static_cast<std::int64_t>(random() % 10), tick(now)}};
      control.rows.positions = {{i, 99, 0}};
      log.push_back(std::move(control));
    }
  }
  log.push_back({step::kind::clock, {}, tick(now + 10'000)});
  log.push_back({step::kind::watermark, {}, fr::timestamp_max});
  return log;
}

}  // namespace freshet::test
