// Judging values by z-scores.
#include <freshet/quality/anomaly.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace freshet {

namespace {

/// The score of a value, which is measurable.
judged score_of(double value, double mean, double deviation) {
  const double distance = std::abs(value - mean);
  double score = anomaly_score_max;
  // Also where both are 0.
  if (distance <= deviation * anomaly_score_max) score = distance > 0 ? distance / deviation : 0;
  return {score, false, mean, deviation};
}

/// What is learned of a value that is far away. From values that never varied nothing is far.
double learned(double value, const judged& by, double threshold) {
  if (!(by.deviation > 0)) return value;
  const double far = by.deviation * threshold;
  return std::clamp(value, by.expected - far, by.expected + far);
}

/// Makes the score a flag, unless one holds.
void raise(judged& found, const alarm_options& how, std::uint32_t& held) {
  if (held > 0) {
    --held;
  } else if (found.score > how.threshold) {
    found.flagged = true;
    held = how.hold;
  }
}

judged not_measurable(double mean, double deviation) {
  return {anomaly_score_max, true, mean, deviation};
}

std::string check_alarm(const alarm_options& how) {
  if (!(how.threshold > 0 && std::isfinite(how.threshold))) {
    return fmt::format(
        "alarm.threshold {} is not positive; give .alarm.threshold a score such as 5",
        how.threshold);
  }
  if (how.warm_up < 2) {
    return fmt::format(
        "alarm.warm_up {} is less than 2; give .alarm.warm_up a number of values such as 50",
        how.warm_up);
  }
  return {};
}

std::string check_half_life(double half_life) {
  if (half_life > 0 && std::isfinite(half_life)) return {};
  return fmt::format("half-life {} is not positive; give a number of values such as 100",
                     half_life);
}

std::string alarm_text(const alarm_options& how) {
  return fmt::format("{} {} {}", how.threshold, how.warm_up, how.hold);
}

/// Takes a value out again. \pre it is one of at least two.
void take_out(detail::moments& from, double value) {
  const double left = from.count - 1;
  const double mean = from.mean + (from.mean - value) / left;
  from.spread = std::max(0.0, from.spread - (value - from.mean) * (value - mean));
  from.mean = mean;
  from.count = left;
}

void learn(zscore_state& seen, double value, std::uint32_t window) {
  if (seen.values.size() < window) {
    seen.values.push_back(value);
    seen.sum.add(value);
    return;
  }
  if (seen.next >= seen.values.size()) {
    // What has been added and taken out leaves rounding errors behind.
    seen.next = 0;
    seen.sum = {};
    for (const double each : seen.values) seen.sum.add(each);
  }
  take_out(seen.sum, seen.values[seen.next]);
  seen.sum.add(value);
  seen.values[seen.next++] = value;
}

}  // namespace

judged zscore::add(state& seen, double value) const {
  const double deviation = seen.sum.deviation();
  if (!detail::is_measurable(value)) return not_measurable(seen.sum.mean, deviation);
  if (seen.sum.count < alarm.warm_up) {
    const judged found{0, false, seen.sum.mean, deviation};
    learn(seen, value, window);
    return found;
  }
  judged found = score_of(value, seen.sum.mean, deviation);
  raise(found, alarm, seen.held);
  learn(seen, learned(value, found, alarm.threshold), window);
  return found;
}

std::string zscore::check() const {
  if (window < 2 || window > 1'000'000) {
    return fmt::format(
        "window {} is not in [2, 1000000]; give .window a number of values such as 500", window);
  }
  if (std::string wrong = check_alarm(alarm); !wrong.empty()) return wrong;
  if (alarm.warm_up > window) {
    return fmt::format(
        "alarm.warm_up {} is more than the window's {} values; give .alarm.warm_up fewer",
        alarm.warm_up, window);
  }
  return {};
}

std::string zscore::describe() const {
  return fmt::format("zscore {} {}", window, alarm_text(alarm));
}

void decayed_moments::add(double value, double half_life) {
  count += 1;
  const double weight = std::max(1 - std::exp2(-1 / half_life), 1 / count);
  const double distance = value - mean;
  mean += weight * distance;
  variance = (1 - weight) * (variance + weight * distance * distance);
}

judged ewma_zscore::add(state& seen, double value) const {
  decayed_moments& known = seen.known;
  const double deviation = std::sqrt(known.variance);
  if (!detail::is_measurable(value)) return not_measurable(known.mean, deviation);
  if (known.count < alarm.warm_up) {
    const judged found{0, false, known.mean, deviation};
    known.add(value, half_life);
    return found;
  }
  judged found = score_of(value, known.mean, deviation);
  raise(found, alarm, seen.held);
  known.add(learned(value, found, alarm.threshold), half_life);
  return found;
}

std::string ewma_zscore::check() const {
  if (std::string wrong = check_half_life(half_life); !wrong.empty()) return wrong;
  return check_alarm(alarm);
}

std::string ewma_zscore::describe() const {
  return fmt::format("ewma_zscore {} {}", half_life, alarm_text(alarm));
}

judged triple_z::add(state& seen, double value) const {
  std::array<judged, 3> each;
  for (std::size_t i = 0; i < each.size(); ++i) {
    decayed_moments& known = seen.known[i];
    each[i] = {0, false, known.mean, std::sqrt(known.variance)};
    if (!detail::is_measurable(value)) continue;
    if (known.count >= alarm.warm_up) {
      each[i] = score_of(value, known.mean, each[i].deviation);
      known.add(learned(value, each[i], alarm.threshold), half_lives[i]);
    } else {
      known.add(value, half_lives[i]);
    }
  }
  if (!detail::is_measurable(value)) return not_measurable(each[1].expected, each[1].deviation);
  std::stable_sort(each.begin(), each.end(),
                   [](const judged& a, const judged& b) { return a.score > b.score; });
  judged found = each[agree - 1];
  raise(found, alarm, seen.held);
  return found;
}

std::string triple_z::check() const {
  for (const double half_life : half_lives) {
    if (std::string wrong = check_half_life(half_life); !wrong.empty()) return wrong;
  }
  if (agree < 1 || agree > 3) {
    return fmt::format("agree {} is not in [1, 3]; give .agree how many must find a value unusual",
                       agree);
  }
  return check_alarm(alarm);
}

std::string triple_z::describe() const {
  return fmt::format("triple_z {} {} {} {} {}", half_lives[0], half_lives[1], half_lives[2], agree,
                     alarm_text(alarm));
}

}  // namespace freshet
