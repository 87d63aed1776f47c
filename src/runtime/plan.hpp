// The physical plan: which operators share a task, how many such tasks there are, and which ways
// between operators are exchanges.
//
// A *stage* is a set of operators between which rows move by direct calls. It runs as one or more
// tasks, each with operators of its own. With parallelism 1 everything is one stage of one task. An
// *exchange* carries the rows of one output to all operators of another stage that want them spread
// in the same way, so that they travel once. An operator whose rows are aggregated before they
// travel has an exchange of its own. Immutable once made.
#pragma once

#include <freshet/pipeline/detail/graph.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace freshet::detail {

struct stage {
  std::vector<node_id> nodes;  ///< Those further up first.
  std::size_t tasks = 1;
};

/// One input of one node.
struct input_of {
  node_id node = 0;
  std::size_t port = 0;
};

struct exchange {
  port_of from;
  std::size_t from_stage = 0;
  std::size_t to_stage = 0;
  distribution how = distribution::as_they_are;
  std::vector<input_of> to;
  /// Whether it carries partial aggregates beside rows; then `to` is one input.
  bool pre_aggregates = false;
};

struct plan {
  std::vector<stage> stages;
  std::vector<std::size_t> stage_of;  ///< By node.
  std::vector<exchange> exchanges;

  std::size_t tasks_of(node_id node) const { return stages[stage_of[node]].tasks; }
  /// Whether what enters `node` at `port` comes from a task other than its own.
  bool crosses(const graph& of, node_id node, std::size_t port) const {
    return stage_of[of.nodes()[node].inputs[port].node] != stage_of[node];
  }
};

/// \param splits  of a source: how many tasks it can have at most.
plan make_plan(const graph& of, std::size_t parallelism,
               const std::function<std::size_t(node_id)>& splits);

/// For messages and metrics: the stages with their operators, one line each.
std::string plan_text(const plan& of, const graph& in);

}  // namespace freshet::detail
