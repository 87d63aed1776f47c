#include "simulation/plan.hpp"

#include "simulation/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace freshet::simulated {

namespace {

/// No operator is put below an output of more rows than this, and none that the oracle looks at
/// all rows for each row of, below one of more than that.
constexpr std::size_t rows_max = 20'000;
constexpr std::size_t rows_max_squared = 800;

constexpr const char* kind_names[] = {"source",  "map",      "rekey",    "filter",   "flat_map",
                                      "merge",   "ordered",  "counting", "tumbling", "sliding",
                                      "session", "trailing", "process"};

/// A time that wanders forward from `start`.
std::vector<event> random_split(std::mt19937_64& random, ticks start, ticks disorder,
                                std::int64_t keys, bool is_large) {
  std::vector<event> split;
  const auto count = one_of<std::uint64_t>(random, {0, 1, 4, 15, 40, is_large ? 6000U : 100U});
  const auto step = one_of<std::uint64_t>(random, {1, 2, 3, 8});
  const auto back =
      one_of<std::uint64_t>(random, {1, static_cast<std::uint64_t>(disorder) + 1, 12, 40});
  const bool has_gaps = random() % 3 == 0;
  const bool leaps = random() % 5 == 0;
  const bool has_hot_key = random() % 2 == 0;
  ticks now = start + one_of<ticks>(random, {0, 0, 0, 30, 500});
  const std::uint64_t length = count / 2 + random() % (count + 1);
  for (std::uint64_t i = 0; i < length; ++i) {
    now += static_cast<ticks>(random() % step);
    if (has_gaps && random() % 20 == 0) now += 60;
    ticks at = now - static_cast<ticks>(random() % back);
    if (leaps && random() % 25 == 0) at += one_of<ticks>(random, {50, 300, 5000});
    const auto key = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(keys));
    const bool hot = has_hot_key && random() % 4 != 0;
    split.push_back({hot ? 0 : key, static_cast<std::int64_t>(random() % 100), at_tick(at)});
  }
  return split;
}

/// Makes a plan step by step, with what the oracle says of each step.
class composing {
 public:
  composing(std::mt19937_64& random, const input_log& input) : random_(random), input_(input) {
    for (std::size_t i = 0; i < input.size(); ++i) {
      add({.what = op::source, .a = static_cast<std::int64_t>(i)});
    }
  }

  plan finished() {
    const std::size_t wanted = plan_.size() + 2 + random_() % 7;
    for (int tries = 0; plan_.size() < wanted && tries < 60; ++tries) try_one();
    std::set<std::pair<std::size_t, std::size_t>> read;
    for (const plan_node& each : plan_) {
      for (const outlet_of& from : each.inputs) read.emplace(from.node, from.port);
    }
    for (std::size_t node = 0; node < plan_.size(); ++node) {
      for (std::size_t port = 0; port < plan_[node].ports(); ++port) {
        plan_[node].tapped[port] = !read.contains({node, port}) || random_() % 4 == 0;
      }
    }
    return plan_;
  }

 private:
  void add(plan_node fresh) {
    fresh.tapped.resize(ports_of(fresh.what));
    plan_.push_back(std::move(fresh));
    outcomes_.push_back(outcome_of_last(plan_, input_, outcomes_));
  }

  const flow& at(const outlet_of& from) const { return outcomes_[from.node].outputs[from.port]; }

  /// An output, mostly one of the newest.
  outlet_of pick() {
    const std::size_t newest = std::min<std::size_t>(plan_.size(), 3);
    const std::size_t node =
        random_() % 4 == 0 ? random_() % plan_.size() : plan_.size() - 1 - random_() % newest;
    const bool main = plan_[node].ports() == 1 || random_() % 3 != 0;
    return {node, main ? 0U : 1U};
  }

  void try_one() {
    const outlet_of from = pick();
    if (at(from).rows.size() > rows_max) return;
    switch (random_() % 18) {
      case 0:
        return add({.what = op::map, .inputs = {from}, .a = pick_of(1, 7), .b = pick_of(0, 50)});
      case 1:
      case 2:
        return add({.what = op::rekey, .inputs = {from}, .a = pick_of(1, 7)});
      case 3: {
        const std::int64_t a = pick_of(2, 5);
        return add({.what = op::filter, .inputs = {from}, .a = a, .b = pick_of(0, a - 1)});
      }
      case 4:
        if (is_deep(from)) return;
        return add(
            {.what = op::flat_map, .inputs = {from}, .a = pick_of(1, 4), .b = random_burst(from)});
      case 5:
      case 6:
        return add_merge(from);
      case 7:
        return add({.what = op::ordered, .inputs = {from}});
      case 8:
      case 9:
        return add_windows({.what = op::tumbling, .inputs = {from}, .a = pick_of(1, 40)});
      case 10:
      case 11:
        // A slide longer than the size leaves gaps.
        return add_windows({.what = op::sliding,
                            .inputs = {from},
                            .a = pick_of(2, 40),
                            .b = one_of<std::int64_t>(random_, {7, 10, 13, 50})});
      case 12:
        return add_windows({.what = op::session, .inputs = {from}, .a = pick_of(1, 25)});
      case 13:
        if (at(from).rows.size() > rows_max_squared) return;
        return add({.what = op::trailing,
                    .inputs = {from},
                    .a = pick_of(5, 30),
                    .b = one_of<std::int64_t>(random_, {0, 4}),
                    .lateness = random_lateness(),
                    .include_self = random_() % 2 == 0,
                    .on_arrival = at(from).in_log_order && random_() % 2 == 0});
      case 14:
        return add_branches(from);
      case 15:
        return add_in_order(from, {.what = op::counting, .a = pick_of(1, 5), .b = pick_of(1, 6)});
      default:
        return add_in_order(from,
                            {.what = op::process, .a = pick_of(1, 20), .b = random_burst(from)});
    }
  }

  void add_windows(plan_node fresh) {
    fresh.lateness = random_lateness();
    fresh.at_close = random_() % 4 == 0;
    add(std::move(fresh));
  }

  /// Rows that were made of rows three times, or are more than the first 1024 of their record, have
  /// an order among the rows of their record; those made of them have one of the library's own.
  bool is_deep(const outlet_of& from) const {
    const std::vector<row>& rows = at(from).rows;
    return std::any_of(rows.begin(), rows.end(), [](const row& each) {
      const auto& path = each.where.path;
      return path.size() >= 3 ||
             std::any_of(path.begin(), path.end(), [](auto index) { return index >= 1024; });
    });
  }

  /// What depends on arrival is promised below one split, or below `ordered`.
  void add_in_order(outlet_of from, plan_node fresh) {
    if (!at(from).in_log_order) {
      add({.what = op::ordered, .inputs = {from}});
      from = {plan_.size() - 1, 0};
    }
    if (fresh.what == op::process && is_deep(from)) return;
    fresh.inputs = {from};
    add(std::move(fresh));
  }

  /// Rows go one way or the other, and come together again; also the rows of one record.
  void add_branches(outlet_of from) {
    if (random_() % 2 == 0 && !is_deep(from)) {
      add({.what = op::flat_map, .inputs = {from}, .a = 4});
      from = {plan_.size() - 1, 0};
    }
    add({.what = op::filter, .inputs = {from}, .a = 2, .b = 0});
    const outlet_of odd{plan_.size() - 1, 0};
    add({.what = op::filter, .inputs = {from}, .a = 2, .b = 1});
    outlet_of even{plan_.size() - 1, 0};
    if (random_() % 2 == 0) {
      add({.what = op::map, .inputs = {even}, .a = pick_of(1, 7), .b = pick_of(0, 50)});
      even = {plan_.size() - 1, 0};
    }
    add({.what = op::merge, .inputs = {even, odd}});
  }

  /// Streams that hold the same records do not come together: positions are unique, but for a
  /// stream merged with itself (core/record.hpp), and what ties are ordered by would not be.
  void add_merge(const outlet_of& from) {
    std::vector<outlet_of> inputs{from};
    for (std::uint64_t more = 1 + random_() % 2; more > 0; --more) inputs.push_back(pick());
    std::vector<const flow*> flows;
    for (const outlet_of& each : inputs) flows.push_back(&at(each));
    const bool twice = std::set<const flow*>(flows.begin(), flows.end()).size() < flows.size();
    if (twice || !may_merge(flows)) return;
    add({.what = op::merge, .inputs = std::move(inputs)});
  }

  /// More rows of one record than channels hold, where there are few records, which were not made
  /// of others.
  std::int64_t random_burst(const outlet_of& from) {
    const std::vector<row>& rows = at(from).rows;
    const bool made = std::any_of(rows.begin(), rows.end(),
                                  [](const row& each) { return !each.where.path.empty(); });
    if (made || rows.size() > 100 || random_() % 16 != 0) return 0;
    return one_of<std::int64_t>(random_, {1100, 3000});
  }

  std::int64_t pick_of(std::int64_t least, std::int64_t most) {
    return least +
           static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(most - least + 1));
  }
  ticks random_lateness() { return one_of<ticks>(random_, {0, 0, 5, 20, 100}); }

  std::mt19937_64& random_;
  const input_log& input_;
  plan plan_;
  std::vector<outcome> outcomes_;
};

std::string text_of(const source_log& log) {
  std::string text =
      fmt::format("disorder {}, jump_max {}, drops {}", log.disorder, log.jump_max, log.drops);
  for (std::size_t split = 0; split < log.splits.size(); ++split) {
    text += fmt::format("\n    split {}:", split);
    for (const event& each : log.splits[split]) {
      text += fmt::format(" {}:{}@{}", each.key, each.value, tick_of(each.at));
    }
  }
  return text;
}

}  // namespace

std::size_t ports_of(op what) {
  return what >= op::tumbling ? 2 : 1;
}

std::string name_of(std::size_t node) {
  return "n" + std::to_string(node);
}

std::string text_of(const plan& all, const input_log& input) {
  std::string text;
  for (std::size_t node = 0; node < all.size(); ++node) {
    const plan_node& of = all[node];
    text += fmt::format("  {} = {}(", name_of(node), kind_names[static_cast<std::size_t>(of.what)]);
    for (std::size_t i = 0; i < of.inputs.size(); ++i) {
      text +=
          fmt::format("{}{}.{}", i == 0 ? "" : ", ", name_of(of.inputs[i].node), of.inputs[i].port);
    }
    text += fmt::format(") a {} b {}", of.a, of.b);
    if (of.what >= op::tumbling && of.what != op::process) {
      text += fmt::format(" lateness {}{}{}", of.lateness, of.at_close ? " at close" : "",
                          of.include_self ? " with itself" : "");
      if (of.on_arrival) text += " on arrival";
    }
    for (std::size_t port = 0; port < of.ports(); ++port) {
      if (of.tapped[port]) text += fmt::format(" -> sink {}", port);
    }
    if (of.what == op::source) text += " " + text_of(input[static_cast<std::size_t>(of.a)]);
    text += "\n";
  }
  return text;
}

input_log random_input(std::mt19937_64& random) {
  // Now and then more rows than a batch, and more keys than are fired in one go.
  const bool is_large = random() % 50 == 0;
  input_log input(one_of<std::size_t>(random, {1, 1, 1, 2, 2, 3}));
  const auto start = one_of<ticks>(random, {-50, 0, 1000, 1'000'000});
  for (source_log& each : input) {
    each.disorder = one_of<ticks>(random, {0, 0, 3, 10, 40});
    each.jump_max = one_of<ticks>(random, {0, 0, 200});
    each.drops = one_of<std::int64_t>(random, {0, 0, 0, 3});
    const auto keys = one_of<std::int64_t>(random, {1, 2, 5, 20, is_large ? 5000 : 200});
    each.splits.resize(one_of<std::size_t>(random, {1, 1, 2, 3, 5}));
    for (auto& split : each.splits) {
      split = random_split(random, start, each.disorder, keys, is_large);
    }
  }
  return input;
}

plan random_plan(std::mt19937_64& random, const input_log& input) {
  return composing(random, input).finished();
}

}  // namespace freshet::simulated
