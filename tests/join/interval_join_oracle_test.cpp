// interval_join against its definition: two loops over both logs.
#include "join/support.hpp"

#include <freshet/pipeline/interval_join.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

using lefts = std::vector<logged<event>>;
using rights = std::vector<logged<mark>>;

/// The last tick at which a left record can be matched, and the first of its interval.
struct interval {
  std::int64_t lower, upper;  // Both in it.
  bool own_end = false;       // Then the interval ends at `own_end_of`.
};

fr::timestamp own_end_of(const event& left) {
  return left.at + ticks_long(left.value % 7);
}

struct naive_rows {
  rows_of_text rows, late_left, late_right;
};

/// All pairs that match by event time, of which neither came after the other's last moment; the
/// records without a match, but for those that came too late for anything.
naive_rows naive(const join_logs& logs, const interval& of, fr::join_type type) {
  const lefts left = logged_of(logs.left, logs.disorder);
  const rights right = logged_of(logs.right, logs.disorder);
  const auto last_left = [&](const event& l) {
    return of.own_end ? own_end_of(l) : l.at + ticks_long(of.upper);
  };
  const auto last_right = [&](const mark& r) { return r.at - ticks_long(of.lower); };
  naive_rows all;
  const auto row = [&](const event* l, const mark* r, fr::timestamp at) {
    all.rows.push_back(row_text(meet(l, r), at));
  };
  std::vector<bool> right_matched(right.size());
  for (const auto& l : left) {
    bool matched = false;
    for (std::size_t i = 0; i < right.size(); ++i) {
      const auto& r = right[i];
      if (l.record.key != r.record.key) continue;
      const bool in_time = r.at >= l.at + ticks_long(of.lower) && r.at <= last_left(l.record);
      if (!in_time || l.entry > last_right(r.record) || r.entry > last_left(l.record)) continue;
      row(&l.record, &r.record, std::max(l.at, r.at));
      matched = right_matched[i] = true;
    }
    const fr::timestamp latest = last_left(l.record) - ticks_long(of.lower);
    if (l.behind() && l.at <= latest && l.entry > latest) {
      all.late_left.push_back(row_text(l.record, l.at));
    } else if (!matched && fr::detail::keeps_left(type)) {
      row(&l.record, nullptr, std::max(l.at, last_left(l.record)));
    }
  }
  for (std::size_t i = 0; i < right.size(); ++i) {
    const auto& r = right[i];
    if (!of.own_end && r.entry > last_right(r.record) + ticks_long(of.upper)) {
      all.late_right.push_back(row_text(r.record, r.at));
    } else if (!right_matched[i] && fr::detail::keeps_right(type)) {
      row(nullptr, &r.record, std::max(r.at, last_right(r.record)));
    }
  }
  return all;
}

template <class Joined, class Sink>
void end_in_sinks(const Joined& joined, const Sink& sink) {
  joined | sink("rows");
  joined.late_left() | sink("late left");
  joined.late_right() | sink("late right");
}

void require_same(const join_outcome& found, const naive_rows& wanted) {
  REQUIRE(found.sinks.at("rows") == sorted(wanted.rows));
  REQUIRE(found.sinks.at("late left") == sorted(wanted.late_left));
  REQUIRE(found.sinks.at("late right") == sorted(wanted.late_right));
  REQUIRE(found.late == wanted.late_left.size() + wanted.late_right.size());
}

}  // namespace

TEST_CASE("a full interval join gives what two loops over both logs give, however it runs",
          "[join][interval_join]") {
  std::mt19937_64 random(61);
  std::size_t late = 0;
  std::size_t rows = 0;
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const join_logs logs = random_logs(random);
    fr::between asked{ticks_long(static_cast<std::int64_t>(random() % 12) - 8), {}};
    asked.upper = asked.lower + ticks_long(static_cast<std::int64_t>(random() % 10) + 2);
    asked.lower_exclusive = random() % 2 == 0;
    asked.upper_exclusive = random() % 2 == 0;
    const interval closed{asked.lower.count() + (asked.lower_exclusive ? 1 : 0),
                          asked.upper.count() - (asked.upper_exclusive ? 1 : 0)};
    const auto found =
        run_every_way(logs, random, [&](const auto& left, const auto& right, const auto& sink) {
          auto joined = left | fr::key_by(&event::key) |
                        fr::interval_join<fr::join_type::full>(
                            "near", right | fr::key_by(&mark::key), asked, meet);
          end_in_sinks(joined, sink);
          window_below(joined, sink);
        });
    require_same(found, naive(logs, closed, fr::join_type::full));
    late += found.late;
    rows += found.sinks.at("rows").size();
  }
  CHECK(late > 100);  // Else it shows too little.
  CHECK(rows > 2000);
}

TEST_CASE("an inner join until an end of the record's own gives what two loops give",
          "[join][interval_join]") {
  std::mt19937_64 random(62);
  std::size_t late = 0;
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const join_logs logs = random_logs(random);
    const fr::until_options options{ticks_long(static_cast<std::int64_t>(random() % 6) - 4)};
    const auto found =
        run_every_way(logs, random, [&](const auto& left, const auto& right, const auto& sink) {
          end_in_sinks(
              left | fr::key_by(&event::key) |
                  fr::interval_join("until", right | fr::key_by(&mark::key),
                                    fr::until(own_end_of, options),
                                    [](const event& l, const mark& r) { return meet(&l, &r); }),
              sink);
        });
    require_same(found, naive(logs, {options.lower.count(), 0, true}, fr::join_type::inner));
    late += found.late;
  }
  CHECK(late > 50);
}
