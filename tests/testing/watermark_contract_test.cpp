// The contract of watermark generators: ours keep it, and each way of breaking it is found.
#include "catch.hpp"

#include <freshet/testing/watermark_contract.hpp>
#include <freshet/window/watermark.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

namespace fr = freshet;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

struct reading {
  std::optional<fr::timestamp> complete;
};

reading draw_reading(fr::contract_random& random, fr::timestamp at) {
  if (random() % 3 != 0) return {};
  return {fr::saturating_subtract(at, fr::duration{static_cast<std::int64_t>(random() % 9)})};
}

struct scripted_state {
  scripted_state() {}  // So that no compiler notices what the description leaves out.
  fr::timestamp last = fr::timestamp_min;
  fr::timestamp forgotten = fr::timestamp_min;
};
BOOST_DESCRIBE_STRUCT(scripted_state, (), (last))

// A generator that does what it is told.
struct scripted {
  using state = scripted_state;
  bool (*observe_at)(state&, fr::timestamp) = [](state& of, fr::timestamp at) {
    of.last = std::max(of.last, at);
    return true;
  };
  fr::timestamp (*frontier_of)(const state&) = [](const state& of) { return of.last; };
  std::string description = "scripted";
  std::string fault = {};

  bool observe(state& of, fr::timestamp at) const { return observe_at(of, at); }
  fr::timestamp frontier(const state& of) const { return frontier_of(of); }
  std::string describe() const { return description; }
  std::string check() const { return fault; }
};

// A generator that keeps in itself what belongs into the state of the split.
struct remembering {
  struct state {
    bool seen = false;
    BOOST_DESCRIBE_CLASS(state, (), (seen), (), ())
  };
  mutable fr::timestamp largest = fr::timestamp_min;

  void observe(state& of, fr::timestamp at) const {
    of.seen = true;
    largest = std::max(largest, at);
  }
  fr::timestamp frontier(const state& of) const { return of.seen ? largest : fr::timestamp_min; }
  std::string describe() const { return "remembering"; }
  std::string check() const { return {}; }
};

template <class G>
std::string violation_of(const G& generator) {
  try {
    fr::check_watermark_generator(generator);
  } catch (const fr::contract_violation& violation) {
    return violation.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("the generators of the library keep the contract", "[contract][watermark]") {
  fr::check_watermark_generator(fr::ascending{});
  fr::check_watermark_generator(fr::bounded_disorder{0us});
  fr::check_watermark_generator(fr::bounded_disorder{7us});
  fr::check_watermark_generator(fr::bounded_disorder{fr::duration::max()});
  fr::check_watermark_generator(fr::punctuated(&reading::complete), draw_reading);
  fr::check_watermark_generator(fr::punctuated([](fr::timestamp at) { return at; }),
                                [](fr::contract_random&, fr::timestamp at) { return at; });
}

TEST_CASE("the watermark contract accepts a generator of one's own without fault",
          "[contract][watermark]") {
  REQUIRE(violation_of(scripted{}) == "none");
}

TEST_CASE("the watermark contract names the generator, the case, and the seed",
          "[contract][watermark]") {
  const scripted wrong{.observe_at =
                           [](scripted_state& of, fr::timestamp at) {
                             of.last = at;
                             return true;
                           },
                       .description = "my generator"};
  REQUIRE_THROWS_WITH(fr::check_watermark_generator(wrong, {.seed = 77}),
                      Contains("watermark generator 'my generator', case ") && Contains("seed 77"));
}

TEST_CASE("the watermark contract refuses a frontier that goes back", "[contract][watermark]") {
  REQUIRE_THAT(violation_of(scripted{.observe_at =
                                         [](scripted_state& of, fr::timestamp at) {
                                           of.last = at;
                                           return true;
                                         }}),
               Contains("takes the frontier back"));
  // Subtracting without saturating: wraps beside the beginning of time only.
  REQUIRE_THAT(violation_of(scripted{.frontier_of =
                                         [](const scripted_state& of) {
                                           const auto count = static_cast<std::uint64_t>(
                                               of.last.time_since_epoch().count());
                                           if (of.last == fr::timestamp_min)
                                             return fr::timestamp_min;
                                           return fr::timestamp{
                                               fr::duration{static_cast<std::int64_t>(count - 10)}};
                                         }}),
               Contains("takes the frontier back"));
}

TEST_CASE("the watermark contract refuses a promise before the first record",
          "[contract][watermark]") {
  REQUIRE_THAT(violation_of(scripted{.frontier_of =
                                         [](const scripted_state& of) {
                                           return std::max(of.last, fr::timestamp{});
                                         }}),
               Contains("before the first record the frontier is 0 us"));
}

TEST_CASE("the watermark contract refuses states that forget or share", "[contract][watermark]") {
  REQUIRE_THAT(
      violation_of(scripted{.observe_at =
                                [](scripted_state& of, fr::timestamp at) {
                                  of.forgotten = std::max(of.forgotten, at);
                                  return true;
                                },
                            .frontier_of = [](const scripted_state& of) { return of.forgotten; }}),
      Contains("the state restored from its bytes promises"));
  REQUIRE_THAT(violation_of(remembering{}), Contains("all that matters must be in the state"));
}

TEST_CASE("the watermark contract refuses a promise that counts as ignored and is kept",
          "[contract][watermark]") {
  REQUIRE_THAT(violation_of(scripted{.observe_at =
                                         [](scripted_state& of, fr::timestamp at) {
                                           of.last = std::max(of.last, at);
                                           return false;
                                         }}),
               Contains("wanted false only for a promise that is ignored"));
}

TEST_CASE("the watermark contract refuses unusable parameters and an empty description",
          "[contract][watermark]") {
  REQUIRE_THAT(violation_of(scripted{.fault = "no"}), Contains("check() found: no"));
  REQUIRE_THAT(violation_of(scripted{.description = ""}), Contains("describe() gave nothing"));
}
