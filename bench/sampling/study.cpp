// Learning rates are tuned for every method and rate: without that, a comparison of samples says
// which of them happens to fit a rate.
#include "study.hpp"

#include "statistics.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace sampling_benchmark {
namespace {

constexpr std::array<double, 8> learning_rates{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3};
constexpr std::uint64_t tuning_seed = 1'000'000'007;
constexpr double target_share = 0.98;
constexpr std::size_t curve_points = 50;
constexpr double infinity = std::numeric_limits<double>::infinity();

void tune(const trial_runner& runner, const study_options& options, contender& of) {
  double best = -1;
  for (std::size_t i = 0; i < learning_rates.size(); ++i) {
    double sum = 0;
    for (std::size_t seed = 0; seed < options.tuning_seeds; ++seed) {
      sum += runner
                 .run({.what = of.what,
                       .rate = of.rate,
                       .learning_rate = learning_rates[i],
                       .seed = tuning_seed + seed})
                 .validation_pr_auc;
    }
    if (sum <= best) continue;
    best = sum;
    of.learning_rate = learning_rates[i];
    of.at_edge = i == 0 || i + 1 == learning_rates.size();
  }
}

std::optional<double> rows_to(const trial_result& run, double target) {
  for (const curve_point& point : run.curve) {
    if (point.pr_auc >= target) return static_cast<double>(point.rows);
  }
  return std::nullopt;
}

std::string rate_text(const contender& of) {
  return of.what == method::full ? "1" : fmt::format("{}", of.rate);
}

/// One number for each seed.
template <class F>
std::vector<double> of_runs(const contender& of, F number) {
  std::vector<double> all;
  for (std::size_t i = 0; i < of.runs.size(); ++i) all.push_back(number(i));
  return all;
}

std::vector<double> pr_aucs(const contender& of) {
  return of_runs(of, [&](std::size_t i) { return of.runs[i].pr_auc; });
}

/// Rows to the target, as a multiple of those of the full stream with the same seed.
std::vector<double> row_ratios(const contender& of, const contender& full) {
  return of_runs(of, [&](std::size_t i) {
    return of.rows_to_target[i] && full.rows_to_target[i]
               ? *of.rows_to_target[i] / *full.rows_to_target[i]
               : infinity;
  });
}

std::vector<double> cpu_ratios(const contender& of, const contender& full) {
  return of_runs(of,
                 [&](std::size_t i) { return of.runs[i].cpu_seconds / full.runs[i].cpu_seconds; });
}

std::vector<double> differences(const contender& of, const contender& full) {
  return of_runs(of, [&](std::size_t i) { return of.runs[i].pr_auc / full.runs[i].pr_auc - 1; });
}

double share_reached(const contender& of) {
  double reached = 0;
  for (const auto& each : of.rows_to_target) reached += each ? 1 : 0;
  return reached / static_cast<double>(of.rows_to_target.size());
}

void print_run(const study& all, const contender& of, std::size_t run,
               const study_options& options) {
  const trial_result& result = of.runs[run];
  const std::uint64_t seed = options.first_seed + run;
  const auto target = of.rows_to_target[run];
  if (options.json) {
    fmt::print(
        "{{\"data\":\"{}\",\"seed\":{},\"method\":\"{}\",\"rate\":{},\"learning_rate\":{},"
        "\"examples\":{},\"examples_to_98\":{},\"validation_pr_auc\":{:.6f},\"pr_auc\":{:.6f},"
        "\"log_loss\":{:.6f},"
        "\"balanced_accuracy\":{:.6f},\"cpu_seconds\":{:.6f}}}\n",
        all.data, seed, name_of(of.what), rate_text(of), of.learning_rate, result.rows,
        target ? fmt::format("{:.0f}", *target) : "null", result.validation_pr_auc, result.pr_auc,
        result.log_loss, result.balanced_accuracy, result.cpu_seconds);
  } else {
    fmt::print("{:>5} {:>4} {:<16} {:>9} {:>9} {:>8.4f} {:>8.4f} {:>8.4f} {:>8.3f}\n", seed,
               rate_text(of), name_of(of.what), result.rows,
               target ? fmt::format("{:.0f}", *target) : "never", result.pr_auc, result.log_loss,
               result.balanced_accuracy, result.cpu_seconds);
  }
}

const contender* find(const study& all, method what, double rate) {
  const auto found =
      std::find_if(all.contenders.begin(), all.contenders.end(),
                   [&](const contender& each) { return each.what == what && each.rate == rate; });
  return found != all.contenders.end() ? &*found : nullptr;
}

void judge(study& all) {
  const auto at_least = [&all](std::string claim, double found, double wanted) {
    all.bars.push_back({std::move(claim), found, wanted, found >= wanted});
  };
  const auto at_most = [&all](std::string claim, double found, double wanted) {
    all.bars.push_back({std::move(claim), found, wanted, found <= wanted});
  };
  const contender& full = all.contenders.front();
  if (const contender* rarity = find(all, method::rarity, 0.4)) {
    at_most("1a examples to 98 % of full's PR-AUC, median, as a multiple of full's",
            median_of(row_ratios(*rarity, full)), 0.6);
    at_least("1b share of the seeds that get there", share_reached(*rarity), 0.85);
    at_least("2  final PR-AUC against full, lower 95 % bound of the difference",
             lower_bound_95(differences(*rarity, full)), -0.02);
    at_most("3  training CPU, median, as a multiple of full's",
            median_of(cpu_ratios(*rarity, full)), 0.6);
  }
  const contender* rarity = find(all, method::rarity, 0.2);
  const contender* uniform = find(all, method::uniform, 0.2);
  if (rarity != nullptr && uniform != nullptr) {
    at_least("4  PR-AUC at rate 0.2 against uniform",
             mean_of(pr_aucs(*rarity)) / mean_of(pr_aucs(*uniform)) - 1, 0.03);
  }
}

std::string multiple(double number) {
  return std::isfinite(number) ? fmt::format("{:.3f}", number) : "-";
}

void print_summary(const study& all, const study_options& options) {
  const contender& full = all.contenders.front();
  if (!options.json) {
    fmt::print(
        "\n{} over {} seeds\n{:>4} {:<16} {:>7} {:>9} {:>7} {:>8} {:>18} {:>8} {:>8} {:>6}\n",
        all.data, options.seeds, "rate", "method", "lr", "examples", "to 98 %", "PR-AUC",
        "against full", "log-loss", "bal.acc", "CPU");
  }
  for (const contender& each : all.contenders) {
    const double examples = mean_of(
        of_runs(each, [&](std::size_t i) { return static_cast<double>(each.runs[i].rows); }));
    const double ratio = median_of(row_ratios(each, full));
    const double difference = mean_of(differences(each, full));
    const double bound = lower_bound_95(differences(each, full));
    const double loss =
        mean_of(of_runs(each, [&](std::size_t i) { return each.runs[i].log_loss; }));
    const double accuracy =
        mean_of(of_runs(each, [&](std::size_t i) { return each.runs[i].balanced_accuracy; }));
    const double cpu = median_of(cpu_ratios(each, full));
    if (options.json) {
      fmt::print(
          "{{\"data\":\"{}\",\"summary\":\"{}\",\"rate\":{},\"learning_rate\":{},"
          "\"learning_rate_at_edge\":{},\"examples\":{:.0f},\"examples_to_98_ratio\":{},"
          "\"reached\":{:.3f},\"pr_auc\":{:.6f},\"pr_auc_difference\":{:.6f},"
          "\"pr_auc_difference_lower_95\":{},\"log_loss\":{:.6f},\"balanced_accuracy\":{:.6f},"
          "\"cpu_ratio\":{:.4f}}}\n",
          all.data, name_of(each.what), rate_text(each), each.learning_rate, each.at_edge, examples,
          std::isfinite(ratio) ? multiple(ratio) : "null", share_reached(each),
          mean_of(pr_aucs(each)), difference,
          std::isfinite(bound) ? fmt::format("{:.6f}", bound) : "null", loss, accuracy, cpu);
    } else {
      fmt::print(
          "{:>4} {:<16} {:>6}{} {:>9.0f} {:>7} {:>8.4f} {:>+7.2f} % (>= {:>+6.2f}) {:>8.4f} "
          "{:>8.4f} "
          "{:>6.3f}\n",
          rate_text(each), name_of(each.what), each.learning_rate, each.at_edge ? '!' : ' ',
          examples, multiple(ratio), mean_of(pr_aucs(each)), 100 * difference, 100 * bound, loss,
          accuracy, cpu);
    }
  }
  if (!options.json) {
    fmt::print("!: the best learning rate is at the edge of the grid\n\n");
  }
  for (const bar& each : all.bars) {
    if (options.json) {
      fmt::print("{{\"data\":\"{}\",\"bar\":\"{}\",\"found\":{},\"wanted\":{},\"held\":{}}}\n",
                 all.data, each.claim,
                 std::isfinite(each.found) ? fmt::format("{:.4f}", each.found) : "null",
                 each.wanted, each.held);
    } else {
      fmt::print("{} {:<72} {:>8} ({} wanted)\n", each.held ? "held  " : "MISSED", each.claim,
                 multiple(each.found), each.wanted);
    }
  }
  std::fflush(stdout);
}

}  // namespace

study run_study(const dataset& data, const study_options& options) {
  const trial_runner runner(data);
  study all;
  all.data = data.name;
  all.contenders.push_back({.what = method::full});
  for (const double rate : options.rates) {
    for (const method what :
         {method::uniform, method::rarity, method::rarity_log_odds, method::with_loss}) {
      all.contenders.push_back({.what = what, .rate = rate});
    }
  }
  if (!options.json) fmt::print("\n{}: {}\ntuning learning rates ...", data.name, data.about);
  std::fflush(stdout);
  for (contender& each : all.contenders) tune(runner, options, each);
  if (!options.json) {
    fmt::print("\n{:>5} {:>4} {:<16} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "seed", "rate",
               "method", "examples", "to 98 %", "PR-AUC", "log-loss", "bal.acc", "CPU s");
  }
  const std::size_t step = std::max<std::size_t>(1, data.train.size() / curve_points);
  for (std::size_t run = 0; run < options.seeds; ++run) {
    double target = 0;
    for (contender& each : all.contenders) {
      each.runs.push_back(runner.run({.what = each.what,
                                      .rate = each.rate,
                                      .learning_rate = each.learning_rate,
                                      .seed = options.first_seed + run,
                                      .curve_step = step}));
      if (each.what == method::full) target = target_share * each.runs.back().curve.back().pr_auc;
      each.rows_to_target.push_back(rows_to(each.runs.back(), target));
      print_run(all, each, run, options);
    }
    std::fflush(stdout);
  }
  judge(all);
  print_summary(all, options);
  return all;
}

}  // namespace sampling_benchmark
