// Aggregates with large states in the operators that keep them: what comes out is the fold of the
// records by definition, in every mode of running, killed and resumed between any two records.
#include "catch.hpp"
#include "pipeline/support.hpp"

#include <freshet/aggregate/approx_distinct.hpp>
#include <freshet/aggregate/approx_top_k.hpp>
#include <freshet/aggregate/arg_extrema.hpp>
#include <freshet/aggregate/ewma.hpp>
#include <freshet/aggregate/quantile.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/group_aggregate.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/window/sliding.hpp>

#include <fmt/format.h>

#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// One of each. Half-lives of a tick make weights powers of two, and means of few rows exact.
const auto aggregates = [] {
  return std::tuple(fr::approx_quantile("q", &event::value, 0.5),
                    fr::approx_distinct("d", &event::value, {.precision = 4}),
                    fr::approx_top_k("t", &event::value, {.k = 2, .capacity = 20}),
                    fr::median("m", &event::value), fr::ewma("e", &event::value, 1us),
                    fr::arg_max("a", &event::at, &event::value));
}();

std::string text_of(const auto& values) {
  const auto& [quantile, distinct, top, median, ewma, arg] = values;
  std::string text = fmt::format("{:.6} {} {} {:.9} {}", quantile, distinct, median.value_or(-1),
                                 ewma, arg.time_since_epoch().count());
  for (const auto& each : top) {
    text += fmt::format(" {}:{}-{}", each.value, each.count, each.error);
  }
  return text;
}

/// The oracle: the records for which `holds`, folded in their order.
std::string naive_fold(const std::vector<event>& records, auto holds) {
  return std::apply(
      [&](const auto&... parts) {
        const fr::detail::aggregate_set<event, std::decay_t<decltype(parts)>...> set(parts...);
        typename std::decay_t<decltype(set)>::state state;
        std::uint64_t sequence = 0;
        for (const event& each : records) {
          const std::uint64_t mine = sequence++;
          if (holds(each)) set.add(state, each, {each.at, {mine, 0, 0}});
        }
        return text_of(set.result(state));
      },
      aggregates);
}

/// Values of few and of many kinds, up to 90 of a key, a few ticks apart.
std::vector<event> draw_events(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<event> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::int64_t>(random() % 2 == 0 ? random() % 4 : random() % 90);
    all.push_back({random() % 4 == 0 ? "b" : "a", value, tick(static_cast<std::int64_t>(i / 3))});
  }
  return all;
}

/// What `compose(stream)` makes of the records, as "key[place]: values", sorted.
rows_of_text rows_of(const std::vector<event>& records, auto compose, auto place) {
  return frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto rows = h.collect(compose(in.stream() | fr::key_by(&event::key)));
    for (const event& each : records) in.push(each, each.at);
    h.finish();
    rows_of_text text;
    for (const auto& each : rows.take()) text.push_back(place(each.value));
    return sorted(text);
  });
}

std::string placed(const std::string& key, fr::timestamp at, const std::string& values) {
  return key + "[" + std::to_string(at.time_since_epoch().count()) + "]: " + values;
}

}  // namespace

TEST_CASE("sketches in sliding windows are the folds of their records", "[aggregate][windows]") {
  const auto records = draw_events(1, 36);
  const auto found = std::apply(
      [&](const auto&... parts) {
        return rows_of(
            records,
            [&](const auto& keyed) {
              return keyed | fr::window(fr::sliding{.size = 6us, .slide = 3us}) |
                     fr::aggregate("w", parts...);
            },
            [](const auto& row) { return placed(row.key, row.window.begin, text_of(row.values)); });
      },
      aggregates);
  rows_of_text wanted;
  for (const std::string key : {"a", "b"}) {
    for (std::int64_t begin = -3; begin <= 9; begin += 3) {
      const auto holds = [&](const event& each) {
        return each.key == key && each.at >= tick(begin) && each.at < tick(begin + 6);
      };
      if (std::none_of(records.begin(), records.end(), holds)) continue;
      wanted.push_back(placed(key, tick(begin), naive_fold(records, holds)));
    }
  }
  REQUIRE(found == sorted(wanted));
}

TEST_CASE("sketches in trailing spans are the folds of their records", "[aggregate][windows]") {
  const auto records = draw_events(2, 30);
  const auto found = std::apply(
      [&](const auto&... parts) {
        return rows_of(
            records, [&](const auto& keyed) { return keyed | fr::trailing("t", {4us}, parts...); },
            [](const auto& row) { return placed(row.key, row.at, text_of(row.trailing[0])); });
      },
      aggregates);
  rows_of_text wanted;
  for (const event& each : records) {
    const auto holds = [&](const event& other) {
      return other.key == each.key && other.at >= each.at - 4us && other.at < each.at;
    };
    wanted.push_back(placed(each.key, each.at, naive_fold(records, holds)));
  }
  REQUIRE(found == sorted(wanted));
}

TEST_CASE("sketches in group_aggregate are the folds of a key's records", "[aggregate][windows]") {
  const auto records = draw_events(3, 120);
  const auto found = std::apply(
      [&](const auto&... parts) {
        return rows_of(
            records,
            [&](const auto& keyed) {
              return keyed | fr::group_aggregate("g", fr::emit_final{}, parts...);
            },
            [](const auto& row) { return placed(row.key, {}, text_of(row.values)); });
      },
      aggregates);
  rows_of_text wanted;
  for (const std::string key : {"a", "b"}) {
    wanted.push_back(
        placed(key, {}, naive_fold(records, [&](const event& each) { return each.key == key; })));
  }
  REQUIRE(found == sorted(wanted));
}

TEST_CASE("the format of aggregates names the options that their states depend on",
          "[aggregate][windows]") {
  const std::string format = std::apply(
      [](const auto&... parts) {
        return fr::detail::aggregate_set<event, std::decay_t<decltype(parts)>...>(parts...)
            .format();
      },
      aggregates);
  REQUIRE(format ==
          "q:approx_quantile(0.01/2048), d:approx_distinct(4), t:approx_top_k(20), m:quantile, "
          "e:ewma(1 us), a:arg_max");
}
