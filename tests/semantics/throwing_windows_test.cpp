// Functions of an application that throw inside of windows: assigners, and every part of an
// aggregate, in every kind of window. Whatever the batches and restarts, the job ends, and says
// where and at which record.
#include "semantics/throwing.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/processing_time.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/session_by.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using events = fr::stream<event>;

enum class fails_in { add, merge, result };

/// A sum that throws where the bad record takes part.
template <fails_in Where>
struct failing_sum {
  struct state {
    std::int64_t sum = 0;
    bool spoilt = false;
    BOOST_DESCRIBE_CLASS(state, (), (sum, spoilt), (), ())
  };
  std::string name;

  void add(state& to, const event& each) const {
    if constexpr (Where == fails_in::add) throw_if_bad(each);
    to.sum += each.value;
    to.spoilt |= each.value == bad;
  }
  void merge(state& into, const state& from) const {
    if (Where == fails_in::merge && (into.spoilt || from.spoilt)) throw std::runtime_error("boom");
    into.sum += from.sum;
    into.spoilt |= from.spoilt;
  }
  std::int64_t result(const state& of) const {
    if (Where == fails_in::result && of.spoilt) throw std::runtime_error("boom");
    return of.sum;
  }
};

/// An assigner that cannot place the bad record.
struct failing_assigner {
  static constexpr bool merges = false;
  void assign(fr::timestamp at, const event& each, std::vector<fr::window_span>& out) const {
    throw_if_bad(each);
    out.push_back(fr::tumbling{10us}.span_of(at));
  }
  std::string describe() const { return "failing"; }
  std::string check() const { return {}; }
};

template <fails_in Where, class Assigner>
std::string failure_in(const Assigner& windows, fr::window_options options = {}) {
  return failure_of([&](const events& in, auto&) {
    return in | fr::key_by(&event::key) | fr::window(windows, options) |
           fr::aggregate("w", failing_sum<Where>{"sum"});
  });
}

const std::string while_firing = "while a window fired";

}  // namespace

TEST_CASE("what throws while a record is assigned is named with it", "[semantics][failure]") {
  REQUIRE(failure_in<fails_in::add>(failing_assigner{}) == thrown("window 'w'"));
  REQUIRE(failure_in<fails_in::merge>(fr::session_by(throwing([](const event&) { return 5us; }))) ==
          thrown("window 'w'"));
}

TEST_CASE("what throws in an aggregate is named with the record, or the firing of its window",
          "[semantics][failure]") {
  REQUIRE(failure_in<fails_in::add>(fr::tumbling{10us}) == thrown("window 'w'"));
  REQUIRE(failure_in<fails_in::add>(fr::session{5us}) == thrown("window 'w'"));
  REQUIRE(failure_in<fails_in::result>(fr::tumbling{10us}) == thrown("window 'w'", while_firing));
  REQUIRE(failure_in<fails_in::result>(fr::session{15us}) == thrown("window 'w'", while_firing));
}

TEST_CASE("what throws while sessions merge is named with the record that bridges them",
          "[semantics][failure]") {
  // The sessions of 30, which is bad, and 40 are met by 36.
  const std::string found = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto rows =
        h.collect(in.stream() | fr::key_by(&event::key) | fr::window(fr::session{7us}) |
                  fr::aggregate("w", failing_sum<fails_in::merge>{"sum"}));
    for (const std::int64_t at : {30, 40, 36}) in.push({"a", at / 10, tick(at)}, tick(at));
    h.finish();
    return message_of(h.status());
  });
  REQUIRE(found == thrown("window 'w'"));
}

TEST_CASE("what throws at a record behind its frontier is named with it", "[semantics][failure]") {
  for (const fr::duration lateness : {0us, 50us}) {
    const std::string found = frt::in_every_mode([&](const frt::harness_options& options) {
      frt::harness h(options);
      const auto in = h.input<event>("events", {.splits = 2});
      const auto rows = h.collect(in.stream() | fr::key_by(&event::key) |
                                  fr::window(fr::tumbling{10us}, {.allowed_lateness = lateness}) |
                                  fr::aggregate("w", failing_sum<fails_in::add>{"sum"}));
      const auto split = in.split(1);
      split.push({"a", 1, {}}, tick(1));
      split.push({"a", 2, {}}, tick(2));
      split.watermark(tick(lateness == 0us ? 8 : 20));
      split.push({"a", bad, {}}, tick(3));  // Held until the other split is as far.
      split.push({"a", 4, {}}, tick(25));
      REQUIRE(h.status().ok());
      in.split(0).watermark(tick(40));
      h.finish();
      return message_of(h.status());
    });
    REQUIRE(found == thrown("window 'w'", "at record 2 of split 1 of source 0"));
  }
}

TEST_CASE("what throws in the windows of counts and of the clock is named, too",
          "[semantics][failure]") {
  const auto counted = [](auto aggregate) {
    return failure_of([&](const events& in, auto&) {
      return in | fr::key_by(&event::key) | fr::window(fr::count_window{.size = 2}) |
             fr::aggregate("w", aggregate);
    });
  };
  REQUIRE(counted(failing_sum<fails_in::add>{"sum"}) == thrown("window 'w'"));
  // Full with record 3, which is not the bad one.
  REQUIRE(counted(failing_sum<fails_in::result>{"sum"}) ==
          thrown("window 'w'", "at record 3 of split 0 of source 0"));
  const auto clocked = [](auto aggregate) {
    return failure_of([&](const events& in, auto&) {
      return in | fr::key_by(&event::key) | fr::window(fr::processing_time(fr::tumbling{10us})) |
             fr::aggregate("w", aggregate);
    });
  };
  REQUIRE(clocked(failing_sum<fails_in::add>{"sum"}) == thrown("window 'w'"));
  REQUIRE(clocked(failing_sum<fails_in::result>{"sum"}) == thrown("window 'w'", while_firing));
}

TEST_CASE("what throws in the aggregates of trailing is named with the record whose row it is",
          "[semantics][failure]") {
  const auto trailing = [](auto aggregate) {
    return failure_of([&](const events& in, auto&) {
      return in | fr::key_by(&event::key) | fr::trailing("t", {15us, 100us}, aggregate);
    });
  };
  REQUIRE(trailing(failing_sum<fails_in::add>{"sum"}) == thrown("trailing 't'"));
  REQUIRE(trailing(failing_sum<fails_in::result>{"sum"}) ==
          thrown("trailing 't'", "at record 3 of split 0 of source 0"));
}
