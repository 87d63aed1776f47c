// match against its definition: every sequence of records is looked at, one by one.
#include "relational/support.hpp"

#include <freshet/pipeline/match.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

/// A step of the definition; conditions are on values, and on the sum of those before.
struct wanted_step {
  int condition = 0;
  bool right_after = false;
  bool consecutive = false;
  std::uint32_t least = 1;
  std::uint32_t most = 1;
  int not_next = -1;  ///< Conditions of what must not come before the step; -1: none.
  int not_followed_by = -1;
};

struct wanted_pattern {
  std::vector<wanted_step> steps;
  int never_after = -1;  ///< The condition of a not_followed_by at the end.
  std::optional<fr::duration> within;
  int skip = 0;
  std::size_t skip_to = 0;
};

bool holds(int condition, std::int64_t value, std::int64_t sum_before) {
  if (condition == 5) return value > sum_before;
  return condition == 0 || (value + 8) % 4 == condition - 1;
}

fr::pattern<event> to_pattern(const wanted_pattern& of) {
  const auto condition = [&of](int number) {
    return [number, steps = of.steps.size()](const event& each, const fr::so_far<event>& before) {
      std::int64_t sum = 0;
      for (std::size_t step = 0; step < steps; ++step) {
        const std::string name = std::to_string(step);
        for (std::size_t i = 0; i < before.count(name); ++i) sum += before.at(name, i).value;
      }
      return holds(number, each.value, sum);
    };
  };
  auto all = fr::begin<event>("0", condition(of.steps[0].condition));
  for (std::size_t i = 0; i < of.steps.size(); ++i) {
    const wanted_step& step = of.steps[i];
    if (step.not_next >= 0) all = all.not_next(condition(step.not_next));
    if (step.not_followed_by >= 0) all = all.not_followed_by(condition(step.not_followed_by));
    const std::string name = std::to_string(i);
    if (i > 0 && step.right_after) all = all.next(name, condition(step.condition));
    if (i > 0 && !step.right_after) all = all.followed_by(name, condition(step.condition));
    all = all.times(step.least, step.most);
    if (step.consecutive) all = all.consecutive();
  }
  if (of.never_after >= 0) all = all.not_followed_by(condition(of.never_after));
  return of.within ? all.within(*of.within) : all;
}

fr::after_match to_skip(const wanted_pattern& of) {
  const std::string step = std::to_string(of.skip_to);
  if (of.skip == 1) return fr::after_match::skip_to_next();
  if (of.skip == 2) return fr::after_match::skip_past_last_event();
  if (of.skip == 3) return fr::after_match::skip_to_first(step);
  if (of.skip == 4) return fr::after_match::skip_to_last(step);
  return fr::after_match::no_skip();
}

using path = std::vector<std::pair<std::size_t, std::size_t>>;  ///< Record and step of each.

/// Every sequence over the records of one key.
class naive_match {
 public:
  naive_match(const wanted_pattern& of, const std::vector<logged>& records)
      : of_(of), records_(records) {}

  struct told {
    fr::timestamp at;
    int order;  ///< What is over at a moment, then what is complete then, then its records.
    std::size_t record;
    path of;
    bool match;
  };

  std::vector<told> run() {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (holds(of_.steps[0].condition, records_[i].value.value, 0)) extend({{i, 0}}, 1);
    }
    std::sort(told_.begin(), told_.end(), [](const told& a, const told& b) {
      return std::tie(a.at, a.order, a.record, a.of) < std::tie(b.at, b.order, b.record, b.of);
    });
    std::vector<told> all;
    std::size_t starts_from = 0;
    for (const told& each : told_) {
      if (each.of.front().first < starts_from) continue;
      all.push_back(each);
      if (each.match) starts_from = std::max(starts_from, skipped_to(each.of));
    }
    return all;
  }

 private:
  std::size_t skipped_to(const path& of) const {
    if (of_.skip == 1) return of.front().first + 1;
    if (of_.skip == 2) return of.back().first + 1;
    std::size_t to = 0;
    for (auto each = of.rbegin(); each != of.rend(); ++each) {
      if (of_.skip == 3 && each->second == of_.skip_to) to = each->first;
      if (of_.skip == 4 && each->second == of_.skip_to) to = std::max(to, each->first);
    }
    return to;
  }
  bool in_time(const path& of, std::size_t record) const {
    return record < records_.size() &&
           (!of_.within ||
            records_[record].turn() < records_[of.front().first].turn() + *of_.within);
  }
  bool is(int condition, std::size_t record, const path& before) const {
    std::int64_t sum = 0;
    for (const auto& each : before) sum += records_[each.first].value.value;
    return condition >= 0 && holds(condition, records_[record].value.value, sum);
  }

  void extend(const path& so_far, std::uint32_t count) {
    const std::size_t step = so_far.back().second;
    const std::size_t after = so_far.back().first + 1;
    const wanted_step& at = of_.steps[step];
    const bool last = step + 1 == of_.steps.size();
    bool waits = false;
    if (count < at.most) {
      std::size_t record = after;
      while (!at.consecutive && in_time(so_far, record) && !is(at.condition, record, so_far))
        ++record;
      if (!in_time(so_far, record)) waits = true;
      if (in_time(so_far, record) && is(at.condition, record, so_far)) {
        path longer = so_far;
        longer.emplace_back(record, step);
        extend(longer, count + 1);
      }
    }
    const bool complete = last && count >= at.least;
    if (complete && of_.never_after < 0) {
      const fr::timestamp turn = records_[so_far.back().first].turn();
      told_.push_back({turn, 2, so_far.back().first, so_far, true});
      return;
    }
    bool absent = false;
    if (complete) {
      std::size_t record = after;
      while (in_time(so_far, record) && !is(of_.never_after, record, so_far)) ++record;
      absent = !in_time(so_far, record);
    } else if (count >= at.least) {
      waits |= proceed(so_far, of_.steps[step + 1], after);
    }
    if (!of_.within || (!absent && !waits)) return;
    const fr::timestamp end = records_[so_far.front().first].turn() + *of_.within;
    told_.push_back({end, absent ? 1 : 0, 0, so_far, absent});
  }

  /// \return whether it still waits for the next step when its time is over.
  bool proceed(const path& so_far, const wanted_step& next, std::size_t after) {
    for (std::size_t record = after; in_time(so_far, record); ++record) {
      if (record == after && is(next.not_next, record, so_far)) return false;
      if (is(next.condition, record, so_far)) {
        path longer = so_far;
        longer.emplace_back(record, so_far.back().second + 1);
        extend(longer, 1);
        return false;
      }
      if (next.right_after || is(next.not_followed_by, record, so_far)) return false;
    }
    return true;
  }

  const wanted_pattern& of_;
  const std::vector<logged>& records_;
  std::vector<told> told_;
};

wanted_pattern random_pattern(std::mt19937_64& random) {
  wanted_pattern of;
  of.steps.resize(1 + random() % 3);
  const auto condition = [&] { return static_cast<int>(random() % 6); };
  const auto seldom = [&] { return random() % 4 == 0; };
  for (wanted_step& step : of.steps) {
    step.condition = condition();
    step.right_after = seldom();
    step.consecutive = seldom();
    step.least = random() % 2 == 0 ? 1 : 1 + random() % 2;
    step.most = step.least + random() % 2;
    if (&step == of.steps.data()) continue;
    if (seldom()) step.not_next = condition();
    if (seldom()) step.not_followed_by = condition();
  }
  if (random() % 5 != 0) of.within = fr::duration{static_cast<std::int64_t>(1 + random() % 30)};
  if (of.within && seldom()) of.never_after = condition();
  of.skip = static_cast<int>(random() % 5);
  of.skip_to = random() % of.steps.size();
  return of;
}

rows_of_text oracle(const wanted_pattern& of, const log_case& log) {
  std::map<std::string, std::vector<logged>> keys;
  for (const logged& each : turns_of(log)) keys[each.value.key].push_back(each);
  rows_of_text rows;
  for (const auto& [key, records] : keys) {
    for (const auto& each : naive_match(of, records).run()) {
      std::string row = each.match ? "match" : "timed out";
      for (const auto& [record, step] : each.of) {
        row += " " + std::to_string(step) + ":" + row_text(records[record].value);
      }
      rows.push_back(row + "@" + cell_text(each.order == 2 ? each.at : each.at - fr::duration{1}));
    }
  }
  return sorted(rows);
}

/// Matches and what timed out, as the oracle writes them.
auto matching(const wanted_pattern& of) {
  return [of](const auto& keyed) {
    const auto found = keyed | fr::match("m", to_pattern(of), {.after = to_skip(of)});
    const auto text = [](const char* what) {
      return fr::map([what](const fr::matched<event>& each) {
        std::string row = what;
        for (const auto& step : each.steps) {
          for (const event& one : step.records) row += " " + step.name + ":" + row_text(one);
        }
        return row;
      });
    };
    return fr::merge(found | text("match"), found.timed_out() | text("timed out"));
  };
}

}  // namespace

TEST_CASE("match finds the sequences of its definition, and what ran out of time",
          "[match][oracle]") {
  std::mt19937_64 random(51);
  std::size_t matches = 0;
  std::size_t timed_out = 0;
  for (int round = 0; round < 300; ++round) {
    const log_case log = random_log(random, 3);
    const wanted_pattern of = random_pattern(random);
    INFO("round " << round << ", " << to_pattern(of).plan().describe() << ", skip " << of.skip
                  << " to " << of.skip_to << ", " << described(log));
    const rows_of_text wanted = oracle(of, log);
    if (wanted.size() > 20000) continue;
    for (const std::string& each : wanted) ++(each[0] == 'm' ? matches : timed_out);
    const bool all = round % 10 == 0;
    const std::vector<way> ways = all_ways(random, all);
    for (const way& how : ways) {
      if (!all && how.crashes == 0 && how.chunk > 2) continue;
      INFO("parallelism " << how.parallelism << ", chunks " << how.chunk << ", crashes "
                          << how.crashes);
      REQUIRE(sorted(run_way(log, how, matching(of))) == wanted);
    }
  }
  CHECK(matches > 1000);  // Else this shows nothing.
  CHECK(timed_out > 1000);
}
