// Physical plans: which operators of a graph share a stage, and how rows get from one to another.
#include "runtime/plan.hpp"
#include "catch.hpp"

#include <algorithm>
#include <random>

using namespace freshet::detail;

namespace {

/// Composes graphs of bare nodes: a plan looks at nothing but their roles, inputs and wishes.
struct drawing {
  graph made{"drawn"};

  node_id source() {
    node fresh;
    fresh.kind = "from";
    fresh.is = node::role::source;
    return made.add(std::move(fresh));
  }
  node_id below(std::vector<node_id> above, distribution takes = distribution::as_they_are,
                distribution sides_take = distribution::as_they_are) {
    node fresh;
    fresh.kind = "operator";
    for (const node_id each : above) fresh.inputs.push_back({each, 0});
    fresh.takes = takes;
    fresh.sides_take = sides_take;
    return made.add(std::move(fresh));
  }
  node_id keyed(node_id above) { return below({above}, distribution::by_key); }
  node_id sink(node_id above) {
    node fresh;
    fresh.kind = "to";
    fresh.is = node::role::sink;
    fresh.inputs = {{above, 0}};
    fresh.takes = distribution::all_to_one;
    return made.add(std::move(fresh));
  }
  plan laid_out(std::size_t parallelism, std::size_t splits = 100) const {
    return make_plan(made, parallelism, [splits](node_id) { return splits; });
  }
};

std::size_t exchanges_into(const plan& of, node_id node) {
  return static_cast<std::size_t>(
      std::count_if(of.exchanges.begin(), of.exchanges.end(), [&](const exchange& each) {
        return std::any_of(each.to.begin(), each.to.end(),
                           [&](const input_of& input) { return input.node == node; });
      }));
}

/// Whether stages can be put into an order in which every exchange goes forward.
bool is_acyclic(const plan& of) {
  std::vector<bool> placed(of.stages.size(), false);
  for (std::size_t round = 0; round < of.stages.size(); ++round) {
    for (std::size_t stage = 0; stage < of.stages.size(); ++stage) {
      placed[stage] = std::all_of(of.exchanges.begin(), of.exchanges.end(), [&](const exchange& e) {
        return e.to_stage != stage || (e.from_stage != stage && placed[e.from_stage]);
      });
    }
  }
  return std::find(placed.begin(), placed.end(), false) == placed.end();
}

/// What every plan must keep, found from the graph alone.
void require_sound(const drawing& of, const plan& laid_out, std::size_t parallelism) {
  INFO(plan_text(laid_out, of.made));
  REQUIRE(is_acyclic(laid_out));
  for (node_id id = 0; id < of.made.nodes().size(); ++id) {
    const node& here = of.made.nodes()[id];
    const std::size_t stage = laid_out.stage_of[id];
    const auto& members = laid_out.stages[stage].nodes;
    REQUIRE(std::count(members.begin(), members.end(), id) == 1);
    REQUIRE(std::is_sorted(members.begin(), members.end()));
    if (here.takes == distribution::all_to_one) REQUIRE(laid_out.tasks_of(id) == 1);
    if (here.takes == distribution::by_key) REQUIRE(laid_out.tasks_of(id) == parallelism);
    for (std::size_t port = 0; port < here.inputs.size(); ++port) {
      const distribution wanted = port == 0 ? here.takes : here.sides_take;
      const auto ways = std::count_if(
          laid_out.exchanges.begin(), laid_out.exchanges.end(), [&](const exchange& each) {
            return each.from.node == here.inputs[port].node && each.to_stage == stage &&
                   each.how == wanted &&
                   std::any_of(each.to.begin(), each.to.end(), [&](const input_of& to) {
                     return to.node == id && to.port == port;
                   });
          });
      REQUIRE(ways == (laid_out.crosses(of.made, id, port) ? 1 : 0));
      // Who wants rows spread must get them from another stage, unless one task has them all.
      const bool spreads = wanted == distribution::by_key || wanted == distribution::in_turn ||
                           wanted == distribution::all_to_all;
      if (spreads && parallelism > 1) REQUIRE(laid_out.crosses(of.made, id, port));
    }
  }
}

drawing random_drawing(std::mt19937_64& random) {
  drawing all;
  const auto below = [&](std::size_t bound) { return random() % bound; };
  for (std::size_t sources = 1 + below(3); sources > 0; --sources) (void)all.source();
  std::vector<node_id> open;
  for (node_id id = 0; id < all.made.nodes().size(); ++id) open.push_back(id);
  const auto any = [&] { return open[below(open.size())]; };
  for (std::size_t more = 1 + below(14); more > 0; --more) {
    switch (below(7)) {
      case 0:
        open.push_back(all.below({any()}));
        break;
      case 1:
        open.push_back(all.keyed(any()));
        break;
      case 2:
        open.push_back(all.below({any(), any(), any()}));
        break;
      case 3:  // Two keyed streams that meet.
        open.push_back(all.below({any(), any()}, distribution::by_key, distribution::by_key));
        break;
      case 4:  // A keyed stream and a broadcast one.
        open.push_back(all.below({any(), any()}, distribution::by_key, distribution::all_to_all));
        break;
      case 5:
        open.push_back(all.below({any()}, distribution::in_turn));
        break;
      default:
        open.push_back(all.below({any()}, distribution::all_to_one));
    }
  }
  (void)all.sink(any());
  return all;
}

}  // namespace

TEST_CASE("with parallelism 1 a plan is one stage of one task", "[runtime][plan]") {
  drawing of;
  const node_id in = of.source();
  of.sink(of.keyed(of.below({in, of.source()}, distribution::in_turn)));
  const plan made = of.laid_out(1);
  REQUIRE(made.stages.size() == 1);
  REQUIRE(made.stages[0].tasks == 1);
  REQUIRE(made.stages[0].nodes.size() == of.made.nodes().size());
  REQUIRE(made.exchanges.empty());
}

TEST_CASE("a source has as many tasks as splits, or as parallelism says", "[runtime][plan]") {
  drawing of;
  const node_id in = of.source();
  const node_id mapped = of.below({in});
  REQUIRE(of.laid_out(4, 3).tasks_of(in) == 3);
  REQUIRE(of.laid_out(4, 9).tasks_of(in) == 4);
  REQUIRE(of.laid_out(4, 1).tasks_of(in) == 1);
  // What takes rows as they are costs no exchange.
  REQUIRE(of.laid_out(4, 3).stage_of[mapped] == of.laid_out(4, 3).stage_of[in]);
}

TEST_CASE("operators below one key_by share a stage and an exchange", "[runtime][plan]") {
  drawing of;
  const node_id key = of.below({of.source()});
  const node_id first = of.keyed(key);
  const node_id second = of.keyed(key);
  const plan made = of.laid_out(3);
  REQUIRE(made.stage_of[first] == made.stage_of[second]);
  REQUIRE(made.tasks_of(first) == 3);
  REQUIRE(made.exchanges.size() == 1);
  REQUIRE(made.exchanges[0].to.size() == 2);
  REQUIRE(made.exchanges[0].how == distribution::by_key);
}

TEST_CASE("operators below two key_by have a stage each", "[runtime][plan]") {
  drawing of;
  const node_id in = of.source();
  const node_id first = of.keyed(of.below({in}));
  const node_id second = of.keyed(of.below({in}));
  const plan made = of.laid_out(3);
  REQUIRE(made.stage_of[first] != made.stage_of[second]);
  REQUIRE(made.exchanges.size() == 2);
}

TEST_CASE("an operator whose control stream comes from its own stage gets another stage",
          "[runtime][plan]") {
  // key +--> window --> map --+
  //     |                     v (control)
  //     +-------------------> process
  drawing of;
  const node_id key = of.below({of.source()});
  const node_id window = of.keyed(key);
  const node_id control = of.below({window});
  const node_id process = of.below({key, control}, distribution::by_key, distribution::all_to_all);
  const plan made = of.laid_out(2);
  REQUIRE(made.stage_of[process] != made.stage_of[window]);
  REQUIRE(exchanges_into(made, process) == 2);
  require_sound(of, made, 2);
}

TEST_CASE("also when the control stream comes from there by way of other stages",
          "[runtime][plan]") {
  drawing of;
  const node_id key = of.below({of.source()});
  const node_id window = of.keyed(key);
  const node_id control = of.below({of.keyed(of.below({window}))}, distribution::all_to_one);
  const node_id process = of.below({key, control}, distribution::by_key, distribution::all_to_all);
  const node_id later = of.keyed(key);
  const plan made = of.laid_out(2);
  REQUIRE(made.stage_of[process] != made.stage_of[window]);
  REQUIRE(made.stage_of[later] == made.stage_of[window]);
  require_sound(of, made, 2);
}

TEST_CASE("a sink has one task, in the stage above where that has one as well", "[runtime][plan]") {
  drawing of;
  const node_id in = of.source();
  const node_id direct = of.sink(in);
  const node_id below_keyed = of.sink(of.keyed(of.below({in})));
  const plan many = of.laid_out(4, 4);
  REQUIRE(many.tasks_of(direct) == 1);
  REQUIRE(many.tasks_of(below_keyed) == 1);
  REQUIRE(exchanges_into(many, direct) == 1);
  REQUIRE(exchanges_into(many, below_keyed) == 1);
  const plan one_split = of.laid_out(4, 1);
  REQUIRE(one_split.stage_of[direct] == one_split.stage_of[in]);
  REQUIRE(exchanges_into(one_split, direct) == 0);
}

TEST_CASE("a merge of stages has as many tasks as the largest of them", "[runtime][plan]") {
  drawing of;
  const node_id one = of.source();
  const node_id many = of.source();
  const node_id merged = of.below({one, many});
  const plan made = make_plan(
      of.made, 4, [&](node_id source) { return source == one ? std::size_t{1} : std::size_t{3}; });
  REQUIRE(made.tasks_of(one) == 1);
  REQUIRE(made.tasks_of(many) == 3);
  REQUIRE(made.tasks_of(merged) == 3);
  REQUIRE(exchanges_into(made, merged) == 2);
  // Within one stage it is a merge of direct calls.
  drawing same;
  const node_id in = same.source();
  const node_id both = same.below({same.below({in}), same.below({in})});
  REQUIRE(same.laid_out(4).stage_of[both] == same.laid_out(4).stage_of[in]);
}

TEST_CASE("rebalance spreads the rows of one split over all tasks", "[runtime][plan]") {
  drawing of;
  const node_id in = of.source();
  const node_id spread = of.below({in}, distribution::in_turn);
  const node_id costly = of.below({spread});
  const plan made = of.laid_out(4, 1);
  REQUIRE(made.tasks_of(in) == 1);
  REQUIRE(made.tasks_of(spread) == 4);
  REQUIRE(made.stage_of[costly] == made.stage_of[spread]);
  REQUIRE(made.exchanges.size() == 1);
  REQUIRE(made.exchanges[0].how == distribution::in_turn);
}

TEST_CASE("plans of any graph are without cycles, and spread rows as wanted", "[runtime][plan]") {
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    std::mt19937_64 random(seed);
    const drawing of = random_drawing(random);
    INFO("seed " << seed);
    const std::size_t parallelism = 1 + seed % 5;
    require_sound(of, of.laid_out(parallelism, 1 + seed % 3), parallelism);
  }
}
