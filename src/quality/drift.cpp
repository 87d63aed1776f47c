// ADWIN and Page-Hinkley.
#include <freshet/quality/drift.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace freshet {

namespace {

using detail::moments;

moments values_of(const adwin_bucket& bucket, std::size_t row) {
  return {std::ldexp(1.0, static_cast<int>(std::min<std::size_t>(row, 64))), bucket.mean,
          bucket.spread};
}

/// Adds a bucket of one value, and makes one bucket of the two oldest of each row that has too
/// many.
void push(std::vector<std::vector<adwin_bucket>>& rows, double value, std::size_t row_max) {
  if (rows.empty()) rows.emplace_back();
  rows.front().push_back({value, 0});
  for (std::size_t row = 0; rows[row].size() > row_max; ++row) {
    moments both = values_of(rows[row][0], row);
    both.add(values_of(rows[row][1], row));
    rows[row].erase(rows[row].begin(), rows[row].begin() + 2);
    if (row + 1 == rows.size()) rows.emplace_back();
    rows[row + 1].push_back({both.mean, both.spread});
  }
}

void drop_oldest(std::vector<std::vector<adwin_bucket>>& rows, std::size_t buckets) {
  while (!rows.empty()) {
    if (rows.back().empty()) {
      rows.pop_back();
    } else if (buckets > 0) {
      rows.back().erase(rows.back().begin());
      --buckets;
    } else {
      return;
    }
  }
}

struct adwin_cut {
  drift found;
  std::size_t older = 0;  ///< Buckets before it.
};

/// The cut between two parts whose means are further apart than chance allows: that where they are
/// so by the largest factor.
std::optional<adwin_cut> find_cut(const adwin& how, const adwin_state& seen) {
  const moments all = adwin::window(seen);
  if (all.count < 2.0 * how.part_min || all.count < 3) return std::nullopt;
  const double log_of_chances = std::log(2 * std::log(all.count) / how.delta);
  const double range = how.range > 0 ? how.range : std::sqrt(all.variance());
  std::optional<adwin_cut> best;
  moments older;
  std::size_t buckets = 0;
  for (std::size_t row = seen.rows.size(); row-- > 0;) {
    for (const adwin_bucket& bucket : seen.rows[row]) {
      older.add(values_of(bucket, row));
      ++buckets;
      const double newer_count = all.count - older.count;
      if (older.count < how.part_min) continue;
      if (newer_count < how.part_min) return best;
      // That of the newer part, from the common one, without the digits that subtraction loses.
      const double newer = all.mean - (older.mean - all.mean) * (older.count / newer_count);
      const double difference = std::abs(older.mean - newer);
      const double m = older.count * (newer_count / all.count);
      const double bound =
          std::sqrt(2 / m * all.variance() * log_of_chances) + 2 / (3 * m) * log_of_chances * range;
      if (difference <= bound) continue;
      if (best && difference / bound <= best->found.statistic / best->found.bound) continue;
      best = adwin_cut{{older.mean, newer, difference, bound}, buckets};
    }
  }
  return best;
}

}  // namespace

moments adwin::window(const state& seen) {
  moments all;
  for (std::size_t row = seen.rows.size(); row-- > 0;) {
    for (const adwin_bucket& bucket : seen.rows[row]) all.add(values_of(bucket, row));
  }
  return all;
}

std::optional<drift> adwin::add(state& seen, double value) const {
  if (!detail::is_measurable(value)) {
    ++seen.skipped;
    return std::nullopt;
  }
  push(seen.rows, value, buckets_per_row);
  if (++seen.since_check < check_every) return std::nullopt;
  seen.since_check = 0;
  std::optional<drift> found;
  while (const std::optional<adwin_cut> cut = find_cut(*this, seen)) {
    if (!found) found = cut->found;
    drop_oldest(seen.rows, cut->older);
  }
  return found;
}

std::string adwin::check() const {
  if (!(delta > 0 && delta < 1)) {
    return fmt::format("delta {} is not in (0, 1); give .delta a chance such as 0.002", delta);
  }
  if (part_min < 1)
    return "part_min 0 is not positive; give .part_min a number of values such as 5";
  if (check_every < 1) {
    return "check_every 0 is not positive; give .check_every 1 to check after every value";
  }
  if (buckets_per_row < 2 || buckets_per_row > 1000) {
    return fmt::format("buckets_per_row {} is not in [2, 1000]; give .buckets_per_row 5",
                       buckets_per_row);
  }
  if (!(range >= 0 && std::isfinite(range))) {
    return fmt::format("range {} is no width; give .range the width of the values' interval, or 0",
                       range);
  }
  return {};
}

std::string adwin::describe() const {
  return fmt::format("adwin {} {} {} {} {}", delta, part_min, check_every, buckets_per_row, range);
}

namespace {

/// Moves one side by `step`. \return how far it is above its lowest point.
double move_side(page_hinkley_side& side, double step, double value) {
  side.sum += step;
  side.since.add(value);
  if (side.sum <= side.lowest) {
    side.lowest = side.sum;
    side.since = {};
  }
  return side.sum - side.lowest;
}

}  // namespace

std::optional<drift> page_hinkley::add(state& seen, double value) const {
  if (!detail::is_measurable(value)) {
    ++seen.skipped;
    return std::nullopt;
  }
  seen.all.add(value);
  if (seen.all.count < values_min) return std::nullopt;
  const double unit = scale > 0 ? scale : seen.all.deviation();
  const double distance = unit > 0 ? (value - seen.all.mean) / unit : 0;
  const double risen = move_side(seen.up, distance - delta, value);
  const double fallen = move_side(seen.down, -distance - delta, value);
  if (std::max(risen, fallen) <= lambda) return std::nullopt;
  const page_hinkley_side& side = risen >= fallen ? seen.up : seen.down;
  const moments& after = side.since;
  const double before_count = seen.all.count - after.count;
  const double before =
      before_count > 0 ? seen.all.mean - (after.mean - seen.all.mean) * (after.count / before_count)
                       : seen.all.mean;
  const drift found{before, after.mean, std::max(risen, fallen), lambda};
  seen = {.skipped = seen.skipped};
  return found;
}

std::string page_hinkley::check() const {
  if (!(delta >= 0 && std::isfinite(delta))) {
    return fmt::format("delta {} is no allowance; give .delta a number such as 0.5", delta);
  }
  if (!(lambda > 0 && std::isfinite(lambda))) {
    return fmt::format("lambda {} is not positive; give .lambda a number such as 20", lambda);
  }
  if (values_min < 2) {
    return fmt::format("values_min {} is less than 2; give .values_min a number such as 100",
                       values_min);
  }
  if (!(scale >= 0 && std::isfinite(scale))) {
    return fmt::format("scale {} is no unit; give .scale a positive number, or 0", scale);
  }
  return {};
}

std::string page_hinkley::describe() const {
  return fmt::format("page_hinkley {} {} {} {}", delta, lambda, values_min, scale);
}

}  // namespace freshet
