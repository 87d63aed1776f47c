#include <freshet/pipeline/detail/graph.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace freshet::detail {

void check(const absl::Status& status) {
  if (!status.ok()) throw job_failure(status);
}

void fail_in_user_function(const std::string& place, const position& where) {
  fail_in_user_function(
      place, fmt::format("at record {} of split {} of source {}", where.sequence,
                         where.split % splits_per_source_max, where.split / splits_per_source_max));
}

void fail_in_user_function(const std::string& place, std::string_view doing) {
  const auto message = [&](std::string_view what) {
    return fmt::format(
        "{}: the function given to it threw ({}) {}; catch it there, or filter such records out "
        "before",
        place, what, doing);
  };
  try {
    throw;
  } catch (const job_failure&) {
    throw;
  } catch (const std::exception& error) {
    throw job_failure(absl::UnknownError(message(error.what())));
  } catch (...) {
    throw job_failure(absl::UnknownError(message("not a std::exception")));
  }
}

void require_usable(const std::string& place, const std::string& wrong) {
  if (!wrong.empty()) throw std::invalid_argument(place + ": " + wrong);
}

void require_not_negative(const std::string& place, const char* option, duration given) {
  if (given >= duration::zero()) return;
  throw std::invalid_argument(fmt::format("{}: {} {} is negative; give zero or a positive duration",
                                          place, option, to_text(given)));
}

void require_distinct(const std::string& place, const std::vector<std::string>& columns) {
  for (auto column = columns.begin(); column != columns.end(); ++column) {
    if (std::find(columns.begin(), column, *column) == column) continue;
    throw std::invalid_argument(
        fmt::format("{}: its row has two columns '{}', and each is known by its name; give every "
                    "aggregate a name "
                    "of its own, other than those of key and window",
                    place, *column));
  }
}

void graph::require_timed(port_of of, const std::string& place) const {
  if (timed(of)) return;
  throw std::invalid_argument(place +
                              ": the records have no event times; put event_time(&record::at, "
                              "bounded_disorder{...}) below their source");
}

node_id graph::add(node fresh) {
  if (frozen_) {
    throw std::invalid_argument(
        fmt::format("pipeline '{}': {} is added after the job was started; compose first, then run",
                    name_, fresh.kind));
  }
  if (fresh.named && !fresh.name.empty()) {
    const auto taken = std::find_if(nodes_.begin(), nodes_.end(), [&](const node& other) {
      return other.named && other.kind == fresh.kind && other.name == fresh.name;
    });
    if (taken != nodes_.end()) {
      throw std::invalid_argument(fmt::format(
          "{} '{}': another {} of pipeline '{}' has this name; a name is the identity of "
          "state across restarts, give each its own",
          fresh.kind, fresh.name, fresh.kind, name_));
    }
  }
  if (fresh.kind == "event_time") {
    const node_id source = source_of(fresh.inputs.front().node);
    for (node_id other = 0; other < nodes_.size(); ++other) {
      if (nodes_[other].kind == "event_time" && source_of(other) == source) {
        throw std::invalid_argument(fmt::format(
            "event_time: source '{}' has one already; assign event times once, then use "
            "the stream twice",
            fresh.name));
      }
    }
  }
  nodes_.push_back(std::move(fresh));
  return nodes_.size() - 1;
}

node_id graph::source_above(port_of from, std::string_view for_whom) const {
  node_id at = from.node;
  std::size_t port = from.port;
  while (true) {
    const node& here = nodes_[at];
    if (timed({at, port})) {
      throw std::invalid_argument(fmt::format(
          "{}: {} above it has event times already; assign them once, above windows and merges",
          for_whom, place(at)));
    }
    if (here.is == node::role::source && port == 0) return at;
    if (!here.record_wise) {
      throw std::invalid_argument(
          fmt::format("{}: found {} above it, wanted one source and record-wise operators (map, "
                      "filter, flat_map); give every source its event_time before that",
                      for_whom, place(at)));
    }
    port = here.inputs.front().port;
    at = here.inputs.front().node;
  }
}

node_id graph::source_of(node_id below) const {
  node_id at = below;
  while (nodes_[at].is != node::role::source) at = nodes_[at].inputs.front().node;
  return at;
}

bool graph::in_log_order(node_id below) const {
  const std::vector<port_of>& inputs = nodes_[below].inputs;
  return std::all_of(inputs.begin(), inputs.end(), [this](const port_of& input) {
    const node& above = nodes_[input.node];
    return above.orders || (!above.reorders && in_log_order(input.node));
  });
}

std::optional<node_id> graph::top_of_single_way(node_id below) const {
  node_id at = below;
  do {
    const std::vector<port_of>& inputs = nodes_[at].inputs;
    if (inputs.size() != 1) return std::nullopt;
    at = inputs.front().node;
  } while (nodes_[at].is != node::role::source && !nodes_[at].orders);
  return at;
}

std::string graph::origin_of(const port_of& from) const {
  const node& here = nodes_[from.node];
  if (!here.state_name.empty()) return "(" + here.state_name + ")";
  if (here.name.empty() && !here.inputs.empty()) return origin_of(here.inputs.front());
  return from.port == 0 ? here.name : fmt::format("{}:{}", here.name, from.port);
}

std::string graph::merged_name(const std::vector<port_of>& inputs) const {
  std::string merged;
  for (const port_of& input : inputs) merged += (merged.empty() ? "" : "+") + origin_of(input);
  const auto taken = [this](const std::string& name) {
    return std::any_of(nodes_.begin(), nodes_.end(),
                       [&name](const node& each) { return each.state_name == name; });
  };
  std::string free = merged;
  for (std::size_t number = 2; taken(free); ++number) free = fmt::format("{} #{}", merged, number);
  return free;
}

bool graph::want_entry_frontiers(port_of from) {
  node& here = nodes_[from.node];
  if (here.kind == "event_time") {
    here.wants_entry_frontiers = true;
    return true;
  }
  if (here.orders) return true;
  const bool passes = here.kind == "merge" || here.kind == "key_by" || here.kind == "rebalance";
  if (!here.record_wise && !passes) return false;
  bool all = true;
  for (const port_of& input : here.inputs) all &= want_entry_frontiers(input);
  return all;
}

std::string graph::place(node_id id) const {
  const node& here = nodes_[id];
  return here.name.empty() ? fmt::format("{} #{}", here.kind, id)
                           : fmt::format("{} '{}'", here.kind, here.name);
}

}  // namespace freshet::detail
