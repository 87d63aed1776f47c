#include "task_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace freshet::detail {

namespace {

std::optional<std::uint64_t> seed_of(const scheduling& how) {
  if (how.is != scheduling::kind::simulation) return std::nullopt;
  return how.seed;
}

bool looks_for_idleness(const graph& of) {
  return std::any_of(of.nodes().begin(), of.nodes().end(), [](const node& each) {
    return std::find(each.unpromised.begin(), each.unpromised.end(), "idle timeout") !=
           each.unpromised.end();
  });
}

}  // namespace

void merge_frontiers(time_state& into, const time_state& more) {
  for (const auto& [node, frontiers] : more) {
    const auto [known, is_new] = into.emplace(node, frontiers);
    if (!is_new) known->second.minimum.take_slowest(frontiers.minimum);
  }
}

task_set::task_set(const graph& of, counter_board& counters, checkpointer& checkpoints,
                   const run_options& options)
    : graph_(of),
      options_(options),
      drift_(options.max_drift),
      environment_{graph_,
                   plan_,
                   counters,
                   checkpoints,
                   drift_,
                   options.clock,
                   options.flush_after,
                   options.latency_markers,
                   looks_for_idleness(of),
                   seed_of(options.scheduler),
                   nullptr} {}

std::size_t task_set::splits_of(node_id source) const {
  const auto known = splits_.find(source);
  return known == splits_.end() ? 1 : known->second;
}

void task_set::make() {
  std::uint32_t number = 0;
  for (node_id id = 0; id < graph_.nodes().size(); ++id) {
    const node& described = graph_.nodes()[id];
    if (described.is != node::role::source) continue;
    std::unique_ptr<runtime_operator> made = described.make();
    operator_context context;
    context.name = described.name;
    context.place = graph_.place(id);
    made->open(context);
    auto& source = static_cast<head&>(*made);
    check(source.open_source(number++));
    splits_[id] = source.board().names.size();
    sources_[id] = std::move(made);
  }
  lay_out(options_.parallelism);
}

void task_set::make_ends() {
  lay_out(1);
}

void task_set::lay_out(std::size_t parallelism) {
  plan_ = make_plan(graph_, parallelism, [this](node_id source) { return splits_of(source); });
  environment_.counters.make_room(plan_);
  std::vector<std::vector<task*>> by_stage(plan_.stages.size());
  for (std::size_t stage = 0; stage < plan_.stages.size(); ++stage) {
    for (std::size_t number = 0; number < plan_.stages[stage].tasks; ++number) {
      owned_.push_back(std::make_unique<task>(environment_, stage, number, sources_));
      tasks_.push_back(owned_.back().get());
      by_stage[stage].push_back(tasks_.back());
    }
  }
  for (const exchange& way : plan_.exchanges) {
    task::connect(way, by_stage[way.from_stage], by_stage[way.to_stage],
                  spread_evenly(by_stage[way.to_stage].size()), options_.channel_batches);
  }
  for (const auto& [source, splits] : splits_) {
    const std::vector<task*>& readers = by_stage[plan_.stage_of[source]];
    auto& first = static_cast<head&>(readers.front()->operator_of(source));
    for (std::size_t number = readers.size(); number > 0; --number) {
      static_cast<head&>(readers[number - 1]->operator_of(source))
          .share_source(first, number - 1, readers.size());
    }
  }
}

void task_set::open() {
  for (task* each : tasks_) {
    each->open([this](node_id source) { return splits_of(source); });
  }
}

void task_set::start_sinks() {
  for (task* each : tasks_) each->open_sinks();
  if (const std::string older = environment_.checkpoints.older_because(); !older.empty()) {
    for (const task* each : tasks_) {
      const std::optional<std::string> sink = each->not_rolled_back();
      if (!sink) continue;
      duplicates_ = fmt::format("{}, and sink '{}' cannot take back what it has published since",
                                older, *sink);
      break;
    }
  }
  if (!duplicates_.empty() && !options_.allow_duplicates) {
    throw job_failure(absl::FailedPreconditionError(fmt::format(
        "pipeline '{}': rows would come twice, because {}; set allow_duplicates to go on "
        "all the same, or begin anew with a new directory",
        graph_.name(), duplicates_)));
  }
  for (task* each : tasks_) each->start_sinks();
}

namespace {

/// `sink 'a'`, or `sinks 'a', 'b'`.
std::string named(const std::string& what, const std::set<std::string>& names) {
  std::string text = what + (names.size() > 1 ? "s" : "");
  std::string_view separator = " ";
  for (const std::string& each : names) {
    text.append(separator).append("'").append(each).append("'");
    separator = ", ";
  }
  return text;
}

}  // namespace

std::string task_set::guarantee(bool checkpoints) const {
  if (!checkpoints) return "none across restarts: checkpoints are off";
  std::set<std::string> sources;
  std::set<std::string> sinks;
  for (const task* each : tasks_) {
    each->add_not_replayable(sources);
    each->add_at_least_once(sinks);
  }
  if (!sources.empty()) {
    return "at most once unless the application replays: " + named("source", sources) +
           " cannot go back";
  }
  if (!duplicates_.empty()) return "at least once: " + duplicates_;
  if (sinks.empty()) return "exactly once";
  std::set<std::string> others;
  std::set<std::string> tables;
  for (const node& each : graph_.nodes()) {
    if (each.is == node::role::sink && !sinks.contains(each.name)) others.insert(each.name);
    if (each.kind == "upsert") tables.insert(each.name);
  }
  std::string text = "at least once: " + named("sink", sinks) + " cannot take rows back";
  if (!others.empty() || !tables.empty()) text += "; exactly once: ";
  if (!others.empty()) text += named("sink", others);
  if (!others.empty() && !tables.empty()) text += ", ";
  if (!tables.empty()) text += named("upsert", tables);
  return text;
}

bool task_set::used_processing_time() const {
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [](const task* each) { return each->used_processing_time(); });
}

std::vector<std::string> task_set::unpromised_arrivals() const {
  std::vector<std::string> all;
  for (const task* each : tasks_) {
    // Every task of a stage says the same.
    if (each->number() != 0) continue;
    for (std::string& what : each->unpromised_arrivals()) all.push_back(std::move(what));
  }
  return all;
}

time_state task_set::frontiers() const {
  time_state all;
  for (const task* each : tasks_) merge_frontiers(all, each->frontiers());
  return all;
}

}  // namespace freshet::detail
