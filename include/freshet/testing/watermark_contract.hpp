// check_watermark_generator: the promises of a watermark generator, checked on seeded splits.
//
// For one's own tests: a call that returns is a test that passed; see contract.hpp. One thread, no
// clock, memory for a few states.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time.hpp>
#include <freshet/testing/contract.hpp>
#include <freshet/window/watermark.hpp>

#include <fmt/core.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// Options of `check_watermark_generator`.
struct watermark_contract_options {
  std::uint64_t seed = 1;
  int cases = 300;               ///< Splits drawn.
  std::size_t records_max = 60;  ///< Of one split.
};

namespace detail {

template <class MakeRecord>
using drawn_record =
    std::remove_cvref_t<std::invoke_result_t<MakeRecord&, contract_random&, timestamp>>;

template <class G, class MakeRecord>
class watermark_contract {
 public:
  watermark_contract(G generator, MakeRecord make_record, watermark_contract_options options)
      : generator_(std::move(generator)),
        make_record_(std::move(make_record)),
        options_(options),
        random_(options.seed) {}

  void run() {
    check_description();
    if (generator_.frontier(state{}) != timestamp_min) {
      fail("before the first record the frontier is " + text(generator_.frontier(state{})),
           "wanted timestamp_min, which promises nothing");
    }
    for (case_ = 1; case_ <= options_.cases; ++case_) check_split();
  }

 private:
  using state = typename G::state;
  using record = drawn_record<MakeRecord>;

  void check_description() {
    const std::string found = generator_.check();
    if (!found.empty()) {
      fail("check() found: " + found,
           "wanted usable parameters; give the contract a generator that event_time accepts");
    }
    const std::string described = generator_.describe();
    if (described.empty()) {
      fail("describe() gave nothing",
           "wanted the parameters as text, because it tells changed generators from equal ones");
    }
    if (described != G(generator_).describe()) {
      fail("describe() of a copy differs",
           "wanted '" + described + "'; it may depend on the parameters only");
    }
  }

  // Between the records of the split, another one shows its own to the same generator: what either
  // promises may depend on its own state only. One state goes through its bytes all the time.
  void check_split() {
    const times near = draw_times();
    const G copy = generator_;
    state whole;
    state resumed;
    state other;
    for (std::size_t count = draw_below(random_, options_.records_max + 1); count > 0; --count) {
      const timestamp before = generator_.frontier(whole);
      const timestamp at = draw_time(near);
      const record shown = make_record_(random_, at);
      const bool kept = observe_record(generator_, whole, at, shown);
      const timestamp after = generator_.frontier(whole);
      if (after < before) {
        fail("a record at " + text(at) + " takes the frontier back from " + text(before) + " to " +
                 text(after),
             "wanted it never to go back; keep the largest promise in the state");
      }
      if (!kept && after != before) {
        fail("observe returns false for a record at " + text(at) +
                 ", and the frontier moves from " + text(before) + " to " + text(after),
             "wanted false only for a promise that is ignored");
      }
      (void)observe_record(copy, resumed, at, shown);
      require_same(resumed, after, "a copy of the generator, with a state restored before");
      resumed = restored(resumed);
      require_same(resumed, after, "the state restored from its bytes");
      require_same(whole, after, "the same state, asked again,");

      const timestamp elsewhere = draw_time(near);
      (void)observe_record(generator_, other, elsewhere, make_record_(random_, elsewhere));
      require_same(whole, after, "after a record of another split it");
    }
  }

  void require_same(const state& of, timestamp wanted, const std::string& what) const {
    const timestamp found = generator_.frontier(of);
    if (found == wanted) return;
    fail(what + " promises " + text(found) + ", wanted " + text(wanted),
         "all that matters must be in the state, and in its description");
  }

  state restored(const state& of) const {
    auto read = from_bytes<state>(to_bytes(of));
    if (!read.ok()) {
      fail("a state's own bytes cannot be read: " + std::string(read.status().message()),
           "see freshet/core/codec.hpp");
    }
    return *std::move(read);
  }

  /// Where the event times of a split lie, and how far apart.
  struct times {
    timestamp middle;
    std::uint64_t width = 1;
  };

  times draw_times() {
    times of{timestamp{duration{draw_any_size(random_)}}, 1 + draw_below(random_, 50)};
    if (draw_once_in(random_, 8)) of.middle = timestamp_min;
    if (draw_once_in(random_, 8)) of.middle = timestamp_max;
    if (draw_once_in(random_, 8)) of.width = std::uint64_t{1} << 62;
    return of;
  }

  timestamp draw_time(const times& near) {
    if (draw_once_in(random_, 40)) return timestamp_max;
    if (draw_once_in(random_, 40)) return timestamp_min;
    const duration away{static_cast<std::int64_t>(draw_below(random_, near.width))};
    return draw_once_in(random_, 2) ? saturating_add(near.middle, away)
                                    : saturating_subtract(near.middle, away);
  }

  static std::string text(timestamp at) {
    return fmt::format("{} us", at.time_since_epoch().count());
  }

  [[noreturn]] void fail(const std::string& found, const std::string& wanted) const {
    throw contract_violation(fmt::format("watermark generator '{}', case {} with seed {}: {}; {}",
                                         generator_.describe(), case_, options_.seed, found,
                                         wanted));
  }

  G generator_;
  MakeRecord make_record_;
  watermark_contract_options options_;
  contract_random random_;
  int case_ = 0;
};

/// For generators that look at event times only.
struct no_record {};

}  // namespace detail

/// Checks that `generator` keeps what `watermark_generator` promises for the records that
/// `make_record(contract_random&, timestamp at)` draws: usable and stable parameters; no promise
/// before the first record; a frontier that never goes back, at both ends of time, too; `observe`
/// returns false only for a promise that is ignored; what a split is promised depends on its own
/// records alone, and states survive their bytes at any moment. Throws `contract_violation`
/// otherwise.
/// \note How far a generator goes is its own business: test that beside this.
template <class G, class MakeRecord>
void check_watermark_generator(const G& generator, MakeRecord make_record,
                               watermark_contract_options options = {}) {
  static_assert(std::is_invocable_v<MakeRecord&, contract_random&, timestamp>,
                "freshet: check_watermark_generator needs a function (contract_random&, timestamp) "
                "that draws a record of that event time");
  using record = detail::drawn_record<MakeRecord>;
  static_assert(watermark_generator_of<G, record> && checkpointable<typename G::state>,
                "freshet: check_watermark_generator needs a watermark generator for these records; "
                "give it a checkpointable state, observe, frontier, describe, and check as "
                "freshet/window/watermark.hpp says");
  detail::watermark_contract<G, MakeRecord>(generator, std::move(make_record), options).run();
}

/// The same for generators that look at event times only.
template <class G>
void check_watermark_generator(const G& generator, watermark_contract_options options = {}) {
  check_watermark_generator(
      generator, [](contract_random&, timestamp) { return detail::no_record{}; }, options);
}

}  // namespace freshet
