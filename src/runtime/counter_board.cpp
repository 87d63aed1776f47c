#include "counter_board.hpp"

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/sink_operator.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <utility>

namespace freshet::detail {

namespace {

/// One thing that is counted: where it stands while the job runs, in the manifest, and in metrics.
struct counted {
  std::atomic<std::uint64_t> operator_counters::* counter;
  std::uint64_t counter_record::* record;
  std::uint64_t operator_metrics::* metric;
};

constexpr counted all_counted[] = {
    {&operator_counters::records_in, &counter_record::records_in, &operator_metrics::records_in},
    {&operator_counters::records_out, &counter_record::records_out, &operator_metrics::records_out},
    {&operator_counters::late, &counter_record::late, &operator_metrics::late},
    {&operator_counters::dead, &counter_record::dead, &operator_metrics::dead},
    {&operator_counters::unassigned, &counter_record::unassigned, &operator_metrics::unassigned},
    {&operator_counters::realigned, &counter_record::realigned, &operator_metrics::realigned},
    {&operator_counters::regressed, &counter_record::regressed, &operator_metrics::regressed},
    {&operator_counters::dropped, &counter_record::dropped, &operator_metrics::dropped},
    {&operator_counters::shed, &counter_record::shed, &operator_metrics::shed},
};

}  // namespace

void sink_base::record_latency(const control& marker) const {
  const timestamp now = context().task->now();
  context().latencies->record(marker.split, saturating_between(marker.frontier, now));
}

counter_board::counter_board(const graph& of)
    : graph_(of),
      counters_(of.nodes().size()),
      fronts_(of.nodes().size()),
      latencies_(of.nodes().size()) {
  for (node_id node = 0; node < of.nodes().size(); ++node) {
    if (of.nodes()[node].is == node::role::source) sources_.push_back(node);
  }
  for (node_id node = 0; node < of.nodes().size(); ++node) {
    if (of.nodes()[node].is != node::role::sink) continue;
    latencies_[node] = std::make_unique<sink_latencies>(sources_.size());
  }
}

std::vector<hot_key> merge_heavy_keys(const std::vector<heavy_keys>& all) {
  std::map<std::uint64_t, heavy_key> keys;  // `error` is what they have for certain, for now.
  std::uint64_t sampled = 0;
  std::uint64_t others_at_most = 0;
  for (const heavy_keys& each : all) {
    sampled += each.sampled;
    others_at_most += each.others_at_most;
  }
  for (const heavy_keys& each : all) {
    for (const heavy_key& one : each.keys) {
      heavy_key& sum =
          keys.try_emplace(one.hash, heavy_key{one.hash, others_at_most, 0, {}}).first->second;
      sum.count += one.count - std::min(one.count, each.others_at_most);
      sum.error += one.count - one.error;
      if (sum.text.empty()) sum.text = one.text;
    }
  }
  std::vector<hot_key> told;
  const auto share = [sampled](std::uint64_t count) {
    return static_cast<double>(count) / static_cast<double>(sampled);
  };
  for (auto& [hash, sum] : keys) {
    const double most = std::min(1.0, share(sum.count));
    told.push_back({std::move(sum.text), hash, most, most - share(sum.error)});
  }
  std::sort(told.begin(), told.end(), [](const hot_key& a, const hot_key& b) {
    return a.share != b.share ? a.share > b.share : a.hash < b.hash;
  });
  if (told.size() > heavy_keys_max) told.resize(heavy_keys_max);
  return told;
}

void counter_board::make_room(const plan& of) {
  for (node_id node = 0; node < counters_.size(); ++node) {
    while (counters_[node].size() < of.tasks_of(node)) {
      counters_[node].push_back(std::make_unique<operator_counters>());
    }
  }
}

front_counters& counter_board::front_of(node_id node, std::size_t above) {
  while (fronts_[node].size() <= above) fronts_[node].push_back(std::make_unique<front_counters>());
  return *fronts_[node][above];
}

std::uint64_t counter_board::activity() const {
  std::uint64_t all = 0;
  for (const auto& tasks : counters_) {
    for (const auto& each : tasks) all += each->records_in.load(std::memory_order_relaxed);
  }
  return all;
}

counter_record counter_board::record_of(node_id node, std::size_t task) const {
  counter_record made;
  made.place = graph_.place(node);
  for (const counted& each : all_counted) {
    made.*each.record =
        (counters_[node][task].get()->*each.counter).load(std::memory_order_relaxed);
  }
  return made;
}

void add_counts(counter_record& to, const counter_record& more) {
  for (const counted& each : all_counted) to.*each.record += more.*each.record;
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
    for (const counted& each : all_counted) one.*each.metric = sum.*each.record;
    for (const auto& each : counters_[node]) {
      one.bytes_in += each->bytes_in.load(std::memory_order_relaxed);
      one.bytes_out += each->bytes_out.load(std::memory_order_relaxed);
      one.retried += each->retried.load(std::memory_order_relaxed);
      one.ignored += each->ignored.load(std::memory_order_relaxed);
    }
    const state_size held = state_of(node);
    one.state_entries = held.entries;
    one.state_bytes = held.bytes;
    for (const auto& each : counters_[node]) {
      one.cold_entries += each->cold_entries.load(std::memory_order_relaxed);
      one.evicted += each->evicted.load(std::memory_order_relaxed);
      one.cold_asked += each->cold_asked.load(std::memory_order_relaxed);
      one.cold_read += each->cold_read.load(std::memory_order_relaxed);
    }
    std::vector<heavy_keys> heavy;
    for (const auto& each : fronts_[node]) heavy.push_back(each->heavy());
    one.hot_keys = merge_heavy_keys(heavy);
    all.operators.push_back(std::move(one));
  }
  all.latencies = latencies();
  return all;
}

state_size counter_board::state_of(node_id node) const {
  state_size all;
  const auto add = [&all](const auto& more) {
    all += {more.state_entries.load(std::memory_order_relaxed),
            more.state_bytes.load(std::memory_order_relaxed)};
  };
  for (const auto& each : counters_[node]) add(*each);
  for (const auto& each : fronts_[node]) add(*each);
  return all;
}

std::vector<latency_metrics> counter_board::latencies() const {
  std::vector<latency_metrics> all;
  for (node_id sink = 0; sink < latencies_.size(); ++sink) {
    if (latencies_[sink] == nullptr) continue;
    for (std::size_t source = 0; source < sources_.size(); ++source) {
      latency_histogram known = latencies_[sink]->of(source);
      if (known.empty()) continue;
      all.push_back({graph_.nodes()[sources_[source]].name, graph_.nodes()[sink].name, known});
    }
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
    for (const counted& each : all_counted) {
      (counters_[node].front().get()->*each.counter) = (*known).*each.record;
    }
  }
}

}  // namespace freshet::detail
