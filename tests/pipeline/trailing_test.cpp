// trailing: rows, columns, late records, what stands below it, refusals, and what a checkpoint
// holds. The values themselves: tests/semantics/trailing_oracle_test.cpp.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;
using texts = std::vector<std::string>;

namespace {

struct velocity {
  std::string key;
  std::uint64_t n_24h = 0;
  double n_hour = 0;
};
BOOST_DESCRIBE_STRUCT(velocity, (), (key, n_24h, n_hour))

struct no_column {
  std::string n_2h;
};
BOOST_DESCRIBE_STRUCT(no_column, (), (n_2h))

static_assert(fr::is_sampled<fr::trailing_row<fr::sampled<event>, 1, int>>);
static_assert(!fr::is_sampled<fr::trailing_row<event, 1, int>>);

/// A harness with one input; most tests give it to one `trailing` of 10 us and count and sum.
struct fixture {
  frt::harness h;
  frt::hand_input<event> in = h.input<event>("events");

  auto keyed() const { return in.stream() | fr::key_by(&event::key); }
  auto counted(const fr::trailing_options& options) const {
    return keyed() |
           fr::trailing("t", {10us}, options, fr::count("n"), fr::sum("sum", &event::value));
  }
  void push(std::int64_t value, std::int64_t at) const {
    in.push({"a", value, tick(at)}, tick(at));
  }
};

/// The text of what composing a `trailing` of these spans throws.
template <std::size_t Spans>
std::string refusal(const fr::trailing_span (&spans)[Spans], fr::trailing_options options = {}) {
  return refusal_of([&] {
    const fixture of;
    (void)(of.keyed() |
           fr::trailing("t", spans, options, fr::count("n"), fr::sum("s", &event::value)));
  });
}

}  // namespace

TEST_CASE("columns are the record's, then one for each span and aggregate",
          "[pipeline][trailing]") {
  const fixture of;
  const auto rows =
      of.keyed() |
      fr::trailing("t",
                   {1h, 24h, {7 * 24h, {.resolution = 1h}}, 90s, 48h, {60min, {.name = "hour"}}},
                   fr::count("n"), fr::mean("mean", &event::value));
  REQUIRE(rows.columns() == texts{"key", "value", "at", "n_1h", "mean_1h", "n_24h", "mean_24h",
                                  "n_7d", "mean_7d", "n_90s", "mean_90s", "n_2d", "mean_2d",
                                  "n_hour", "mean_hour"});
  REQUIRE(rows.late().columns() == texts{"key", "value", "at"});
}

TEST_CASE("rows match described structs by name, and say what does not match",
          "[pipeline][trailing]") {
  fixture of;
  const auto rows = of.keyed() | fr::trailing("t", {24h, {1h, {.name = "hour"}}}, fr::count("n"));
  const auto as = of.h.collect(rows.as<velocity>());
  of.push(1, 0);
  of.push(2, 1);
  of.h.finish();
  REQUIRE(as.text() == texts{"a|0|0@0", "a|1|1@1"});
  REQUIRE(refusal_of([&] { (void)rows.as<no_column>(); }) ==
          "as: the row has no column 'n_2h'; its columns are key, value, at, n_24h, n_hour");
}

TEST_CASE("a row is its record for whatever stands below", "[pipeline][trailing]") {
  fixture of;
  const auto by_key = of.counted({});
  const auto by_value = by_key | fr::filter([](const event& each) { return each.value > 1; }) |
                        fr::key_by(&event::value) |
                        fr::trailing("by value", {100us}, fr::count("same"));
  REQUIRE(by_value.columns() == texts{"key", "value", "at", "n_10us", "sum_10us", "same_100us"});
  const auto kept =
      of.h.collect(by_value | fr::sample("s", fr::rarity(&event::value, {.rate = 1})));
  for (const std::int64_t at : {1, 2, 5, 30}) of.push(at == 1 ? 1 : 2, at);
  of.h.finish();
  texts rows;
  for (const auto& row : kept.take_values()) rows.push_back(frt::row_text(row.value));
  REQUIRE(rows == texts{"a|2|2|1|1|0", "a|2|5|2|3|1", "a|2|30|0|0|2"});
}

TEST_CASE("a record is late when it is behind by more than is allowed, and then it counts nowhere",
          "[pipeline][trailing]") {
  //  frontier        20        25
  //  records    10 |  15  14 | 30
  fixture of;
  const auto stream = of.counted({.allowed_lateness = 5us});
  const auto rows = of.h.collect(stream);
  const auto late = of.h.collect(stream.late());
  of.push(1, 10);
  of.in.watermark(tick(20));
  of.push(2, 15);  // 15 + 5 >= 20
  of.push(4, 14);
  of.in.watermark(tick(25));
  REQUIRE(late.text() == texts{"a|4|14@14"});
  of.push(8, 22);
  of.push(16, 24);
  of.h.finish();
  REQUIRE(rows.text() ==
          texts{"a|1|10|0|0@10", "a|2|15|1|1@15", "a|8|22|1|2@22", "a|16|24|2|10@24"});
  REQUIRE(of.h.metrics().late() == 1);
}

TEST_CASE("rows that are out stay as they are when a record behind comes", "[pipeline][trailing]") {
  fixture of;
  const auto rows = of.h.collect(of.counted({.allowed_lateness = 100us}));
  of.push(1, 10);
  of.push(2, 12);
  of.in.watermark(tick(20));
  REQUIRE(rows.take_text() == texts{"a|1|10|0|0@10", "a|2|12|1|1@12"});
  of.push(4, 11);  // It sees 10, not 12.
  of.push(8, 20);  // It sees 11 and 12.
  of.h.finish();
  REQUIRE(rows.take_text() == texts{"a|4|11|1|1@11", "a|8|20|3|7@20"});
}

TEST_CASE("rows on arrival come at once, from what is known then", "[pipeline][trailing]") {
  fixture of;
  const auto rows = of.h.collect(of.counted({.include_self = true, .emit = fr::emit::on_arrival}));
  of.push(1, 10);
  REQUIRE(rows.take_text() == texts{"a|1|10|1|1@10"});
  of.push(2, 14);
  REQUIRE(rows.take_text() == texts{"a|2|14|2|3@14"});
  of.push(4, 12);
  REQUIRE(rows.take_text() == texts{"a|4|12|2|5@12"});
  of.push(8, 14);
  REQUIRE(rows.take_text() == texts{"a|8|14|4|15@14"});
}

TEST_CASE("windows below count what trailing passes on, also behind the frontier",
          "[pipeline][trailing]") {
  fixture of;
  const auto stream = of.counted({.allowed_lateness = 10us});
  const auto windows = stream | fr::key_by(&event::key) |
                       fr::window(fr::tumbling{10us}, {.allowed_lateness = 10us}) |
                       fr::aggregate("w", fr::count("n"), fr::max("max", &event::value));
  const auto rows = of.h.collect(windows);
  of.push(1, 3);
  of.in.watermark(tick(10));
  REQUIRE(rows.take_text() == texts{"a|0|10|1|1@9"});
  of.push(5, 4);
  of.push(2, 12);
  of.h.finish();
  REQUIRE(rows.take_text() == texts{"a|0|10|2|5@9", "a|10|20|1|2@19"});
}

TEST_CASE("trailing stands below windows", "[pipeline][trailing]") {
  fixture of;
  const auto windows =
      of.keyed() | fr::window(fr::tumbling{10us}) | fr::aggregate("w", fr::count("n"));
  using row = decltype(windows)::value_type;
  const auto busiest =
      windows | fr::key_by(&row::key) |
      fr::trailing("t", {20us},
                   fr::max("busiest", [](const row& each) { return std::get<0>(each.values); }));
  REQUIRE(busiest.columns() == texts{"key", "window_start", "window_end", "n", "busiest_20us"});
  const auto rows = of.h.collect(busiest);
  for (const std::int64_t at : {1, 2, 3, 11, 25, 36}) of.push(1, at);
  of.h.finish();
  REQUIRE(rows.text() ==
          texts{"a|0|10|3|0@9", "a|10|20|1|3@19", "a|20|30|1|3@29", "a|30|40|1|1@39"});
}

TEST_CASE("spans and options out of range are refused", "[pipeline][trailing]") {
  REQUIRE(refusal({1h, 0s}) ==
          "trailing 't': span 0s is not positive; give a positive duration, such as 1h");
  REQUIRE(refusal({-2s}) ==
          "trailing 't': span -2s is not positive; give a positive duration, such as 1h");
  REQUIRE(refusal({{1h, {.resolution = -1s}}}) ==
          "trailing 't': span 1h: resolution -1s is negative; give a positive one, or none for an "
          "exact span");
  REQUIRE(refusal({{1h, {.resolution = 60min}}}) ==
          "trailing 't': span 1h: resolution 1h is not shorter than its length 1h; give a shorter "
          "one, or none for an exact span");
  REQUIRE(refusal({1h}, {.allowed_lateness = -1s}) ==
          "trailing 't': allowed lateness -1s is negative; give zero or a positive duration");
  REQUIRE(refusal({1h, 60min}) ==
          "trailing 't': its row has two columns 'n_1h', and each is known by its name; give "
          "aggregates names that differ from each other and from the record's members, or a span a "
          ".name");
  REQUIRE(refusal({1h, {60min, {.name = "again"}}}) == "nothing was thrown");
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(p.from("e", scripted<event>(event_splits{})) | fr::key_by(&event::key) |
                   fr::trailing("t", {1h}, fr::count("n")));
          }) ==
          "trailing 't': the records have no event times; put event_time(&record::at, "
          "bounded_disorder{...}) below their source");
}

TEST_CASE("a busy key costs as little per record as a quiet one", "[pipeline][trailing]") {
  // With work in proportion to the records in the span, this would be 10^10 merges, not 10^6.
  constexpr std::uint64_t count = 100'000;
  std::vector<event> all;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t back = i % 7 == 0 ? 40 : 0;  // Some come out of order.
    all.push_back({"a", at, tick(std::max<std::int64_t>(at - back, 0))});
  }
  for (const fr::emit when : {fr::emit::on_watermark, fr::emit::on_arrival}) {
    std::uint64_t last_count = 0;
    std::int64_t last_max = 0;
    fr::pipeline p("busy");
    const auto rows = p.from("events", scripted<event>({all})) |
                      fr::event_time(&event::at, fr::bounded_disorder{50us}) |
                      fr::key_by(&event::key) |
                      fr::trailing("t", {{1s, {.resolution = 10ms, .name = "coarse"}}, 1s, 70ms},
                                   {.emit = when}, fr::count("n"), fr::max("max", &event::value),
                                   fr::stddev("deviation", &event::value));
    using row = decltype(rows)::value_type;
    rows | fr::map([&](const row& each) {
      last_count = std::get<0>(each.trailing[1]);
      last_max = std::get<1>(each.trailing[0]);
      return each.value;
    }) | fr::to("rows", keep_rows_in(keeper()));
    run_to_end(p);
    REQUIRE(last_count == count - 1);
    REQUIRE(last_max == static_cast<std::int64_t>(count) - 2);
  }
}
