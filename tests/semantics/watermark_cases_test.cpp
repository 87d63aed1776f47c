// How the frontiers of splits and inputs combine in a running pipeline whose splits fall idle, wake
// and end: cases 16 to 29 of the project's list of stream processing semantics, beyond what
// tests/window/watermark_test.cpp shows on the minimum alone. Its W(t) is our t + 1.
#include "testing/driven.hpp"
#include "window/naive_minimum.hpp"

#include <freshet/pipeline/transform.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// A scenario over windows of 10 ticks and some splits. It shows the same in every mode.
template <class Scenario>
rows_of_text over_splits(std::size_t splits, Scenario scenario) {
  return frt::in_every_mode([&](const frt::harness_options& options) {
    driven test(options, {.splits = splits});
    rows_of_text shown;
    scenario(test, [&] {
      for (std::string& row : test.rows.take_text()) shown.push_back(std::move(row));
      for (const std::string& row : test.late.take_text()) shown.push_back("late " + row);
      shown.emplace_back("--");
    });
    return shown;
  });
}

void push(const driven& test, std::size_t split, std::int64_t at) {
  test.in.split(split).push(event_at(at), tick(at));
}
void promise(const driven& test, std::size_t split, std::int64_t frontier) {
  test.in.split(split).watermark(tick(frontier));
}

}  // namespace

TEST_CASE("case 17: windows wait for a split that has not reported", "[semantics][watermark]") {
  REQUIRE(over_splits(3, [](driven& test, auto show) {
            push(test, 0, 3);
            promise(test, 0, 50);
            promise(test, 1, 50);
            show();
            promise(test, 2, 10);
            show();
          }) == rows_of_text{"--", "a|0|10|[3]@9", "--"});
}

TEST_CASE("case 19: idle splits are left out, the others decide", "[semantics][watermark]") {
  REQUIRE(over_splits(3, [](driven& test, auto show) {
            push(test, 0, 3);
            promise(test, 0, 16);
            promise(test, 1, 11);
            show();
            test.in.split(2).idle();
            show();
          }) == rows_of_text{"--", "a|0|10|[3]@9", "--"});
}

TEST_CASE("case 20: what an idle split promises is not heard", "[semantics][watermark]") {
  REQUIRE(over_splits(1, [](driven& test, auto show) {
            push(test, 0, 33);
            promise(test, 0, 26);
            test.in.split(0).idle();
            promise(test, 0, 51);
            test.in.split(0).active();
            show();
            promise(test, 0, 51);
            show();
          }) == rows_of_text{"--", "a|30|40|[33]@39", "--"});
}

TEST_CASE("case 21: a split that wakes does not hold the others back, nor is it held against them",
          "[semantics][watermark]") {
  REQUIRE(over_splits(2,
                      [](driven& test, auto show) {
                        promise(test, 0, 5);
                        promise(test, 1, 30);
                        test.in.split(0).idle();
                        // Behind: its record enters at 30, and the other split goes on without it.
                        push(test, 0, 25);
                        push(test, 0, 33);
                        push(test, 1, 44);
                        promise(test, 1, 40);
                        show();
                        // The others have promised 40 by now; that holds for this record, too.
                        push(test, 0, 38);
                        push(test, 0, 41);
                        promise(test, 0, 41);
                        promise(test, 1, 60);
                        // It has caught up, and counts.
                        show();
                        push(test, 0, 47);
                        promise(test, 0, 50);
                        show();
                      }) == rows_of_text{"a|30|40|[33]@39", "late a|25|25@25", "--",
                                         "late a|38|38@38", "--", "a|40|50|[41,44,47]@49", "--"});
}

TEST_CASE("case 22: when all splits are idle, what the furthest has promised counts, in any order",
          "[semantics][watermark]") {
  std::vector<std::size_t> order = {0, 1, 2};
  do {
    REQUIRE(over_splits(3, [&](driven& test, auto show) {
              push(test, 0, 3);
              push(test, 1, 27);
              promise(test, 0, 10);
              promise(test, 1, 30);
              promise(test, 2, 20);
              for (const std::size_t split : order) test.in.split(split).idle();
              show();
            }) == rows_of_text{"a|0|10|[3]@9", "a|20|30|[27]@29", "--"});
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("case 23: splits that are all catching up move nothing", "[semantics][watermark]") {
  REQUIRE(over_splits(2, [](driven& test, auto show) {
            promise(test, 0, 5);
            promise(test, 1, 30);
            test.in.idle();
            push(test, 0, 42);
            promise(test, 0, 20);
            show();
            promise(test, 0, 50);
            show();
          }) == rows_of_text{"--", "a|40|50|[42]@49", "--"});
}

namespace {

/// A source whose directory turned out to be empty.
struct without_splits {
  using value_type = event;

  class opened final : public fr::source<event> {
   public:
    std::vector<std::string> splits() const override { return {}; }
    absl::StatusOr<std::unique_ptr<fr::split_reader<event>>> open(
        std::size_t, std::optional<std::string_view>) override {
      return absl::InternalError("there is no split to open");
    }
  };
  absl::StatusOr<std::unique_ptr<fr::source<event>>> open() const {
    return std::make_unique<opened>();
  }
};

}  // namespace

TEST_CASE("case 24: a source without splits is refused, it neither ends time nor is idle for ever",
          "[semantics][watermark]") {
  fr::pipeline p("empty");
  const auto rows = keeper();
  p.from("none", without_splits{}) | fr::event_time(&event::at, fr::ascending{}) |
      fr::to("rows", keep_rows_in(rows));
  REQUIRE(message_of(p.run()) ==
          "from 'none': 0 splits, wanted 1 to 16777215; give at least one file or partition, or "
          "fewer at a time");
}

TEST_CASE("case 25: an ended split beside idle ones does not end time", "[semantics][watermark]") {
  REQUIRE(over_splits(3,
                      [](driven& test, auto show) {
                        push(test, 0, 15);
                        push(test, 1, 28);
                        for (std::size_t split = 0; split < 3; ++split) {
                          promise(test, split, 10 * static_cast<std::int64_t>(split + 1));
                        }
                        test.in.split(0).end();
                        test.in.split(1).idle();
                        test.in.split(2).idle();
                        show();
                        push(test, 1, 31);  // On time: 30 is all that was promised.
                        test.in.split(1).end();
                        show();
                        test.in.split(2).end();
                        show();
                      }) ==
          rows_of_text{"a|10|20|[15]@19", "a|20|30|[28]@29", "--", "--", "a|30|40|[31]@39", "--"});
}

TEST_CASE("case 26: when the split that is furthest behind ends, windows fire at once",
          "[semantics][watermark]") {
  REQUIRE(over_splits(2, [](driven& test, auto show) {
            push(test, 0, 3);
            promise(test, 0, 10);
            promise(test, 1, 3);
            show();
            test.in.split(1).end();
            show();
          }) == rows_of_text{"--", "a|0|10|[3]@9", "--"});
}

namespace {

/// Two inputs of two splits each by the definition, with what a merge of them makes of a record.
struct naive_merge {
  std::vector<naive_minimum> inputs{naive_minimum(2), naive_minimum(2)};
  naive_minimum merged{2};

  template <class Change>
  void change(std::size_t input, Change apply) {
    const bool before = inputs[input].is_idle();
    apply(inputs[input]);
    const bool after = inputs[input].is_idle();
    if (before && !after) merged.set_active(input);
    if (inputs[input].combined == fr::timestamp_max) {
      merged.finish(input);
    } else {
      merged.advance(input, inputs[input].combined);
    }
    if (!before && after) merged.set_idle(input);
  }

  static fr::timestamp promised_by(const naive_minimum& of, std::size_t input, fr::timestamp own) {
    return of.status[input] == naive_minimum::is::active ? own : std::max(own, of.combined);
  }
  /// The entry frontier of a record below the merge. The record wakes its split.
  fr::timestamp entry_of(std::size_t input, std::size_t split) {
    const fr::timestamp own = promised_by(inputs[input], split, inputs[input].frontiers[split]);
    change(input, [split](naive_minimum& of) { of.set_active(split); });
    return promised_by(merged, input, own);
  }
};

using collected_events = std::vector<frt::collected_row<event>>;

/// Plays the same random items to the pipeline and, once, to the definition.
collected_events play(const frt::harness_options& options, std::uint64_t seed,
                      collected_events& wanted) {
  frt::harness h(options);
  const std::vector<frt::hand_input<event>> inputs = {h.input<event>("one", {.splits = 2}),
                                                      h.input<event>("two", {.splits = 2})};
  const auto merged = h.collect(fr::merge(inputs[0].stream(), inputs[1].stream()));
  naive_merge naive;
  wanted.clear();
  std::mt19937_64 random(seed);
  bool ended[2][2] = {};
  for (std::int64_t step = 0; step < 50; ++step) {
    const std::size_t input = random() % 2;
    const std::size_t split = random() % 2;
    const fr::timestamp at = tick(step + static_cast<std::int64_t>(random() % 30) - 10);
    const std::uint64_t what = random() % 40;
    if (ended[input][split]) continue;
    const auto given = inputs[input].split(split);
    if (what < 16) {
      const event record = event_at(at.time_since_epoch().count());
      given.push(record, at);
      const fr::timestamp entry = naive.entry_of(input, split);
      wanted.push_back({record, at, at < entry ? std::optional(entry) : std::nullopt});
    } else if (what < 30) {
      given.watermark(at);
      naive.change(input, [&](naive_minimum& of) { of.advance(split, at); });
    } else if (what < 35) {
      given.idle();
      naive.change(input, [&](naive_minimum& of) { of.set_idle(split); });
    } else if (what < 39) {
      given.active();
      naive.change(input, [&](naive_minimum& of) { of.set_active(split); });
    } else if (!ended[input][1 - split]) {
      ended[input][split] = true;
      given.end();
      naive.change(input, [&](naive_minimum& of) { of.finish(split); });
    }
  }
  return merged.take();
}

}  // namespace

TEST_CASE("cases 16 to 29: below a merge, every record enters at what was promised, in any mode",
          "[semantics][watermark][merge]") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    collected_events wanted;
    const collected_events found = frt::in_every_mode(
        [&](const frt::harness_options& options) { return play(options, seed, wanted); });
    REQUIRE(found == wanted);
  }
}
