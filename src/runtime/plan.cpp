#include "plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace freshet::detail {

namespace {

distribution wanted(const node& of, std::size_t port) {
  return port == 0 ? of.takes : of.sides_take;
}

/// Puts one node after the other into a stage, in the order of composition, which has every node
/// below its inputs.
class planner {
 public:
  planner(const graph& of, std::size_t parallelism,
          const std::function<std::size_t(node_id)>& splits)
      : graph_(of), parallelism_(parallelism), splits_(splits) {}

  plan make() && {
    for (node_id id = 0; id < graph_.nodes().size(); ++id) {
      const std::size_t chosen = choose(id);
      made_.stages[chosen].nodes.push_back(id);
      made_.stage_of.push_back(chosen);
      connect(id);
    }
    return std::move(made_);
  }

 private:
  std::size_t choose(node_id id) {
    const node& here = graph_.nodes()[id];
    if (parallelism_ == 1) return made_.stages.empty() ? add(1) : 0;
    if (here.is == node::role::source) return add(std::min(parallelism_, splits_(id)));
    switch (here.takes) {
      case distribution::by_key:
        return keyed(here);
      case distribution::in_turn:
        return add(parallelism_);
      case distribution::all_to_one: {
        const std::size_t above = stage_of_input(here, 0);
        return made_.stages[above].tasks == 1 ? above : add(1);
      }
      case distribution::as_they_are:
      case distribution::all_to_all:
        return forwarded(here);
    }
    return add(1);
  }

  /// Operators below one `key_by` share its rows, which travel once: unless one of them needs, on
  /// another way, what the others give.
  std::size_t keyed(const node& here) {
    const port_of from = here.inputs.front();
    const auto known =
        std::find_if(made_.exchanges.begin(), made_.exchanges.end(), [&](const exchange& each) {
          return each.how == distribution::by_key && each.from.node == from.node &&
                 each.from.port == from.port && !depends_on(here, each.to_stage);
        });
    return known == made_.exchanges.end() ? add(parallelism_) : known->to_stage;
  }

  std::size_t forwarded(const node& here) {
    const std::size_t first = stage_of_input(here, 0);
    std::size_t tasks = 1;
    bool one_stage = true;
    for (std::size_t port = 0; port < here.inputs.size(); ++port) {
      one_stage &= stage_of_input(here, port) == first;
      tasks = std::max(tasks, made_.stages[stage_of_input(here, port)].tasks);
    }
    return one_stage ? first : add(tasks);
  }

  std::size_t add(std::size_t tasks) {
    made_.stages.push_back({{}, tasks});
    return made_.stages.size() - 1;
  }

  std::size_t stage_of_input(const node& of, std::size_t port) const {
    return made_.stage_of[of.inputs[port].node];
  }

  /// Whether an input of `of` comes from `stage`, or from below it: it cannot be in `stage` then.
  bool depends_on(const node& of, std::size_t stage) const {
    for (std::size_t port = 0; port < of.inputs.size(); ++port) {
      if (is_below(stage_of_input(of, port), stage)) return true;
    }
    return false;
  }
  bool is_below(std::size_t here, std::size_t stage) const {
    if (here == stage) return true;
    return std::any_of(made_.exchanges.begin(), made_.exchanges.end(), [&](const exchange& each) {
      return each.to_stage == here && is_below(each.from_stage, stage);
    });
  }

  /// Whether the rows of `of` may be aggregated before they travel to it. Where other operators
  /// want the same rows, they travel anyway.
  bool pre_aggregates(const node& of, std::size_t port) const {
    if (port != 0 || !of.pre_aggregated) return false;
    if (of.pre_aggregated->always) return true;
    const port_of from = of.inputs.front();
    std::size_t wanted_by = 0;
    for (const node& other : graph_.nodes()) {
      for (std::size_t input = 0; input < other.inputs.size(); ++input) {
        const port_of& here = other.inputs[input];
        const bool same = here.node == from.node && here.port == from.port;
        if (same && wanted(other, input) == distribution::by_key) ++wanted_by;
      }
    }
    return wanted_by == 1;
  }

  void connect(node_id id) {
    const node& here = graph_.nodes()[id];
    const std::size_t stage = made_.stage_of[id];
    for (std::size_t port = 0; port < here.inputs.size(); ++port) {
      const port_of from = here.inputs[port];
      const std::size_t above = made_.stage_of[from.node];
      if (above == stage) continue;
      const distribution how = wanted(here, port);
      if (pre_aggregates(here, port)) {
        made_.exchanges.push_back({from, above, stage, how, {{id, port}}, true});
        continue;
      }
      const auto known =
          std::find_if(made_.exchanges.begin(), made_.exchanges.end(), [&](const exchange& each) {
            return each.from.node == from.node && each.from.port == from.port &&
                   each.to_stage == stage && each.how == how && !each.pre_aggregates;
          });
      if (known != made_.exchanges.end()) {
        known->to.push_back({id, port});
      } else {
        made_.exchanges.push_back({from, above, stage, how, {{id, port}}, false});
      }
    }
  }

  const graph& graph_;
  std::size_t parallelism_;
  const std::function<std::size_t(node_id)>& splits_;
  plan made_;
};

}  // namespace

plan make_plan(const graph& of, std::size_t parallelism,
               const std::function<std::size_t(node_id)>& splits) {
  return planner(of, parallelism, splits).make();
}

std::string plan_text(const plan& of, const graph& in) {
  std::string text;
  for (std::size_t number = 0; number < of.stages.size(); ++number) {
    text += fmt::format("stage {}, {} task{}:", number, of.stages[number].tasks,
                        of.stages[number].tasks == 1 ? "" : "s");
    for (const node_id id : of.stages[number].nodes) text += " " + in.place(id);
    text += "\n";
  }
  return text;
}

}  // namespace freshet::detail
