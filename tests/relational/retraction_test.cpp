// Aggregates over changes: the mean of the current maxima, and what else has to take rows back.
#include "relational/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/group_aggregate.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct best {
  std::string key;
  std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(best, (), (key, value))

/// Groups keys by the parity of their current maximum, so that rows move from group to group.
constexpr auto parity = [](const best& of) { return of.value % 2 == 0 ? "even" : "odd"; };

template <class Above, class Below>
auto maxima_by_parity(Above above, Below below) {
  return [=](const auto& keyed) {
    const auto maxima =
        (keyed | fr::group_aggregate("maxima", above, fr::max("value", &event::value)))
            .template as<best>();
    return maxima |
           fr::key_by([](const fr::change<best>& each) { return std::string(parity(each)); }) |
           fr::group_aggregate("parities", below, fr::count("n"),
                               fr::count("large", [](const best& of) { return of.value > 3; }),
                               fr::sum("sum", &best::value), fr::mean("mean", &best::value));
  };
}

rows_of_text parities(const log_case& of, const std::string& at) {
  std::map<std::string, std::int64_t> maxima;
  for (const logged& each : turns_of(of)) {
    const auto [mine, fresh] = maxima.try_emplace(each.value.key, each.value.value);
    mine->second = std::max(mine->second, each.value.value);
  }
  std::map<std::string, std::vector<std::int64_t>> groups;
  for (const auto& [key, value] : maxima) groups[parity({key, value})].push_back(value);
  rows_of_text rows;
  for (const auto& [group, values] : groups) {
    std::int64_t sum = 0;
    for (const std::int64_t each : values) sum += each;
    const auto large = std::count_if(values.begin(), values.end(), [](auto v) { return v > 3; });
    const double mean = static_cast<double>(sum) / static_cast<double>(values.size());
    rows.push_back(group + "|" + std::to_string(values.size()) + "|" + std::to_string(large) + "|" +
                   std::to_string(sum) + "|" + cell_text(mean) + at);
  }
  return rows;
}

}  // namespace

TEST_CASE("aggregates of maxima that change are those of the maxima that stand",
          "[relational][retraction]") {
  const std::string end = "@" + cell_text(fr::timestamp_max - fr::duration{1});
  compare_final(31, 40, maxima_by_parity(fr::emit_changes{.retract = true}, fr::emit_final{}),
                [&](const log_case& of) { return parities(of, end); });
}

TEST_CASE("their changes erase the groups that have no rows any more", "[relational][retraction]") {
  compare_tables(32, 40, 1,
                 maxima_by_parity(fr::emit_every{.period = ticks_long(7), .retract = true},
                                  fr::emit_changes{}),
                 [](const log_case& of) { return parities(of, ""); });
}

TEST_CASE("sums and means of integers take back exactly what they added",
          "[relational][retraction]") {
  const auto sum = fr::sum("sum", [](std::int64_t value) { return value; });
  const auto mean = fr::mean("mean", [](std::int64_t value) { return value; });
  decltype(sum)::state_for<std::int64_t> total;
  decltype(mean)::state_for<std::int64_t> average;
  std::mt19937_64 random(33);
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20000; ++i) {
    if (values.size() < 1 || random() % 2 == 0) {
      const std::int64_t extremes[] = {std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::max(), 0, -1};
      const auto drawn = static_cast<std::int64_t>(random());
      values.push_back(random() % 4 == 0 ? extremes[random() % 4] : drawn);
      sum.add(total, values.back());
      mean.add(average, values.back());
    } else {
      std::swap(values[random() % values.size()], values.back());
      sum.subtract(total, values.back());
      mean.subtract(average, values.back());
      values.pop_back();
    }
    decltype(total) wanted;
    decltype(average) wanted_mean;
    if (i % 200 != 0) continue;
    for (const std::int64_t each : values) {
      sum.add(wanted, each);
      mean.add(wanted_mean, each);
    }
    REQUIRE(total.total == wanted.total);
    REQUIRE(average.total == wanted_mean.total);
    REQUIRE(average.values == values.size());
  }
}

TEST_CASE("a row that is taken back or replaced must have been there", "[relational][retraction]") {
  const auto run = [](fr::change_kind how) {
    fr::pipeline p("wrong");
    p.from("events", scripted<event>({events_at({1})})) |
        fr::event_time(&event::at, fr::bounded_disorder{}) |
        fr::map([how](const event& each) { return fr::change<event>{each, how}; }) |
        fr::key_by(&event::key) | fr::group_aggregate("g", fr::emit_final{}, fr::count("n")) |
        fr::to("rows", keep_rows_in(keeper()));
    return message_of(p.run({}));
  };
  using Catch::Matchers::Contains;
  REQUIRE_THAT(
      run(fr::change_kind::erase),
      Contains("group_aggregate 'g': the function given to it threw (a change takes back a "
               "row that its key does not have)"));
  REQUIRE_THAT(run(fr::change_kind::upsert), Contains("with .retract = true"));
  REQUIRE(run(fr::change_kind::insert).empty());
}

TEST_CASE("options that cannot be meant are refused while composing", "[relational][retraction]") {
  const auto composed = [](auto when) {
    return refusal_of([when] {
      fr::pipeline p("refused");
      p.from("events", scripted<event>({events_at({1})})) |
          fr::event_time(&event::at, fr::bounded_disorder{}) |
          fr::map([](const event& each) { return fr::change<event>{each}; }) |
          fr::key_by(&event::key) | fr::group_aggregate("g", when, fr::count("n"));
    });
  };
  REQUIRE(
      composed(fr::emit_complete{}) ==
      "group_aggregate 'g': keys of changes cannot be forgotten, because their rows may be "
      "taken back later; use emit_final, or emit_changes without .forget_after, and forget keys "
      "in the operator above");
  REQUIRE(composed(fr::emit_changes{.forget_after = fr::duration{5}}) ==
          composed(fr::emit_complete{}));
  const auto plain = [](auto when) {
    return refusal_of([when] {
      fr::pipeline p("refused");
      p.from("events", scripted<event>({events_at({1})})) |
          fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key) |
          fr::group_aggregate("g", when, fr::count("n"));
    });
  };
  REQUIRE(plain(fr::emit_complete{fr::duration{-5}}) ==
          "group_aggregate 'g': emit_complete after -5us is negative; give a duration that "
          "is not");
  REQUIRE(plain(fr::emit_changes{.forget_after = fr::duration{-5}}).find(".forget_after -") !=
          std::string::npos);
  REQUIRE(plain(fr::emit_every{fr::duration{0}}).find("is not positive") != std::string::npos);
}
