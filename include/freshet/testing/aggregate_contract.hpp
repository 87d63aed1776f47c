// check_aggregate: the promises of an aggregate, checked on seeded rows.
//
// For one's own tests: a call that returns is a test that passed; see contract.hpp. One thread, no
// clock, memory for the rows of one case.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/testing/contract.hpp>

#include <fmt/core.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// Options of `check_aggregate`.
struct aggregate_contract_options {
  std::uint64_t seed = 1;
  int cases = 1000;
  std::size_t rows_max = 40;  ///< Each case has between none and so many rows.
  /// How far floating point results of one set of rows may lie apart, relative to the larger. 0
  /// asks for equal bits, which is right for all that does not round.
  double tolerance = 0;
  /// Whether `subtract` is checked, where there is one. Where sums round, rows of very different
  /// sizes, or that are not finite, are no fair input to that.
  bool subtract = true;
};

namespace detail {

template <class A, class MakeRow>
class aggregate_contract {
 public:
  using row = std::remove_cvref_t<std::invoke_result_t<MakeRow&, contract_random&>>;
  using state = aggregate_state<A, row>;
  using result = aggregate_result<A, row>;

  aggregate_contract(A aggregate, MakeRow make_row, aggregate_contract_options options)
      : aggregate_(std::move(aggregate)),
        make_row_(std::move(make_row)),
        options_(options),
        random_(options.seed) {}

  void run() {
    for (case_ = 1; case_ <= options_.cases; ++case_) check_case();
  }

 private:
  struct record {
    order_key key;
    row value;
  };

  void check_case() {
    std::vector<record> records = draw_records();
    const state whole = fold(records);
    const result wanted = aggregate_.result(whole);
    require_same(aggregate_.result(whole), wanted, 0, "result(state), asked again,",
                 "result must not depend on anything but the state");
    check_bytes(records, whole);

    shuffle(records);
    require_same(aggregate_.result(fold(records)), wanted, options_.tolerance,
                 "adding the rows in another order",
                 "take order from the order key, never from arrival");
    check_empty_merges(whole);
    require_same(aggregate_.result(merge_all(split(records))), wanted, options_.tolerance,
                 "merging partial states",
                 "merge must be associative and commutative, and agree with add");
    if constexpr (retractable_aggregate<A, row>) {
      if (options_.subtract) check_subtract(records);
    }
    if constexpr (requires(state& from) { aggregate_.unmerge(from, whole); }) {
      if (!records.empty()) check_unmerge(records);
    }
  }

  // What was added and taken back, in any order and from whatever state, leaves no trace.
  void check_subtract(const std::vector<record>& records) {
    if (records.empty()) return;
    const std::size_t kept = 1 + draw_below(random_, records.size());
    const std::vector<record> rest(records.begin(),
                                   records.begin() + static_cast<std::ptrdiff_t>(kept));
    std::vector<record> taken_back(records.begin() + static_cast<std::ptrdiff_t>(kept),
                                   records.end());
    state to = merge_all(split(records));
    shuffle(taken_back);
    for (const record& each : taken_back) {
      aggregate_.subtract(to, each.value);
      if (draw_once_in(random_, 8)) to = restored(to);
    }
    require_same(aggregate_.result(to), aggregate_.result(fold(rest)), options_.tolerance,
                 "taking rows back", "subtract must undo add, also from merged states");
  }

  void check_unmerge(const std::vector<record>& records) {
    state stays;
    state goes;
    add(stays, records.front());
    for (std::size_t i = 1; i < records.size(); ++i) {
      add(draw_once_in(random_, 2) ? stays : goes, records[i]);
    }
    state both = stays;
    aggregate_.merge(both, goes);
    aggregate_.unmerge(both, goes);
    require_same(aggregate_.result(both), aggregate_.result(stays), 0,
                 "taking back a state that was merged",
                 "offer unmerge only where nothing is rounded or forgotten");
  }

  // States outlive the process as bytes, and whatever is added afterwards must not notice.
  void check_bytes(const std::vector<record>& records, const state& whole) {
    require_same(aggregate_.result(restored(whole)), aggregate_.result(whole), 0,
                 "the state, restored from its bytes,", every_member);
    const std::size_t half = records.size() / 2;
    state resumed;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (i == half) resumed = restored(resumed);
      add(resumed, records[i]);
    }
    require_same(aggregate_.result(resumed), aggregate_.result(whole), 0,
                 "adding to a state restored from its bytes", every_member);
  }

  void check_empty_merges(const state& whole) {
    const result wanted = aggregate_.result(whole);
    state into = whole;
    aggregate_.merge(into, state{});
    require_same(aggregate_.result(into), wanted, options_.tolerance,
                 "merging no rows into the state", neutral);
    state from_nothing{};
    aggregate_.merge(from_nothing, whole);
    require_same(aggregate_.result(from_nothing), wanted, options_.tolerance,
                 "merging the state into one without rows", neutral);
  }

  state restored(const state& of) {
    const std::string bytes = to_bytes(of);
    auto read = from_bytes<state>(bytes);
    if (!read.ok()) fail("its own bytes cannot be read: " + std::string(read.status().message()));
    if (to_bytes(*read) != bytes)
      fail("a state restored from its bytes has others; " + every_member);
    return std::move(*read);
  }

  std::vector<state> split(const std::vector<record>& records) {
    // More parts than rows are fine: some then have none.
    std::vector<state> parts(1 + draw_below(random_, 6));
    for (const record& each : records) add(parts[draw_below(random_, parts.size())], each);
    for (state& part : parts) {
      if (draw_once_in(random_, 4)) part = restored(part);
    }
    return parts;
  }

  // Merges any two of the parts until one is left: a random tree, in random directions.
  state merge_all(std::vector<state> parts) {
    while (parts.size() > 1) {
      const std::size_t into = draw_below(random_, parts.size() - 1);
      std::swap(parts[draw_below(random_, parts.size())], parts.back());
      const std::string before = to_bytes(parts.back());
      aggregate_.merge(parts[into], std::as_const(parts).back());
      if (to_bytes(parts.back()) != before) {
        fail("merging changed the state it merged from; states must not share anything");
      }
      parts.pop_back();
    }
    return std::move(parts.front());
  }

  state fold(const std::vector<record>& records) {
    state to;
    for (const record& each : records) add(to, each);
    return to;
  }

  void add(state& to, const record& each) { aggregate_add(aggregate_, to, each.value, each.key); }

  std::vector<record> draw_records() {
    std::vector<record> records;
    const std::size_t rows = draw_below(random_, options_.rows_max + 1);
    // Few different times, so that many are equal and the position decides.
    const timestamp from{duration{draw_any_size(random_)}};
    for (std::size_t i = 0; i < rows; ++i) {
      const duration later{static_cast<std::int64_t>(draw_below(random_, 8))};
      const auto split = static_cast<std::uint32_t>(draw_below(random_, 3));
      const auto fanout = static_cast<std::uint32_t>(draw_below(random_, 2));
      records.push_back({{saturating_add(from, later), {i, split, fanout}}, make_row_(random_)});
    }
    shuffle(records);
    return records;
  }

  void shuffle(std::vector<record>& records) {
    for (std::size_t i = records.size(); i > 1; --i) {
      std::swap(records[i - 1], records[draw_below(random_, i)]);
    }
  }

  void require_same(const result& found, const result& wanted, double tolerance,
                    std::string_view what, const std::string& advice) const {
    if (same_within(found, wanted, tolerance)) return;
    fail(fmt::format("{} gave {}, wanted {} as before; {}", what, text_of(found), text_of(wanted),
                     advice));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw contract_violation(fmt::format("aggregate '{}', case {} with seed {}: {}",
                                         std::string(aggregate_.name), case_, options_.seed, what));
  }

  const std::string every_member = "all that matters must be in the state, and in its description";
  const std::string neutral =
      "a default state stands for no rows, and merging it must change nothing";

  A aggregate_;
  MakeRow make_row_;
  aggregate_contract_options options_;
  contract_random random_;
  int case_ = 0;
};

}  // namespace detail

/// Checks that `aggregate` keeps what `aggregate_of` promises over the rows that
/// `make_row(contract_random&)` draws: every order of adding, every split into partial states,
/// merged in any order and any shape, gives the same result; a state without rows is neutral;
/// merging leaves the other state alone; states survive their bytes at any moment; rows that are
/// taken back, where the aggregate can, leave no trace as long as one is left, and neither does a
/// state that was merged and unmerged. Throws `contract_violation` otherwise.
/// \note Which result is right is the aggregate's own business: test it beside this.
/// \note With a tolerance, rows whose sum nearly cancels are no fair input.
/// \cost A few times `rows_max` rows per case.
template <class A, std::invocable<contract_random&> MakeRow>
void check_aggregate(const A& aggregate, MakeRow make_row,
                     aggregate_contract_options options = {}) {
  using row = std::remove_cvref_t<std::invoke_result_t<MakeRow&, contract_random&>>;
  if constexpr (require_aggregate<A, row>()) {
    detail::aggregate_contract<A, MakeRow>(aggregate, std::move(make_row), options).run();
  }
}

}  // namespace freshet
