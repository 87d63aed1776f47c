#include "report.hpp"

#include "payments.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/pipeline/pipeline.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

namespace fr = freshet;

namespace {

struct activity {
  std::string card;
  fr::timestamp window_start;
  std::uint64_t payments = 0;
  double amount_sum = 0;
  double amount_max = 0;
};
BOOST_DESCRIBE_STRUCT(activity, (), (card, window_start, payments, amount_sum, amount_max))

struct training_row {
  bool fraud = false;
  double amount = 0;
  double weight = 0;
};
BOOST_DESCRIBE_STRUCT(training_row, (), (fraud, amount, weight))

/// Counts and sums of payments, each counted `weight` times.
struct totals {
  double rows = 0, frauds = 0, payments = 0, amount = 0;

  void add(bool fraud, double paid, double weight) {
    rows += 1;
    frauds += fraud ? 1 : 0;
    payments += weight;
    amount += weight * paid;
  }
  double fraud_percent() const { return rows > 0 ? 100 * frauds / rows : 0; }
};

template <class Row, class F>
absl::Status for_each_row(const std::string& path, F f) {
  fr::pipeline p("report");
  p.from("rows", fr::csv::read<Row>(path)) | fr::to("each", fr::callback(f));
  return p.run();
}

/// `1,234,567`: the digits of a whole number in groups of three.
std::string grouped(double number) {
  std::string text = fmt::format("{:.0f}", number);
  for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

void print_busiest(const std::map<std::string, activity>& best_by_card) {
  std::vector<activity> busiest;
  for (const auto& [card, best] : best_by_card) busiest.push_back(best);
  std::sort(busiest.begin(), busiest.end(), [](const activity& a, const activity& b) {
    return a.payments != b.payments ? a.payments > b.payments : a.card < b.card;
  });
  busiest.resize(std::min<std::size_t>(busiest.size(), 5));
  fmt::print("busiest cards         10 minutes from       payments      sum EUR    max EUR\n");
  for (const activity& each : busiest) {
    fmt::print("  {:18}  {}  {:8}  {:11.2f}  {:9.2f}\n", each.card,
               fr::to_iso_8601(each.window_start), each.payments, each.amount_sum, each.amount_max);
  }
}

void print_training(const totals& all, const totals& kept) {
  fmt::print("training set          kept {} of {} payments ({:.1f} %)\n", grouped(kept.rows),
             grouped(all.rows), 100 * kept.rows / std::max(all.rows, 1.0));
  fmt::print("  fraud               {:.2f} % of all payments, {:.2f} % of those kept\n",
             all.fraud_percent(), kept.fraud_percent());
  fmt::print("  sum of weights      {} payments; there were {}\n", grouped(kept.payments),
             grouped(all.payments));
  fmt::print("  sum of w * amount   {} EUR; it was {} EUR ({:+.2f} %)\n", grouped(kept.amount),
             grouped(all.amount), 100 * (kept.amount / std::max(all.amount, 1.0) - 1));
}

}  // namespace

absl::Status print_report(const std::string& directory, const std::string& input,
                          std::uint64_t count) {
  const std::filesystem::path out = directory;
  std::map<std::string, activity> best_by_card;
  std::uint64_t windows = 0, late = 0;
  totals all, kept;

  absl::Status status;
  status.Update(for_each_row<activity>(out / "activity.csv", [&](const activity& row) {
    ++windows;
    activity& best = best_by_card[row.card];
    if (row.payments > best.payments) best = row;
  }));
  status.Update(for_each_row<payment>(out / "late.csv", [&late](const payment&) { ++late; }));
  status.Update(for_each_row<training_row>(out / "training.csv", [&](const training_row& row) {
    kept.add(row.fraud, row.amount, row.weight);
  }));
  const auto add = [&all](const payment& each) { all.add(each.fraud, each.amount, 1); };
  if (!input.empty()) {
    status.Update(for_each_row<payment>(input, add));
  } else {
    for (std::uint64_t k = 0; k < count; ++k) add(payment_at(k));
  }
  if (!status.ok()) return status;

  fmt::print("{} payments of {} cards -> {} windows; {} payments came too late\n",
             grouped(all.rows), best_by_card.size(), grouped(static_cast<double>(windows)), late);
  print_busiest(best_by_card);
  print_training(all, kept);
  return absl::OkStatus();
}

void print_progress(const fr::job_metrics& now) {
  fmt::print(stderr, "card_velocity: {} payments, {} checkpoints\n", now.records(),
             now.checkpoints);
}
