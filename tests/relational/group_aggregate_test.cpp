// group_aggregate against definitions: what is final, and what stands after changes, is a function
// of the log, however it is cut, spread and interrupted.
#include "relational/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/group_aggregate.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

auto group_with = [](auto when) {
  return [when](const auto& keyed) {
    return keyed | fr::group_aggregate("g", when, fr::count("n"), fr::sum("sum", &event::value),
                                       fr::max("max", &event::value),
                                       fr::last("last", &event::value));
  };
};

/// The row of some records of one key.
std::string row_of(const std::vector<logged>& of) {
  std::int64_t sum = 0;
  std::int64_t max = of.front().value.value;
  const logged* last = &of.front();
  for (const logged& each : of) {
    sum += each.value.value;
    max = std::max(max, each.value.value);
    if (last->order < each.order) last = &each;
  }
  return row_text(of.front().value.key) + "|" + std::to_string(of.size()) + "|" +
         std::to_string(sum) + "|" + std::to_string(max) + "|" + std::to_string(last->value.value);
}

std::map<std::string, std::vector<logged>> by_key(const log_case& of) {
  std::map<std::string, std::vector<logged>> keys;
  for (const logged& each : turns_of(of)) keys[each.value.key].push_back(each);
  return keys;
}

rows_of_text final_rows(const log_case& of, std::optional<fr::duration> forget_after) {
  rows_of_text rows;
  for (const auto& [key, records] : by_key(of)) {
    std::vector<logged> part;
    for (std::size_t i = 0; i < records.size(); ++i) {
      part.push_back(records[i]);
      const bool last = i + 1 == records.size();
      if (!last && !forget_after) continue;
      if (!last && records[i + 1].turn() - records[i].turn() <= *forget_after) continue;
      const fr::timestamp at =
          forget_after ? records[i].turn() + *forget_after : fr::timestamp_max - fr::duration{1};
      rows.push_back(row_of(part) + "@" + cell_text(at));
      part.clear();
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("final aggregates are those of each key's records", "[relational][group_aggregate]") {
  compare_final(1, 60, group_with(fr::emit_final{}),
                [](const log_case& of) { return final_rows(of, std::nullopt); });
}

TEST_CASE("a key that is forgotten has its row when nothing can join it any more",
          "[relational][group_aggregate]") {
  for (const std::int64_t after : {0, 1, 12, 60}) {
    compare_final(2, 30, group_with(fr::emit_complete{fr::duration{after}}),
                  [after](const log_case& of) { return final_rows(of, fr::duration{after}); });
  }
}

TEST_CASE("changes of aggregates lead to the aggregates of each key's records",
          "[relational][group_aggregate]") {
  const auto oracle = [](const log_case& of) {
    rows_of_text rows;
    for (const auto& [key, records] : by_key(of)) rows.push_back(row_of(records));
    return rows;
  };
  compare_tables(3, 30, 1, group_with(fr::emit_changes{}), oracle);
  compare_tables(4, 30, 1, group_with(fr::emit_changes{.retract = true}), oracle);
}

TEST_CASE("every change of aggregates is told in the order of the log",
          "[relational][group_aggregate]") {
  for (const bool retract : {false, true}) {
    for (const std::int64_t after : {-1, 0, 12}) {
      const fr::duration forget = after < 0 ? fr::never_forgotten : fr::duration{after};
      const auto oracle = [&](const log_case& of) {
        rows_of_text rows;
        std::map<std::string, std::vector<logged>> keys;
        std::vector<logged> log = turns_of(of);
        std::sort(log.begin(), log.end(),
                  [](const auto& a, const auto& b) { return a.order.where < b.order.where; });
        for (const logged& each : log) {
          auto& mine = keys[each.value.key];
          const auto newest = std::max_element(
              mine.begin(), mine.end(), [](auto& a, auto& b) { return a.turn() < b.turn(); });
          if (!mine.empty() && each.turn() > fr::saturating_add(newest->turn(), forget)) {
            mine.clear();
          }
          const std::string before = mine.empty() ? "" : row_of(mine);
          mine.push_back(each);
          const std::string at = "@" + cell_text(each.value.at);
          if (before == row_of(mine)) continue;
          if (retract && !before.empty()) rows.push_back(before + "|update_before" + at);
          rows.push_back(row_of(mine) +
                         (!retract         ? "|upsert"
                          : before.empty() ? "|insert"
                                           : "|update_after") +
                         at);
        }
        return rows;
      };
      compare_changes(5, 30, group_with(fr::emit_changes{retract, forget}), oracle);
    }
  }
}
