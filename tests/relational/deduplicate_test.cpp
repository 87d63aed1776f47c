// deduplicate against definitions, however the log is cut, spread and interrupted.
#include "relational/support.hpp"

#include <freshet/pipeline/deduplicate.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

template <class Keep, class When>
auto deduplicated(Keep keep, When when) {
  return [=](const auto& keyed) { return keyed | fr::deduplicate("d", keep, when); };
}

std::string text_of(const logged& each) {
  return row_text(each.value) + "@" + cell_text(each.value.at);
}

rows_of_text first_rows(const log_case& of, fr::duration forget_after) {
  rows_of_text rows;
  std::map<std::string, fr::timestamp> kept;
  for (const logged& each : turns_of(of)) {
    const auto mine = kept.find(each.value.key);
    if (mine != kept.end() && each.turn() <= fr::saturating_add(mine->second, forget_after)) {
      continue;
    }
    kept[each.value.key] = each.turn();
    rows.push_back(text_of(each));
  }
  return rows;
}

/// The last records by key, or the first; without their event times.
rows_of_text standing(const log_case& of, bool last) {
  std::map<std::string, logged> kept;
  for (const logged& each : turns_of(of)) {
    const auto [mine, fresh] = kept.try_emplace(each.value.key, each);
    if (!fresh && last && mine->second.order < each.order) mine->second = each;
  }
  rows_of_text rows;
  for (const auto& [key, each] : kept) rows.push_back(row_text(each.value));
  return rows;
}

std::vector<logged> by_arrival(const log_case& of) {
  std::vector<logged> all = turns_of(of);
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.order.where < b.order.where; });
  return all;
}

}  // namespace

TEST_CASE("the first record of a key comes when the watermark has passed it",
          "[relational][deduplicate]") {
  for (const std::int64_t after : {-1, 0, 1, 12, 60}) {
    const fr::duration forget = after < 0 ? fr::never_forgotten : fr::duration{after};
    compare_final(11, 30, deduplicated(fr::keep_first{}, fr::emit_complete{forget}),
                  [&](const log_case& of) { return first_rows(of, forget); });
  }
}

TEST_CASE("the first record by arrival comes at once, in the order of the log",
          "[relational][deduplicate]") {
  for (const std::int64_t after : {-1, 0, 12}) {
    const fr::duration forget = after < 0 ? fr::never_forgotten : fr::duration{after};
    const auto oracle = [&](const log_case& of) {
      rows_of_text rows;
      std::map<std::string, fr::timestamp> kept;
      for (const logged& each : by_arrival(of)) {
        const auto mine = kept.find(each.value.key);
        if (mine != kept.end() && each.turn() <= fr::saturating_add(mine->second, forget)) continue;
        kept[each.value.key] = each.turn();
        rows.push_back(text_of(each));
      }
      return rows;
    };
    compare_changes(12, 30,
                    deduplicated(fr::keep_first{fr::keep_by::arrival}, fr::emit_complete{forget}),
                    oracle);
  }
}

TEST_CASE("the last record of a key is final at the end of the input",
          "[relational][deduplicate]") {
  compare_final(13, 60, deduplicated(fr::keep_last{}, fr::emit_final{}), [](const log_case& of) {
    rows_of_text rows = standing(of, true);
    for (std::string& each : rows) {
      each += "@" + cell_text(fr::timestamp_max - fr::duration{1});
    }
    return rows;
  });
}

TEST_CASE("changes of the first and the last record lead to them", "[relational][deduplicate]") {
  const auto last = [](const log_case& of) { return standing(of, true); };
  const auto first = [](const log_case& of) { return standing(of, false); };
  compare_tables(14, 30, 1, deduplicated(fr::keep_last{}, fr::emit_changes{.retract = true}), last);
  compare_tables(15, 30, 1, deduplicated(fr::keep_first{}, fr::emit_changes{}), first);
}

TEST_CASE("of all changes, the last record to arrive replaces the one before",
          "[relational][deduplicate]") {
  const auto oracle = [](const log_case& of) {
    rows_of_text rows;
    for (const logged& each : by_arrival(of)) {
      rows.push_back(row_text(each.value) + "|upsert@" + cell_text(each.value.at));
    }
    return rows;
  };
  compare_changes(16, 20, deduplicated(fr::keep_last{fr::keep_by::arrival}, fr::emit_changes{}),
                  oracle);
}
