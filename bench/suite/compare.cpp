#include "compare.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace suite {

namespace {

constexpr std::size_t least_repetitions = 3;
constexpr double least_change = 0.02;
constexpr double spreads_apart = 3;

double spread_of(const samples& of) {
  const double middle = median(of);
  samples distances;
  for (const double each : of) distances.push_back(std::abs(each - middle));
  return 1.4826 * median(distances);
}

const row* find(const results& in, const row& like) {
  const auto found = std::find_if(in.rows.begin(), in.rows.end(), [&](const row& each) {
    return each.group == like.group && each.name == like.name;
  });
  return found == in.rows.end() ? nullptr : &*found;
}

std::string percent(double before, double after) {
  if (before == 0) return after == 0 ? "0 %" : "from 0";
  return fmt::format("{:+.1f} %", 100 * (after / before - 1));
}

void tell_machine(const results& before, const results& after, std::string& text) {
  const auto tell = [&](std::string_view which, const circumstances& of) {
    text += fmt::format(
        "{:7} {} commit {}, {}, load {:.1f} to {:.1f}, {} million mixes/s, {} ns a miss\n", which,
        of.date, of.commit, of.cpu, of.load_before, of.load_after,
        figure(median(of.mix64_per_second) / 1e6), figure(median(of.dependent_miss_ns)));
  };
  tell("before:", before.of);
  tell("after:", after.of);
  if (before.of.cpu != after.of.cpu || before.of.cores != after.of.cores) {
    text += "these are different machines: only ratios can be compared\n";
  }
  if (before.of.quick != after.of.quick) {
    text += "one of them is a quick run, which has fewer events and repetitions\n";
  }
}

}  // namespace

change judge(const samples& before, const samples& after, bool more_is_better) {
  if (before.size() < least_repetitions || after.size() < least_repetitions) return change::unknown;
  const auto [least_before, most_before] = std::minmax_element(before.begin(), before.end());
  const auto [least_after, most_after] = std::minmax_element(after.begin(), after.end());
  const bool rises = *least_after > *most_before;
  const bool falls = *most_after < *least_before;
  if (!rises && !falls) return change::none;
  const double was = median(before);
  const double is = median(after);
  const double apart = std::abs(is - was);
  if (apart <= spreads_apart * std::max(spread_of(before), spread_of(after))) return change::none;
  if (apart <= least_change * std::max(std::abs(was), std::abs(is))) return change::none;
  return rises == more_is_better ? change::better : change::worse;
}

comparison compare(const results& before, const results& after) {
  constexpr std::string_view line = "{:<62}{:>12}{:>12}{:>11}  {}\n";
  comparison result;
  std::string body;
  for (const row& was : before.rows) {
    const std::string name = was.group + ": " + was.name;
    const row* const is = find(after, was);
    if (is == nullptr) {
      ++result.missing;
      body += fmt::format(fmt::runtime(line), name, "", "", "", "is gone");
      continue;
    }
    if (!is->error.empty()) {
      ++result.failed;
      body += fmt::format(fmt::runtime(line), name, "", "", "", "failed: " + is->error);
      continue;
    }
    if (!was.error.empty()) {
      ++result.unknown;
      body += fmt::format(fmt::runtime(line), name, "failed", figure(median(is->ours)), "", "");
      continue;
    }
    const bool by_ratio = !was.ratio.empty() && !is->ratio.empty();
    const samples& old_one = by_ratio ? was.ratio : was.ours;
    const samples& new_one = by_ratio ? is->ratio : is->ours;
    // A ratio is of times, unless its row is of something of which more is better.
    const change found = judge(old_one, new_one, is->more_is_better);
    result.better += found == change::better ? 1U : 0U;
    result.worse += found == change::worse ? 1U : 0U;
    result.same += found == change::none ? 1U : 0U;
    result.unknown += found == change::unknown ? 1U : 0U;
    if (found == change::none || found == change::unknown) continue;
    const double from = median(old_one);
    const double to = median(new_one);
    body += fmt::format(fmt::runtime(line), name, figure(from), figure(to), percent(from, to),
                        fmt::format("{}{}", found == change::better ? "better" : "WORSE",
                                    by_ratio ? ", ratio" : ", " + is->unit));
  }
  for (const row& is : after.rows) {
    if (find(before, is) != nullptr) continue;
    ++result.missing;
    body += fmt::format(fmt::runtime(line), is.group + ": " + is.name, "", figure(median(is.ours)),
                        "", "is new");
  }
  tell_machine(before, after, result.text);
  result.text += "\n" + body;
  result.text += fmt::format(
      "\n{} better, {} worse, {} within noise, {} with fewer than {} repetitions, {} in one file "
      "only, {} failed\n",
      result.better, result.worse, result.same, result.unknown, least_repetitions, result.missing,
      result.failed);
  result.text +=
      "a change: all repetitions on one side of the other run's, medians further apart than three\n"
      "spreads (1.4826 median absolute deviations) and than 2 %\n";
  return result;
}

}  // namespace suite
