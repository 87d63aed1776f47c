// Epochs, the hash that decides, category texts, sampled rows; and what the contract finds.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <array>
#include <random>

namespace fr = freshet;
using namespace sampling_streams;
using namespace std::chrono_literals;

namespace {

/// A number that a checkpoint loses: it always comes back as 0.
struct forgotten_number {
  std::uint64_t value = 0;
};

}  // namespace

template <>
struct freshet::codec<forgotten_number> {
  static void encode(byte_writer& writer, const forgotten_number&) {
    freshet::encode(writer, true);
  }
  static bool decode(byte_reader& reader, forgotten_number& out) {
    bool ignored = false;
    out.value = 0;
    return freshet::decode(reader, ignored);
  }
  static std::string format() { return "forgotten"; }
};

namespace {

fr::timestamp at(std::int64_t microseconds) {
  return fr::timestamp{fr::duration{microseconds}};
}

struct trip {
  std::string carrier;
  bool late = false;
};
BOOST_DESCRIBE_STRUCT(trip, (), (carrier, late))

enum class color : std::uint8_t { red = 1, green = 2 };

/// What can be wrong with the sampler below, which is a correct one in its shortest form.
enum class mistake {
  none,
  generator,
  looks_at_epoch,
  forgets_field,
  merge_overwrites,
  biased,
  above_one,
  enter_twice_counts,
  epoch_end_wrong,
  counts_epochs
};

template <mistake Mistake>
struct halving {  // Keeps 1/2, then 1 / (2 + records of earlier epochs mod 3).
  struct counts {
    std::uint64_t records = 0;
    BOOST_DESCRIBE_CLASS(counts, (), (records), (), ())
  };
  struct state {
    std::int64_t epoch = fr::epoch_before_all;
    std::uint64_t before = 0;
    std::uint64_t draws = 0;
    forgotten_number unsaved;
    counts now;
    BOOST_DESCRIBE_CLASS(state, (), (epoch, before, draws, unsaved, now), (), ())
  };
  state start() const { return {}; }
  bool valid(const state&) const { return true; }
  std::int64_t epoch_of(fr::timestamp frontier) const { return fr::epoch_number(frontier, 1s); }
  fr::timestamp epoch_end(std::int64_t epoch) const {
    return fr::epoch_end(epoch, Mistake == mistake::epoch_end_wrong ? 2s : 1s);
  }
  void enter(state& known, std::int64_t epoch) const {
    if (epoch <= known.epoch) {
      if (Mistake == mistake::enter_twice_counts) ++known.before;
      return;
    }
    known.epoch = epoch;
    if (epoch % 2 == 0) known.unsaved.value = static_cast<std::uint64_t>(epoch) % 3;
    known.before += known.now.records + (Mistake == mistake::counts_epochs ? 1 : 0);
    known.now = {};
  }
  fr::sample_decision decide(state& known, const event&, const fr::position& where) const {
    ++known.now.records;
    const std::uint64_t seen = known.before +
                               (Mistake == mistake::looks_at_epoch ? known.now.records : 0) +
                               (Mistake == mistake::forgets_field ? known.unsaved.value : 0);
    fr::sample_decision made;
    made.probability = 1.0 / static_cast<double>(2 + seen % 3);
    const std::uint64_t hash =
        Mistake == mistake::generator ? fr::mix_bits(++known.draws) : fr::record_hash(9, where);
    const double bar = made.probability * (Mistake == mistake::biased ? 0.95 : 1.0);
    made.keep = fr::unit_interval(hash) < bar;
    if (Mistake == mistake::above_one) made.probability += 0.75;
    return made;
  }
  counts& counts_of(state& known) const { return known.now; }
  void merge(counts& into, const counts& from) const {
    if (Mistake == mistake::merge_overwrites) into.records = 0;
    into.records += from.records;
  }
  std::string category_of(const event&) const { return ""; }
  std::string describe() const { return "halving"; }
  std::string check() const { return ""; }
};

/// What the contract says about a mistake; "" when it finds none.
template <mistake Mistake>
std::string found() {
  const auto make = [](std::mt19937_64& random) { return event{random() % 3, {}}; };
  try {
    fr::check_sampler(halving<Mistake>{}, make);
  } catch (const std::runtime_error& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("epochs are half-open and floor to the left of 1970 too", "[sampling][epoch]") {
  //   -2s       -1s        0         1s
  //    [---------)[--------)[--------)
  //      epoch -2  epoch -1   epoch 0
  CHECK(fr::epoch_number(at(0), 1s) == 0);
  CHECK(fr::epoch_number(at(999'999), 1s) == 0);
  CHECK(fr::epoch_number(at(1'000'000), 1s) == 1);
  CHECK(fr::epoch_number(at(-1), 1s) == -1);
  CHECK(fr::epoch_number(at(-1'000'000), 1s) == -1);
  CHECK(fr::epoch_number(at(-1'000'001), 1s) == -2);
  CHECK(fr::epoch_end(0, 1s) == at(1'000'000));
  CHECK(fr::epoch_end(-1, 1s) == at(0));
  CHECK(fr::epoch_number(fr::timestamp_min, 1s) == fr::epoch_before_all);
}

TEST_CASE("the end of an epoch is the first frontier of a later one, up to both ends of time",
          "[sampling][epoch]") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 10'000; ++round) {
    const fr::duration length{static_cast<std::int64_t>(1 + (random() >> (1 + random() % 62)) / 2)};
    const fr::timestamp frontier =
        round % 5 == 0   ? fr::timestamp_min + fr::duration{static_cast<std::int64_t>(random() % 3)}
        : round % 5 == 1 ? fr::timestamp_max - fr::duration{static_cast<std::int64_t>(random() % 3)}
                         : at(static_cast<std::int64_t>(random()));
    const std::int64_t epoch = fr::epoch_number(frontier, length);
    const fr::timestamp end = fr::epoch_end(epoch, length);
    INFO("length " << length.count() << " frontier " << frontier.time_since_epoch().count());
    REQUIRE(end >= frontier);
    if (end != fr::timestamp_max) {  // Where time ends, the last epoch has no end to name.
      REQUIRE(end > frontier);
      REQUIRE(fr::epoch_number(end, length) > epoch);
    }
    REQUIRE(fr::epoch_number(end - fr::duration{1}, length) <= epoch);
  }
}

TEST_CASE("the deciding hash of records is uniform, also over regular positions",
          "[sampling][hash]") {
  // Chi-square over 64 cells with 63 degrees of freedom: above 125 with a chance of about 5e-6 for
  // each of the 9 cases.
  for (std::uint64_t seed : {0U, 1U, 2U}) {
    for (std::uint64_t step : {1U, 37U, 4096U}) {
      std::array<double, 64> cells{};
      for (std::uint64_t i = 0; i < 64'000; ++i) {
        const fr::position where{.sequence = i * step, .split = static_cast<std::uint32_t>(i % 2)};
        const double u = fr::unit_interval(fr::record_hash(seed, where));
        REQUIRE((u >= 0 && u < 1));
        ++cells[static_cast<std::size_t>(u * 64)];
      }
      double chi_square = 0;
      for (const double cell : cells) chi_square += (cell - 1000) * (cell - 1000) / 1000;
      CHECK(chi_square < 125);
    }
  }
}

TEST_CASE("every part of a position and the seed change the deciding hash", "[sampling][hash]") {
  const fr::position where{.sequence = 5, .split = 6, .fanout = 7};
  const std::uint64_t hash = fr::record_hash(1, where);
  CHECK(hash != fr::record_hash(2, where));
  CHECK(hash != fr::record_hash(1, {.sequence = 4, .split = 6, .fanout = 7}));
  CHECK(hash != fr::record_hash(1, {.sequence = 5, .split = 7, .fanout = 6}));
  CHECK(fr::unit_interval(~std::uint64_t{0}) < 1.0);
  // Golden: whoever resumes from an older checkpoint must keep the same records.
  CHECK(fr::record_hash(0, {}) == 0xeaaec12efe577ecdU);
  CHECK(fr::record_hash(1, where) == 0x9ba85296b25a7015U);
}

TEST_CASE("categories are written as text", "[sampling][category]") {
  CHECK(fr::category_text(true) == "true");
  CHECK(fr::category_text(false) == "false");
  CHECK(fr::category_text(-7) == "-7");
  CHECK(fr::category_text(~std::uint64_t{0}) == "18446744073709551615");
  CHECK(fr::category_text(std::uint8_t{65}) == "65");
  CHECK(fr::category_text('x') == "x");
  CHECK(fr::category_text(0.5) == "0.5");
  CHECK(fr::category_text(0.1F) == fr::category_text(static_cast<double>(0.1F)));
  CHECK(fr::category_text(-0.0) == fr::category_text(0.0));
  CHECK(fr::category_text(color::green) == "2");
  CHECK(fr::category_text(std::string("LAX")) == "LAX");
  CHECK(fr::category_text(std::optional<int>{}) == "");
  CHECK(fr::category_text(std::optional<int>{3}) == "3");
  CHECK(fr::category_text(std::pair{std::string("WN"), true}) == "WN|true");
  CHECK(fr::category_text(std::tuple{1, 'a', 2.5}) == "1|a|2.5");
  STATIC_REQUIRE_FALSE(fr::category_value<trip>);
  STATIC_REQUIRE_FALSE(fr::category_value<std::vector<int>>);
}

TEST_CASE("a sampled row flattens into its value's columns and four more", "[sampling][columns]") {
  const auto sampler = fr::rarity(&trip::carrier, {.rate = 0.25});
  const fr::sampled<trip> row = fr::make_sampled(
      sampler, trip{"WN", true}, {.keep = true, .probability = 0.25, .log_odds = -0.5});
  CHECK(fr::column_names<fr::sampled<trip>>() == std::vector<std::string>{"carrier", "late",
                                                                          "probability", "weight",
                                                                          "category", "log_odds"});
  std::string cells;
  fr::columns<fr::sampled<trip>>::visit(row, [&cells]<class Cell>(const Cell& cell) {
    if constexpr (std::is_arithmetic_v<Cell>) {
      cells += std::to_string(cell) + ";";
    } else {
      cells += cell + ";";
    }
  });
  CHECK(cells == "WN;1;0.250000;4.000000;WN;-0.500000;");
  STATIC_REQUIRE(fr::is_sampled<fr::sampled<trip>>);
  STATIC_REQUIRE_FALSE(fr::is_sampled<trip>);
}

TEST_CASE("a sampled row survives its codec", "[sampling][columns]") {
  const fr::sampled<trip> row{{"WN", true}, 0.25, 4, "WN", -0.5};
  const auto restored = fr::from_bytes<fr::sampled<trip>>(fr::to_bytes(row));
  REQUIRE(restored.ok());
  CHECK(restored->value.carrier == "WN");
  CHECK(restored->weight == 4);
  CHECK(restored->log_odds == -0.5);
}

TEST_CASE("the sampler contract accepts a correct sampler", "[sampling][contract]") {
  CHECK(found<mistake::none>() == "");
}

TEST_CASE("the sampler contract finds wrong samplers and says what is wrong and the seed",
          "[sampling][contract]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(found<mistake::generator>(), Contains("in another order within its epoch"));
  CHECK_THAT(found<mistake::looks_at_epoch>(), Contains("in another order within its epoch"));
  CHECK_THAT(found<mistake::forgets_field>(), Contains("after a restore"));
  CHECK_THAT(found<mistake::merge_overwrites>(), Contains("differs between 1 and"));
  CHECK_THAT(found<mistake::biased>(), Contains("kept records do not add up"));
  CHECK_THAT(found<mistake::above_one>(), Contains("is not in (0, 1]"));
  CHECK_THAT(found<mistake::enter_twice_counts>(), Contains("entering the current epoch again"));
  CHECK_THAT(found<mistake::counts_epochs>(), Contains("entered one by one"));
  CHECK_THAT(found<mistake::epoch_end_wrong>(), Contains("disagree about where an epoch ends"));
}
