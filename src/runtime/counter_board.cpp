#include "counter_board.hpp"

#include <algorithm>
#include <utility>

namespace freshet::detail {

void counter_board::make_room(const plan& of) {
  for (node_id node = 0; node < counters_.size(); ++node) {
    while (counters_[node].size() < of.tasks_of(node)) {
      counters_[node].push_back(std::make_unique<operator_counters>());
    }
  }
}

std::uint64_t counter_board::activity() const {
  std::uint64_t all = 0;
  for (const auto& tasks : counters_) {
    for (const auto& each : tasks) all += each->records_in.load(std::memory_order_relaxed);
  }
  return all;
}

counter_record counter_board::record_of(node_id node, std::size_t task) const {
  const operator_counters& from = *counters_[node][task];
  const auto value = [](const std::atomic<std::uint64_t>& of) {
    return of.load(std::memory_order_relaxed);
  };
  return {graph_.place(node),    value(from.records_in), value(from.records_out),
          value(from.late),      value(from.dead),       value(from.unassigned),
          value(from.realigned), value(from.regressed),  value(from.dropped)};
}

void add_counts(counter_record& to, const counter_record& more) {
  to.records_in += more.records_in;
  to.records_out += more.records_out;
  to.late += more.late;
  to.dead += more.dead;
  to.unassigned += more.unassigned;
  to.realigned += more.realigned;
  to.regressed += more.regressed;
  to.dropped += more.dropped;
}

job_metrics counter_board::metrics() const {
  job_metrics all;
  for (node_id node = 0; node < counters_.size(); ++node) {
    counter_record sum;
    for (std::size_t task = 0; task < counters_[node].size(); ++task) {
      add_counts(sum, record_of(node, task));
    }
    operator_metrics one;
    one.place = graph_.place(node);
    one.kind = graph_.nodes()[node].kind;
    one.name = graph_.nodes()[node].name;
    one.records_in = sum.records_in;
    one.records_out = sum.records_out;
    one.late = sum.late;
    one.dead = sum.dead;
    one.unassigned = sum.unassigned;
    one.realigned = sum.realigned;
    one.regressed = sum.regressed;
    one.dropped = sum.dropped;
    all.operators.push_back(std::move(one));
  }
  return all;
}

void counter_board::restore(const std::vector<counter_record>& records) {
  for (node_id node = 0; node < counters_.size(); ++node) {
    if (counters_[node].empty()) continue;
    const auto known = std::find_if(
        records.begin(), records.end(),
        [place = graph_.place(node)](const counter_record& each) { return each.place == place; });
    if (known == records.end()) continue;
    operator_counters& first = *counters_[node].front();
    first.records_in = known->records_in;
    first.records_out = known->records_out;
    first.late = known->late;
    first.dead = known->dead;
    first.unassigned = known->unassigned;
    first.realigned = known->realigned;
    first.regressed = known->regressed;
    first.dropped = known->dropped;
  }
}

}  // namespace freshet::detail
