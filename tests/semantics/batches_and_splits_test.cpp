// Same log in, same rows out: neither batches nor restarts nor the interleaving of splits change a
// row, a late record, or a count. Seeded random items, in every mode.
#include "semantics/random_items.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

template <class Assigner>
auto windows_of(Assigner assigner, fr::window_options options) {
  return [assigner, options](const fr::stream<event>& events) {
    return events | fr::key_by(&event::key) | fr::window(assigner, options) |
           fr::aggregate("w", fr::count("n"), fr::collect("each", &event::value));
  };
}

/// Windows over windows, whose first level fires again for late records.
auto nested(fr::firing fire) {
  return [fire](const fr::stream<event>& events) {
    const auto first = events | fr::key_by(&event::key) |
                       fr::window(fr::tumbling{7us}, {.allowed_lateness = 15us, .fire = fire}) |
                       fr::aggregate("first", fr::count("n"), fr::collect("all", &event::value));
    using row = typename decltype(first)::value_type;
    const auto n = [](const row& each) { return std::get<0>(each.values); };
    return first | fr::key_by([](const row& each) { return each.key == "a"; }) |
           fr::window(fr::tumbling{21us}, {.allowed_lateness = 10us}) |
           fr::aggregate("second", fr::count("panes"), fr::sum("sum", n), fr::max("most", n),
                         fr::last("last", n), fr::collect("each", n));
  };
}

std::vector<items> random_splits(std::mt19937_64& random, std::size_t count, random_split of) {
  std::vector<items> splits;
  for (std::size_t split = 0; split < count; ++split) {
    splits.push_back(random_items(random, of, split));
  }
  return splits;
}

}  // namespace

TEST_CASE("case 110: rows, late records and their order do not depend on batches or restarts",
          "[semantics][window]") {
  std::mt19937_64 random(110);
  const fr::window_options options{.allowed_lateness = 10us};
  std::uint64_t late = 0;
  for (int round = 0; round < 3; ++round) {
    INFO("round " << round);
    const items given = random_items(random, {.records = 200, .behind = 50});
    late += everywhere(given, windows_of(fr::tumbling{10us}, options)).late_count;
    late += everywhere(given, windows_of(fr::sliding{30us, 10us}, options)).late_count;
    late += everywhere(given, windows_of(fr::session{2us}, options)).late_count;
  }
  REQUIRE(late > 100);  // Else nothing of interest was compared.
}

namespace {

/// Interleavings of the same splits, in batches of some size, against one in every mode.
template <class Assigner>
void compare_interleavings(std::uint64_t seed, const Assigner& assigner) {
  std::mt19937_64 random(seed);
  std::uint64_t late = 0;
  for (int round = 0; round < 8; ++round) {
    INFO("round " << round);
    const fr::window_options options{
        .allowed_lateness = fr::duration{random() % 2 == 0 ? 0 : 12},
        .fire = random() % 2 == 0 ? fr::firing::on_time : fr::firing::at_close};
    const auto compose = windows_of(assigner, options);
    const std::size_t count = 2 + random() % 3;
    const std::vector<items> splits = random_splits(random, count, {.records = 40});
    items one_by_one;
    for (const items& each : splits) {
      one_by_one.insert(one_by_one.end(), each.begin(), each.end());
    }
    const outcome wanted = everywhere_unordered(one_by_one, count, compose);
    for (int order = 0; order < 12; ++order) {
      const frt::harness_options mode{.batch_rows = 1 + random() % 20};
      INFO("interleaving " << order << " in batches of up to " << mode.batch_rows);
      const items given = interleaved(random, splits);
      REQUIRE(unordered(play(mode, given, compose, count)) == wanted);
    }
    late += wanted.late_count;
  }
  REQUIRE(late > 30);  // Else nothing of interest was compared.
}

}  // namespace

TEST_CASE("case 112: rows and late records are the same for every interleaving of the splits",
          "[semantics][window]") {
  compare_interleavings(1121, fr::tumbling{10us});
  compare_interleavings(1122, fr::sliding{12us, 5us});
}

TEST_CASE("case 112: sessions are the same for every interleaving of the splits",
          "[semantics][session]") {
  compare_interleavings(1123, fr::session{2us});
}

TEST_CASE("windows over windows that fire again give the same rows in every mode",
          "[semantics][window]") {
  std::mt19937_64 random(31);
  for (int round = 0; round < 8; ++round) {
    const std::size_t count = 1 + random() % 3;
    const items given = interleaved(random, random_splits(random, count, {.records = 60}));
    for (const fr::firing fire : {fr::firing::on_time, fr::firing::at_close}) {
      INFO("round " << round << (fire == fr::firing::on_time ? ", on time" : ", at close"));
      const outcome got = everywhere_unordered(given, count, nested(fire));
      REQUIRE(got.rows.size() > 5);
    }
  }
}
