// The contract of samplers as a seeded property test, for ours and for an application's own.
//
// `check_sampler` throws `std::runtime_error` with the case's seed and what went wrong, so it works
// with every test framework. It makes its own records, positions, and event times; the same seed
// gives the same cases everywhere. It uses no clock, no thread, and no global state, and holds one
// case's records in memory.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/sampling/ranking.hpp>
#include <freshet/sampling/sampler.hpp>
#include <freshet/testing/detail/sampler_kinds.hpp>
#include <freshet/testing/sampler_check_options.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace freshet {

namespace detail {

/// One case of `check_sampler`: a stream, what one worker did with it, and the claims about that.
template <class T, class Sampler>
class sampler_case {
 public:
  template <class Make>
  sampler_case(const Sampler& sampler, Make& make_value, std::uint64_t seed,
               const sampler_check_options& options)
      : sampler_(sampler), seed_(seed), random_(seed) {
    timestamp frontier = timestamp_min;  // The first records come before any watermark.
    std::uint64_t sequence = 0;
    for (std::size_t i = 0; i < options.epochs; ++i) {
      const std::int64_t epoch = sampler_.epoch_of(frontier);
      const std::size_t records = 1 + below(options.records_per_epoch);
      epochs_.push_back({epoch, rows_.size(), rows_.size() + records});
      for (std::size_t record = 0; record < records; ++record) {
        sequence += 1 + below(100);
        rows_.push_back({make_value(random_),
                         {.sequence = sequence,
                          .split = static_cast<std::uint32_t>(below(4)),
                          .fanout = static_cast<std::uint32_t>(below(2))}});
      }
      frontier = next_frontier(frontier, epoch);
    }
  }

  void run() {
    decide_all();
    check_order_inside_epochs();
    check_empty_epochs();
    check_restore();
    check_workers();
  }

  /// Sums for the test of bias over all cases: of keep / p - 1, and of its variance (1 - p) / p.
  void add_error(double& error, double& variance) const {
    for (const sample_decision& decision : decisions_) {
      error += (decision.keep ? 1 / decision.probability : 0.0) - 1;
      variance += (1 - decision.probability) / decision.probability;
    }
  }

 private:
  using state = typename Sampler::state;
  using counts = typename Sampler::counts;
  struct row {
    T value;
    position where;
  };
  struct epoch_rows {
    std::int64_t epoch;
    std::size_t begin;
    std::size_t end;
  };

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("check_sampler seed " + std::to_string(seed_) + ": " + what);
  }

  /// A frontier in a later epoch, mostly the next one; the ends of epochs are checked on the way.
  timestamp next_frontier(timestamp frontier, std::int64_t epoch) {
    if (frontier == timestamp_min) frontier = timestamp{};
    const std::size_t steps = below(4) == 0 ? 1 + below(40) : 1;
    for (std::size_t step = 0; step < steps; ++step) {
      const std::int64_t current = sampler_.epoch_of(frontier);
      const timestamp end = sampler_.epoch_end(current);
      if (end <= frontier) fail("epoch_end is not after a frontier of the epoch");
      if (sampler_.epoch_of(end - duration{1}) != current || sampler_.epoch_of(end) <= current) {
        fail("epoch_of and epoch_end disagree about where an epoch ends");
      }
      frontier = end;
    }
    if (sampler_.epoch_of(frontier) <= epoch) fail("epoch_of decreases as the frontier grows");
    return frontier;
  }

  void check_same(const sample_decision& found, std::size_t index, const char* when) const {
    const sample_decision& wanted = decisions_[index];
    const auto same = [](double a, double b) {
      return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
    };
    if (found.keep != wanted.keep || !same(found.probability, wanted.probability) ||
        !same(found.log_odds, wanted.log_odds)) {
      fail("record " + std::to_string(index) + " is judged differently " + when + ": probability " +
           std::to_string(found.probability) + ", before " + std::to_string(wanted.probability));
    }
  }

  /// One worker, records in order: what every other way must agree with.
  void decide_all() {
    state known = sampler_.start();
    for (const epoch_rows& each : epochs_) {
      sampler_.enter(known, each.epoch);
      entered_.push_back(known);
      for (std::size_t index = each.begin; index < each.end; ++index) {
        const sample_decision made = sampler_.decide(known, rows_[index].value, rows_[index].where);
        if (!(made.probability > 0 && made.probability <= 1)) {
          fail("probability " + std::to_string(made.probability) + " is not in (0, 1]");
        }
        if (!std::isfinite(made.log_odds)) fail("log_odds is not a finite number");
        decisions_.push_back(made);
      }
      const std::string before = to_bytes(known);
      sampler_.enter(known, each.epoch);
      if (to_bytes(known) != before) fail("entering the current epoch again changes the state");
    }
  }

  /// Shuffled, and alone: a probability that looks at other records of its epoch cannot stay equal.
  void check_order_inside_epochs() {
    for (std::size_t i = 0; i < epochs_.size(); ++i) {
      std::vector<std::size_t> order;
      for (std::size_t index = epochs_[i].begin; index < epochs_[i].end; ++index) {
        order.push_back(index);
      }
      std::shuffle(order.begin(), order.end(), random_);
      state shuffled = entered_[i];
      for (const std::size_t index : order) {
        check_same(sampler_.decide(shuffled, rows_[index].value, rows_[index].where), index,
                   "in another order within its epoch");
      }
      if (i + 1 < epochs_.size()) {
        check_entered(shuffled, i + 1, "after records of an epoch came in another order");
      }
      state alone = entered_[i];
      const std::size_t index = order.front();
      check_same(sampler_.decide(alone, rows_[index].value, rows_[index].where), index,
                 "as the only record of its epoch");
    }
  }

  /// Every epoch in between entered, with and without records, where `decide_all` skipped some.
  void check_empty_epochs() {
    for (std::size_t i = 0; i + 1 < epochs_.size(); ++i) {
      state known = entered_[i];
      for (std::size_t index = epochs_[i].begin; index < epochs_[i].end; ++index) {
        sampler_.decide(known, rows_[index].value, rows_[index].where);
      }
      if (epochs_[i].epoch == epoch_before_all) sampler_.enter(known, epochs_[i + 1].epoch - 50);
      timestamp end = sampler_.epoch_end(epochs_[i].epoch);
      for (int step = 0; step < 100 && sampler_.epoch_of(end) < epochs_[i + 1].epoch; ++step) {
        sampler_.enter(known, sampler_.epoch_of(end));
        end = sampler_.epoch_end(sampler_.epoch_of(end));
      }
      check_entered(known, i + 1, "after epochs without records were entered one by one");
    }
  }

  void check_entered(state known, std::size_t i, const char* when) const {
    sampler_.enter(known, epochs_[i].epoch);
    if (to_bytes(known) != to_bytes(entered_[i])) {
      fail("the state at the beginning of an epoch differs " + std::string(when));
    }
  }

  /// Saved and restored before a random record of each epoch.
  void check_restore() {
    for (std::size_t i = 0; i < epochs_.size(); ++i) {
      state known = entered_[i];
      const std::size_t size = epochs_[i].end - epochs_[i].begin;
      const std::size_t saved_at = epochs_[i].begin + below(size + 1);
      for (std::size_t index = epochs_[i].begin; index <= epochs_[i].end; ++index) {
        if (index == saved_at) {
          auto restored = from_bytes<state>(to_bytes(known));
          if (!restored.ok()) fail("a saved state cannot be restored");
          if (!sampler_.valid(*restored)) fail("valid() is false for a restored state");
          known = *std::move(restored);
        }
        if (index == epochs_[i].end) break;
        check_same(sampler_.decide(known, rows_[index].value, rows_[index].where), index,
                   "after a restore");
      }
      if (i + 1 < epochs_.size()) check_entered(known, i + 1, "after a restore");
    }
  }

  /// Each record at one of several workers, and their counts merged in a random order and shape.
  void check_workers() {
    const std::size_t count = 2 + below(7);
    std::vector<state> workers(count, sampler_.start());
    for (std::size_t i = 0; i < epochs_.size(); ++i) {
      std::vector<counts> parts;
      for (state& worker : workers) parts.push_back(sampler_.counts_of(worker));
      while (parts.size() > 1) {
        const std::size_t from = below(parts.size());
        std::swap(parts[from], parts.back());
        const counts taken = std::move(parts.back());
        parts.pop_back();
        sampler_.merge(parts[below(parts.size())], taken);
      }
      for (state& worker : workers) {
        sampler_.counts_of(worker) = parts.front();
        sampler_.enter(worker, epochs_[i].epoch);
        if (to_bytes(worker) != to_bytes(entered_[i])) {
          fail("the state at the beginning of an epoch differs between 1 and " +
               std::to_string(count) + " workers");
        }
      }
      for (std::size_t index = epochs_[i].begin; index < epochs_[i].end; ++index) {
        check_same(sampler_.decide(workers[below(count)], rows_[index].value, rows_[index].where),
                   index, "with several workers");
      }
    }
  }

  const Sampler& sampler_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<row> rows_;
  std::vector<epoch_rows> epochs_;
  std::vector<state> entered_;  // The state as each epoch begins.
  std::vector<sample_decision> decisions_;
};

}  // namespace detail

/// Tests a sampler against everything that its kind promises, on random records, positions, and
/// epochs: probabilities in (0, 1]; a selection that does not depend on the order within an epoch,
/// on a restore in between, or on how records were divided among workers; and weighted counts
/// without bias.
/// - `sampler_of`: nor on other records of the epoch.
/// - `memoryless_sampler_of`: nor on any other record. Records of one category may be kept or
///   dropped together; bias is only found where there are some hundred categories, or one without
///   text.
/// - `ranking_sampler_of`: how records are divided must not matter. Records should differ so little
///   that none has a probability below a hundredth: the test of bias takes its variance from what
///   was kept.
/// `make_value(std::mt19937_64&)` makes a record; records should share few categories.
/// Throws `std::runtime_error` naming the seed. A correct sampler fails the test of bias with a
/// chance of about 1 in a million for each seed, which is the same in every run.
template <class Sampler, class Make>
void check_sampler(const Sampler& sampler, Make make_value, sampler_check_options options = {}) {
  using value = std::remove_cvref_t<std::invoke_result_t<Make&, std::mt19937_64&>>;
  constexpr bool learns = sampler_of<Sampler, value>;
  constexpr bool ranks = ranking_sampler_of<Sampler, value>;
  static_assert(learns || ranks || memoryless_sampler_of<Sampler, value>,
                "freshet: check_sampler needs a sampler of the records that make_value returns; "
                "sampling/sampler.hpp lists what a sampler has to offer");
  const auto fail = [&options](const std::string& what) {
    throw std::runtime_error("check_sampler seed " + std::to_string(options.seed) + ": " + what);
  };
  if (const std::string complaint = sampler.check(); !complaint.empty()) fail(complaint);
  if (std::string(sampler.describe()).empty()) fail("describe() is empty");
  if constexpr (ranks) {
    detail::check_ranking_sampler<value>(sampler, make_value, options);
  } else if constexpr (!learns) {
    detail::check_memoryless_sampler<value>(sampler, make_value, options);
  } else {
    static_assert(checkpointable<typename Sampler::state>,
                  "freshet: a sampler's state must be checkpointable; describe it with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    double error = 0;
    double variance = 0;
    for (std::size_t i = 0; i < options.cases; ++i) {
      detail::sampler_case<value, Sampler> one(sampler, make_value, options.seed + i, options);
      one.run();
      one.add_error(error, variance);
    }
    if (std::abs(error) > 5 * std::sqrt(variance)) {
      fail("kept records do not add up to all records: the error of the sum of weights is " +
           std::to_string(error) + ", its standard deviation should be " +
           std::to_string(std::sqrt(variance)));
    }
  }
}

}  // namespace freshet
