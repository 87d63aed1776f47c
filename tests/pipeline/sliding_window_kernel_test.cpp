// The kernel that shares panes against the one that keeps a table per window, on seeded scripts of
// records, records behind their frontier, and watermarks; and against itself after a restart.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/sliding_window_kernel.hpp>
#include <freshet/window/sliding.hpp>

#include <bit>
#include <map>
#include <random>
#include <tuple>

using namespace freshet::test;
namespace fr = freshet;
namespace detail = freshet::detail;

namespace {

struct sale {
  std::uint64_t key = 0;
  std::int64_t pieces = 0;
  double price = 0;
};

/// A record on time, one behind `frontier`, or a watermark.
struct step {
  enum class kind { on_time, behind, watermark } what;
  sale value;
  fr::order_key order;
  fr::timestamp frontier;
};

/// Even keys and odd ones are of other key groups; some share a hash.
std::uint64_t hash_of(std::uint64_t key) {
  return (key % 2) << 63 | (key % 5 == 0 ? 7 : fr::stable_hash(key) >> 1);
}

using invertible =
    detail::aggregate_set<sale, fr::count_aggregate, decltype(fr::sum("", &sale::pieces))>;
using rounding =
    detail::aggregate_set<sale, fr::count_aggregate, decltype(fr::sum("", &sale::price)),
                          decltype(fr::max("", &sale::price))>;
static_assert(invertible::invertible && !rounding::invertible);

template <class Set>
Set aggregates() {
  if constexpr (Set::invertible) {
    return Set(fr::count("n"), fr::sum("pieces", &sale::pieces));
  } else {
    return Set(fr::count("n"), fr::sum("price", &sale::price), fr::max("most", &sale::price));
  }
}

/// Rows of state as a checkpoint keeps them.
struct stored_rows final : detail::state_writer, detail::state_reader {
  std::map<std::pair<std::uint64_t, std::string>, std::pair<fr::timestamp, std::string>> all;
  fr::timestamp frontier = fr::timestamp_min;
  fr::timestamp frontier_of_odd = fr::timestamp_min;

  void put(std::uint64_t hash, std::string_view key, fr::timestamp expires_at,
           std::string_view value) override {
    all[{hash, std::string(key)}] = {expires_at, std::string(value)};
  }
  void erase(std::uint64_t hash, std::string_view key) override {
    all.erase({hash, std::string(key)});
  }
  void summary(std::string, fr::timestamp) override {}
  std::vector<std::string_view> summaries() const override { return {}; }
  bool owns(std::uint64_t) const override { return true; }
  fr::timestamp frontier_of(std::uint64_t hash) const override {
    return hash >> 63 == 0 ? frontier : frontier_of_odd;
  }
  void rows(
      const std::function<void(std::uint64_t, std::string_view, std::string_view)>& row) override {
    for (const auto& [key, value] : all) {
      if (value.first > frontier_of(key.first)) row(key.first, key.second, value.second);
    }
  }
  void fail(std::string_view reason) const override {
    throw std::runtime_error(std::string(reason));
  }
};

/// A kernel with what it emits, as values whose floating parts are compared to the last bit.
template <class Kernel>
struct driven final : detail::inlet<typename Kernel::row> {
  using row = typename Kernel::row;

  template <class... Options>
  explicit driven(Options&&... options) : kernel(std::forward<Options>(options)...) {
    context.counters = &counters;
    out.attach(*this);
  }

  void consume(fr::batch<row>& some) override {
    for (const row& each : some.values) rows.push_back(comparable(each));
  }
  void signal(const detail::control&) override {}

  static auto comparable(const row& of) {
    const auto bits = [](const auto& value) { return std::bit_cast<std::uint64_t>(value); };
    return std::apply(
        [&](const auto&... values) {
          return std::tuple(of.key, of.window, static_cast<int>(of.pane.timing), of.pane.index,
                            bits(values)...);
        },
        of.values);
  }

  detail::late_outcome apply(const step& now) {
    const std::uint64_t hash = hash_of(now.value.key);
    detail::late_outcome outcome = detail::late_outcome::accepted;
    if (now.what == step::kind::on_time) {
      if (!kernel.add(hash, now.value.key, now.value, now.order))
        outcome = detail::late_outcome::unassigned;
    } else if (now.what == step::kind::behind) {
      outcome = kernel.add_behind(hash, now.value.key, now.value, now.order, now.frontier, to);
    } else {
      for (; !kernel.fire_until(now.frontier, to); ++slices) copy_some();
    }
    copy_some();
    to.flush();
    return outcome;
  }
  void copy_some() {
    std::size_t some = 3;
    kernel.continue_snapshot(some);
  }

  void finish_copying() {
    std::size_t all = std::numeric_limits<std::size_t>::max();
    while (!kernel.continue_snapshot(all)) {
    }
  }

  auto taken_from(std::size_t first) const {
    std::vector some(rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end());
    std::sort(some.begin(), some.end());
    return some;
  }
  auto taken() const { return taken_from(0); }
  auto read(std::uint64_t key) const {
    std::vector<row> all;
    kernel.read(hash_of(key), key, all);
    std::vector<decltype(comparable(all.front()))> read;
    for (const row& each : all) read.push_back(comparable(each));
    std::sort(read.begin(), read.end());
    return read;
  }

  Kernel kernel;
  detail::operator_counters counters;
  detail::operator_context context;
  detail::outlet<row> out;
  detail::row_collector<row> to{out, context};
  std::vector<decltype(comparable(std::declval<row>()))> rows;
  std::size_t slices = 0;  ///< How often a fire stopped before it was done.
};

template <class Set>
using by_panes = driven<detail::sliding_window_kernel<sale, std::uint64_t, Set>>;
template <class Set>
using by_windows = driven<detail::fixed_window_kernel<sale, std::uint64_t, fr::sliding, Set>>;

struct script {
  fr::sliding windows;
  fr::window_options options;
  std::vector<step> steps;
};

script random_script(std::mt19937_64& random, bool prices_round) {
  const auto pick = [&](std::initializer_list<std::int64_t> from) {
    return fr::duration{*(from.begin() + random() % from.size())};
  };
  script made;
  made.windows = {.size = pick({3, 10, 24, 60}), .slide = pick({1, 3, 7, 10, 40})};
  made.options.allowed_lateness = pick({0, 0, 5, 100});
  made.options.fire = random() % 2 == 0 ? fr::firing::on_time : fr::firing::at_close;
  fr::timestamp frontier = tick(0);
  made.steps.push_back({step::kind::watermark, {}, {}, frontier});
  const std::uint64_t keys = 1 + random() % 12;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::uint64_t what = random() % 10;
    const fr::duration by{static_cast<std::int64_t>(random() % (what == 0 ? 120 : 12))};
    if (what < 2) frontier += by;
    const auto price = static_cast<double>(random() % 1000);
    const sale value{random() % keys, static_cast<std::int64_t>(random() % 100) - 50,
                     prices_round ? price * 0.1 : price};
    const bool behind = what > 6 && by > fr::duration{0};
    const fr::order_key order{behind ? frontier - by : frontier + by, {i, 0, 0}};
    const auto kind = what < 2 ? step::kind::watermark
                      : behind ? step::kind::behind
                               : step::kind::on_time;
    made.steps.push_back({kind, value, order, frontier});
  }
  made.steps.push_back({step::kind::watermark, {}, {}, fr::timestamp_max});
  return made;
}

template <class Set>
void compare_with_tables_per_window(std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  std::size_t rows = 0;
  for (int round = 0; round < rounds; ++round) {
    const script of = random_script(random, false);
    INFO("seed " << seed << ", round " << round << ": " << of.windows.describe());
    by_panes<Set> panes(of.windows, of.options, aggregates<Set>());
    by_windows<Set> tables(of.windows, of.options, aggregates<Set>());
    for (const step& each : of.steps) {
      const auto found = panes.apply(each);
      REQUIRE(found == tables.apply(each));
      REQUIRE(panes.read(each.value.key) == tables.read(each.value.key));
    }
    const auto wanted = tables.taken();
    rows += wanted.size();
    REQUIRE(panes.taken() == wanted);
    REQUIRE(panes.kernel.size() == 0);
  }
  REQUIRE(rows > 1000);
}

/// One kernel, two that have half of the keys each, and one that goes on from a snapshot. All
/// floating sums are equal to the last bit.
template <class Set>
void compare_with_restarted(std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const script of = random_script(random, true);
    INFO("seed " << seed << ", round " << round << ": " << of.windows.describe());
    by_panes<Set> whole(of.windows, of.options, aggregates<Set>());
    by_panes<Set> even(of.windows, of.options, aggregates<Set>());
    by_panes<Set> odd(of.windows, of.options, aggregates<Set>());
    stored_rows stored;
    fr::timestamp done = fr::timestamp_min;
    std::size_t restart = 0;
    std::size_t rows_before = 0;
    for (std::size_t i = 0; i < of.steps.size(); ++i) {
      const step& now = of.steps[i];
      if (random() % 60 == 0) {
        whole.finish_copying();
        whole.kernel.snapshot(stored);
        stored.frontier = stored.frontier_of_odd = done;
        restart = i;
        rows_before = whole.rows.size();
      }
      whole.apply(now);
      if (now.what == step::kind::watermark || now.value.key % 2 == 0) even.apply(now);
      if (now.what == step::kind::watermark || now.value.key % 2 == 1) odd.apply(now);
      if (now.what == step::kind::watermark) done = now.frontier;
    }
    whole.finish_copying();
    by_panes<Set> restarted(of.windows, of.options, aggregates<Set>());
    restarted.kernel.restore(stored, stored.frontier);
    for (std::size_t i = restart; i < of.steps.size(); ++i) restarted.apply(of.steps[i]);
    REQUIRE(restarted.taken() == whole.taken_from(rows_before));

    auto halves = even.taken();
    for (auto& each : odd.taken()) halves.push_back(each);
    std::sort(halves.begin(), halves.end());
    REQUIRE(halves == whole.taken());
  }
}

/// Two kernels that have half of the keys each, one a watermark ahead of the other, and one that
/// goes on from both.
template <class Set>
void compare_with_merged(std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const script of = random_script(random, true);
    INFO("seed " << seed << ", round " << round << ": " << of.windows.describe());
    const auto apply = [](by_panes<Set>& to, const step& now, std::uint64_t rest) {
      if (now.what == step::kind::watermark || now.value.key % 2 == rest) to.apply(now);
    };
    by_panes<Set> even(of.windows, of.options, aggregates<Set>());
    by_panes<Set> odd(of.windows, of.options, aggregates<Set>());
    by_panes<Set> merged(of.windows, of.options, aggregates<Set>());
    const std::size_t merges_from = 50 + random() % 200;
    bool is_merged = false;
    std::size_t even_before = 0;
    std::size_t odd_before = 0;
    fr::timestamp done = tick(0);
    for (std::size_t i = 0; i < of.steps.size(); ++i) {
      const step& now = of.steps[i];
      if (i >= merges_from && !is_merged && now.what == step::kind::watermark) {
        stored_rows stored;
        stored.frontier = done;
        stored.frontier_of_odd = now.frontier;
        even.kernel.snapshot(stored);
        even.finish_copying();
        even_before = even.rows.size();
        odd.apply(now);
        odd.kernel.snapshot(stored);
        odd.finish_copying();
        odd_before = odd.rows.size();
        merged.kernel.restore(stored, now.frontier);
        is_merged = true;
      }
      apply(even, now, 0);
      apply(odd, now, 1);
      if (is_merged) merged.apply(now);
      if (now.what == step::kind::watermark) done = now.frontier;
    }
    auto wanted = even.taken_from(even_before);
    for (auto& each : odd.taken_from(odd_before)) wanted.push_back(each);
    std::sort(wanted.begin(), wanted.end());
    REQUIRE(merged.taken() == wanted);
  }
}

}  // namespace

TEST_CASE("case 109: windows made by subtracting panes are those with a table of their own",
          "[window][panes]") {
  compare_with_tables_per_window<invertible>(1, 400);
}

TEST_CASE("case 109: windows made by folding panes are those with a table of their own",
          "[window][panes]") {
  compare_with_tables_per_window<rounding>(2, 400);
}

TEST_CASE("windows made of panes do not depend on parallelism or restarts, to the last bit",
          "[window][panes]") {
  compare_with_restarted<invertible>(3, 200);
  compare_with_restarted<rounding>(4, 200);
}

TEST_CASE("windows made of panes go on from instances with other watermarks", "[window][panes]") {
  compare_with_merged<invertible>(6, 200);
  compare_with_merged<rounding>(7, 200);
}

TEST_CASE("windows with more keys than a slice has rows fire in slices", "[window][panes]") {
  const fr::sliding windows{.size = fr::duration{10}, .slide = fr::duration{4}};
  by_panes<rounding> panes(windows, fr::window_options{}, aggregates<rounding>());
  by_windows<rounding> tables(windows, fr::window_options{}, aggregates<rounding>());
  std::mt19937_64 random(5);
  for (std::uint64_t i = 0; i < 60'000; ++i) {
    const sale value{random() % 9000, 1, static_cast<double>(random() % 1000)};
    const step record{step::kind::on_time,
                      value,
                      {tick(static_cast<std::int64_t>(i / 1000)), {i, 0, 0}},
                      fr::timestamp_min};
    panes.apply(record);
    tables.apply(record);
  }
  const step end{step::kind::watermark, {}, {}, fr::timestamp_max};
  panes.apply(end);
  tables.apply(end);
  REQUIRE(panes.slices > 15);
  REQUIRE(panes.taken() == tables.taken());
}
