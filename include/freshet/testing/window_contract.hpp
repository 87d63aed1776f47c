// check_window_assigner: the promises of a window assigner, checked on seeded event times.
//
// For one's own tests: a call that returns is a test that passed; see contract.hpp. One thread, no
// clock, memory for the spans of one event time. For assigners that see the record, give a function
// that draws records, too.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/testing/contract.hpp>
#include <freshet/window/assigner.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

/// Options of `check_window_assigner`.
struct window_contract_options {
  std::uint64_t seed = 1;
  int cases = 1000;  ///< Event times drawn; around each, some more are tried.
};

namespace detail {

/// `T`: the records, or `std::monostate` for an assigner that does not look at them.
template <class A, class T>
class window_contract {
 public:
  using draw_record = std::function<T(contract_random&)>;

  window_contract(A assigner, draw_record draw, window_contract_options options)
      : assigner_(std::move(assigner)),
        options_(options),
        random_(options.seed),
        draw_(std::move(draw)),
        record_(draw_(random_)) {}

  void run() {
    check_description();
    for (const timestamp at : {timestamp_min, timestamp_min + duration{1}, timestamp{},
                               timestamp_max - duration{1}, timestamp_max}) {
      check_time(at);
    }
    for (case_ = 1; case_ <= options_.cases; ++case_) {
      record_ = draw_(random_);
      check_time(draw_time());
    }
  }

 private:
  using spans = std::vector<window_span>;

  void check_description() {
    const std::string found = assigner_.check();
    require(found.empty(), "check() found: " + found,
            "wanted usable parameters; give the contract an assigner that `window` accepts");
    const std::string described = assigner_.describe();
    require(!described.empty(), "describe() gave nothing",
            "wanted the parameters as text, because it tells changed windows from equal ones");
    require(described == A(assigner_).describe(), "describe() of a copy differs",
            "wanted '" + described + "'; it may depend on the parameters only");
  }

  void check_time(timestamp at) {
    const spans given = assign(at);
    if constexpr (A::merges) {
      const bool may_refuse = !std::is_same_v<T, std::monostate>;
      require(given.size() == 1 || (may_refuse && given.empty()),
              fmt::format("{} spans for {}", given.size(), text(at)),
              "wanted exactly one, because a merging assigner's spans grow into one window");
    }
    for (const window_span& span : given) {
      require(contains(span, at), text(span) + " for " + text(at),
              "wanted begin <= at < end, or end at the end of time; use saturating arithmetic and "
              "floor-modulo");
    }
    spans sorted = given;
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end())
      fail(text(*twice) + " twice for " + text(at), "wanted each span once");
    require(assign(at) == given && assign(at, A(assigner_)) == given,
            "other spans for " + text(at) + " when asked again",
            "wanted the same; assign may depend on the event time alone, and on the record");
    if constexpr (A::merges) {
      check_reach(given);
    } else {
      check_neighbours(at, given);
    }
    check_partition(at, given);
    if (!given.empty()) seen_ = given[draw_below(random_, given.size())];
  }

  // A window is a set of event times: whoever lies inside it is assigned to it, once.
  void check_neighbours(timestamp at, const spans& given) {
    constexpr std::size_t spans_tried = 4;
    for (std::size_t i = 0; i < std::min(given.size(), spans_tried); ++i) {
      const window_span& span = given[draw_below(random_, given.size())];
      for (const timestamp inside :
           {span.begin, saturating_subtract(span.end, duration{1}), draw_inside(span)}) {
        if (!contains(span, inside)) continue;
        const spans beside = assign(inside);
        require(std::count(beside.begin(), beside.end(), span) == 1,
                text(span) + ", given for " + text(at) + ", is missing for " + text(inside),
                "wanted it for every event time inside it, once; align spans to the epoch and an "
                "offset, not to the record");
      }
    }
  }

  // A session that has ended may be closed: what comes after its end cannot belong to it.
  void check_reach(const spans& given) {
    for (const window_span& span : given) {
      if (span.end == timestamp_max) continue;
      const duration later{static_cast<std::int64_t>(draw_below(random_, 5))};
      const T record = std::exchange(record_, draw_(random_));
      const timestamp after = saturating_add(span.end, later);
      for (const window_span& next : assign(after)) {
        require(next.begin >= span.end, text(next) + " for " + text(after),
                "wanted a span that does not reach back over " + text(span) +
                    ", which ended before and may be closed; begin no earlier than the record");
      }
      record_ = record;
    }
  }

  // Spans of a partition follow each other without gap.
  void check_partition(timestamp at, const spans& given) {
    if constexpr (requires { A::partitions; }) {
      if (!A::partitions) return;
      require(!A::merges, "both merges and partitions",
              "wanted one of them, because the spans of a partition do not overlap");
      require(given.size() == 1, fmt::format("{} spans for {}", given.size(), text(at)),
              "wanted exactly one, because the assigner says that it partitions time");
      const window_span& span = given.front();
      if (span.begin > timestamp_min) {
        const timestamp before = saturating_subtract(span.begin, duration{1});
        require(assign(before) != given && assign(before).front().end == span.begin,
                text(assign(before).front()) + " for " + text(before) + ", before " + text(span),
                "wanted a span that ends where the next one begins, or no `partitions`");
      }
    }
  }

  timestamp draw_time() {
    const std::uint64_t kind = draw_below(random_, 4);
    const duration little{static_cast<std::int64_t>(draw_below(random_, 5)) - 2};
    if (kind == 0) return saturating_add(seen_.begin, little);
    if (kind == 1) return saturating_add(seen_.end, little);
    if (kind == 2) return timestamp{duration{draw_any_size(random_)}};
    return timestamp{duration{static_cast<std::int64_t>(random_())}};
  }

  timestamp draw_inside(const window_span& span) {
    const auto length = static_cast<std::uint64_t>(span.end.time_since_epoch().count()) -
                        static_cast<std::uint64_t>(span.begin.time_since_epoch().count());
    if (length == 0) return span.begin;
    const std::uint64_t into = draw_below(random_, length);
    return timestamp{duration{static_cast<std::int64_t>(
        static_cast<std::uint64_t>(span.begin.time_since_epoch().count()) + into)}};
  }

  spans assign(timestamp at) { return assign(at, assigner_); }

  spans assign(timestamp at, const A& assigner) {
    // A span that no assigner gives stands in front, because `assign` must append.
    const window_span before{timestamp_max, timestamp_min};
    spans out{before};
    assign_record(assigner, at, record_, out);
    require(!out.empty() && out.front() == before,
            "the spans before those for " + text(at) + " are gone",
            "wanted assign to append to the vector");
    out.erase(out.begin());
    return out;
  }

  static bool contains(const window_span& span, timestamp at) {
    return span.begin <= at && (at < span.end || span.end == timestamp_max);
  }

  static std::string text(timestamp at) {
    return fmt::format("{} us", at.time_since_epoch().count());
  }
  static std::string text(const window_span& span) {
    return fmt::format("[{}, {}) us", span.begin.time_since_epoch().count(),
                       span.end.time_since_epoch().count());
  }

  void require(bool held, const std::string& found, const std::string& wanted) const {
    if (!held) fail(found, wanted);
  }

  [[noreturn]] void fail(const std::string& found, const std::string& wanted) const {
    throw contract_violation(fmt::format("window assigner '{}', case {} with seed {}: {}; {}",
                                         assigner_.describe(), case_, options_.seed, found,
                                         wanted));
  }

  A assigner_;
  window_contract_options options_;
  contract_random random_;
  draw_record draw_;
  T record_;
  window_span seen_{timestamp{}, timestamp{}};  ///< The boundaries that times are drawn around.
  int case_ = 0;                                ///< 0 stands for the fixed cases.
};

}  // namespace detail

/// Checks that `assigner` keeps what `window_assigner` promises: usable and stable parameters;
/// every span holds its event time and is given once, for every event time inside it; spans depend
/// on the event time alone; assigning appends; exactly one span where spans merge, which does not
/// reach back over one that has ended; no gap and no overlap where the assigner says that it
/// partitions time; and all that at both ends of time. Throws `contract_violation` otherwise.
/// \note Which spans are right is the assigner's own business: test them beside this.
/// \cost About nine calls of `assign` per case.
template <class A>
void check_window_assigner(const A& assigner, window_contract_options options = {}) {
  static_assert(window_assigner<A>,
                "freshet: check_window_assigner needs a window assigner; give it assign, merges, "
                "describe, and check as freshet/window/assigner.hpp says, and where it assigns by "
                "the record, a function (contract_random&) that draws records");
  if constexpr (window_assigner<A>) {
    const auto nothing = [](contract_random&) { return std::monostate{}; };
    detail::window_contract<A, std::monostate>(assigner, nothing, options).run();
  }
}

/// The same for an assigner that sees the record: `draw(random)` gives one. Spans depend on event
/// time and record alone, and a record may have no span even where spans merge.
template <class A, class Draw>
  requires std::is_invocable_v<Draw&, contract_random&>
void check_window_assigner(const A& assigner, Draw draw, window_contract_options options = {}) {
  using record = std::remove_cvref_t<std::invoke_result_t<Draw&, contract_random&>>;
  static_assert(window_assigner_of<A, record>,
                "freshet: check_window_assigner needs a window assigner for the records that are "
                "drawn; give it assign, merges, describe, and check as "
                "freshet/window/assigner.hpp says");
  if constexpr (window_assigner_of<A, record>) {
    detail::window_contract<A, record>(assigner, std::move(draw), options).run();
  }
}

}  // namespace freshet
