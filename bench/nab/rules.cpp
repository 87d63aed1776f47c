// Scoring by the rules of the Numenta Anomaly Benchmark.
#include "rules.hpp"

#include <algorithm>
#include <cmath>

namespace nab {

double scaled_sigmoid(double position) {
  if (position >= 3) return -1;
  return 2 / (1 + std::exp(5 * position)) - 1;
}

std::size_t probation_of(std::size_t rows) {
  return std::min<std::size_t>(rows * 15 / 100, 750);
}

std::pair<double, std::size_t> worth_of(const series& of, std::size_t row) {
  const std::size_t none = of.windows.size();
  double behind = 3;
  for (std::size_t number = 0; number < of.windows.size(); ++number) {
    const window& each = of.windows[number];
    if (row < each.first) break;
    const auto width = static_cast<double>(each.last - each.first + 1);
    if (row <= each.last) {
      const double position = -static_cast<double>(each.last - row + 1) / width;
      return {weight_of_hit * scaled_sigmoid(position) / scaled_sigmoid(-1), number};
    }
    // A window of a single row has nothing to be relative to.
    if (width > 1) behind = static_cast<double>(row - each.last) / (width - 1);
  }
  return {weight_of_false_alarm * scaled_sigmoid(behind), none};
}

namespace {

/// The sum over windows and false alarms as more and more rows are detected.
class tally {
 public:
  explicit tally(const series& of) : best_(of.windows.size(), -weight_of_miss) {
    // A window that lies in the probation alone is not scored.
    const std::size_t from = probation_of(of.scores.size());
    for (std::size_t i = 0; i < best_.size(); ++i) {
      if (of.windows[i].last < from) best_[i] = 0;
      sum_ += best_[i];
    }
  }
  void detect(const std::pair<double, std::size_t>& worth) {
    if (worth.second == best_.size()) {
      sum_ += worth.first;
    } else if (worth.first > best_[worth.second]) {
      sum_ += worth.first - best_[worth.second];
      best_[worth.second] = worth.first;
    }
  }
  double sum() const { return sum_; }

 private:
  std::vector<double> best_;
  double sum_ = 0;
};

struct detection {
  double score;
  std::size_t series;
  std::size_t row;
};

}  // namespace

double score_at(const series& of, double threshold) {
  tally counted(of);
  for (std::size_t row = probation_of(of.scores.size()); row < of.scores.size(); ++row) {
    if (of.scores[row] > 0 && of.scores[row] >= threshold) counted.detect(worth_of(of, row));
  }
  return counted.sum();
}

result best_of(const std::vector<series>& all) {
  std::vector<detection> rows;
  std::vector<tally> tallies;
  result best;
  double perfect = 0;
  for (std::size_t number = 0; number < all.size(); ++number) {
    const series& of = all[number];
    tallies.emplace_back(of);
    best.raw += tallies.back().sum();
    for (std::size_t row = probation_of(of.scores.size()); row < of.scores.size(); ++row) {
      if (of.scores[row] > 0) rows.push_back({of.scores[row], number, row});
    }
  }
  const double nothing = best.raw;
  perfect = -nothing / weight_of_miss * weight_of_hit;
  std::sort(rows.begin(), rows.end(),
            [](const detection& a, const detection& b) { return a.score > b.score; });
  double sum = nothing;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    tally& of = tallies[rows[i].series];
    const double before = of.sum();
    of.detect(worth_of(all[rows[i].series], rows[i].row));
    sum += of.sum() - before;
    const bool is_last_of_score = i + 1 == rows.size() || rows[i + 1].score < rows[i].score;
    if (is_last_of_score && sum > best.raw) best = {rows[i].score, sum, 0};
  }
  best.normalized = perfect > nothing ? 100 * (best.raw - nothing) / (perfect - nothing) : 0;
  return best;
}

}  // namespace nab
