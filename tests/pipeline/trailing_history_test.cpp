// What trailing keeps of one key, against folding everything again for every question.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/detail/trailing_history.hpp>
#include <freshet/pipeline/detail/trailing_items.hpp>

#include <bit>
#include <map>
#include <tuple>

namespace fr = freshet;
namespace frd = freshet::detail;
using namespace freshet::test;

namespace {

double third(const event& of) {
  return static_cast<double>(of.value) / 3;  // Sums of these depend on the order of adding.
}

using items =
    frd::trailing_items<event, fr::count_aggregate, fr::sum_aggregate<double (*)(const event&)>>;
using item = items::item;
using state = items::state;
constexpr std::size_t spans_max = 4;
using history = frd::trailing_history<items, spans_max>;

const items all_items{fr::count("n"), fr::sum("sum", &third)};

struct kept {
  std::int64_t at;
  item of;
};

/// The fold that the definition wants (block_folds.hpp): few from the last to the first, more down
/// and up from the boundary.
template <class Item, class Time, class Add>
state naive_fold(const std::vector<Item>& all, fr::timestamp boundary, Time time, Add add) {
  state down{};
  state up{};
  std::size_t left = 0;
  while (left < all.size() && (all.size() <= frd::few_items || time(all[left]) < boundary)) ++left;
  for (std::size_t i = left; i > 0; --i) add(down, all[i - 1]);
  for (std::size_t i = left; i < all.size(); ++i) add(up, all[i]);
  if (left == 0 && !all.empty()) return up;
  if (left < all.size()) all_items.merge(down, up);
  return down;
}

fr::timestamp floor_of(std::int64_t at, std::int64_t step) {
  return tick(at >= 0 ? at / step * step : -((-at + step - 1) / step) * step);
}

/// `sorted`: all records so far, by time, equal times in the order in which they came.
state naive(const std::vector<kept>& sorted, const fr::trailing_span& span, std::int64_t at) {
  const std::int64_t length = span.length.count();
  const auto add_record = [](state& to, const kept& each) { all_items.add(to, each.of); };
  const auto add_pane = [](state& to, const auto& each) { all_items.merge(to, each.second); };
  const auto time = [](const kept& each) { return tick(each.at); };
  std::vector<kept> open;
  if (span.resolution == fr::duration{0}) {
    for (const kept& each : sorted) {
      if (each.at >= at - length && each.at < at) open.push_back(each);
    }
    return naive_fold(open, floor_of(at, length), time, add_record);
  }
  const std::int64_t width = span.resolution.count();
  std::map<fr::timestamp, state> panes;
  for (const kept& each : sorted) {
    if (each.at >= at || tick(each.at) < floor_of(at - length, width)) continue;
    if (tick(each.at) >= floor_of(at, width)) {
      open.push_back(each);
    } else {
      all_items.add(panes[floor_of(each.at, width)], each.of);
    }
  }
  const std::vector<std::pair<fr::timestamp, state>> in_order(panes.begin(), panes.end());
  const fr::timestamp end = floor_of(at, width);
  state all = naive_fold(
      in_order, floor_of(end.time_since_epoch().count(), length / width * width),
      [](const auto& each) { return each.first; }, add_pane);
  all_items.merge(all, naive_fold(open, end, time, add_record));
  return all;
}

std::string text_of(const state& of) {
  const auto [count, sum] = all_items.result(of);
  return std::to_string(count) + " " + std::to_string(std::bit_cast<std::uint64_t>(sum));
}

/// A history, and everything that went into it.
struct under_test {
  frd::block_pool pool;
  std::vector<fr::trailing_span> spans;
  fr::trailing_options options;
  frd::trailing_plan plan{spans, options};
  std::unique_ptr<history> of_key = std::make_unique<history>(pool);
  std::vector<kept> all;

  under_test(std::vector<fr::trailing_span> of, std::int64_t lateness)
      : spans(std::move(of)), options{.allowed_lateness = ticks_long(lateness)} {}

  history::tools tools() { return {plan, all_items, pool}; }

  void insert(std::int64_t at, std::int64_t value, std::int64_t promised) {
    const item of = all_items.make({"a", value, tick(at)}, {});
    of_key->insert(tools(), {tick(at), {}}, of, tick(promised));
    const auto behind = std::upper_bound(all.begin(), all.end(), at,
                                         [](std::int64_t a, const kept& b) { return a < b.at; });
    all.insert(behind, {at, of});
  }

  void require_values(std::int64_t at) {
    for (std::size_t span = 0; span < spans.size(); ++span) {
      INFO("span " << span << " at " << at << " of " << all.size() << " records");
      const std::size_t end = of_key->end_before(tick(at));
      REQUIRE(text_of(of_key->fold(tools(), plan.spans()[span], tick(at), end)) ==
              text_of(naive(all, spans[span], at)));
    }
  }

  /// What a checkpoint would bring back at the frontier `promised`.
  void restore(std::int64_t promised) {
    auto fresh = std::make_unique<history>(pool);
    std::map<std::pair<fr::timestamp, std::uint32_t>, item> records;
    std::map<std::pair<std::size_t, fr::timestamp>, state> panes;
    of_key->take_unsaved(
        [&](const fr::order_key& order, std::uint32_t copy, const item& of) {
          saved_records.insert_or_assign({order.at, copy}, of);
        },
        [&](std::size_t resolution, fr::timestamp begin, const state& of) {
          saved_panes.insert_or_assign({resolution, begin}, of);
        });
    std::erase_if(saved_records, [&](const auto& each) {
      return plan.entry_expires_at(each.first.first) <= tick(promised);
    });
    for (const auto& [key, of] : saved_records) {
      REQUIRE(fresh->restore_record(tools(), {key.first, {}}, key.second, of));
    }
    for (const auto& [key, of] : saved_panes) {
      const auto& resolution = plan.resolutions()[key.first];
      if (plan.pane_expires_at(resolution, key.second) <= tick(promised)) continue;
      REQUIRE(fresh->restore_pane(tools(), key.first, key.second, of));
    }
    fresh->restored(tools(), tick(promised));
    of_key = std::move(fresh);
  }
  std::map<std::pair<fr::timestamp, std::uint32_t>, item> saved_records;
  std::map<std::pair<std::size_t, fr::timestamp>, state> saved_panes;
};

std::vector<fr::trailing_span> random_spans(std::mt19937_64& random) {
  std::vector<fr::trailing_span> spans;
  for (std::size_t i = 0; i < 1 + random() % spans_max; ++i) {
    const std::array<std::int64_t, 6> lengths = {3, 10, 40, 100, 250, 600};
    const std::array<std::int64_t, 6> widths = {0, 0, 0, 2, 7, 30};
    fr::trailing_span span(ticks_long(lengths[random() % lengths.size()]));
    const fr::duration width = ticks_long(widths[random() % widths.size()]);
    if (width < span.length) span.resolution = width;
    spans.push_back(span);
  }
  return spans;
}

}  // namespace

TEST_CASE("folds are those of the definition, to the last bit, whatever happened before",
          "[pipeline][trailing]") {
  std::mt19937_64 random(51);
  for (int round = 0; round < 150; ++round) {
    INFO("round " << round);
    const auto lateness = static_cast<std::int64_t>(random() % 3 == 0 ? random() % 150 : 0);
    const auto disorder = static_cast<std::int64_t>(random() % 2 == 0 ? random() % 60 : 0);
    under_test of(random_spans(random), lateness);
    const auto step_max = 1 + random() % 6;
    std::int64_t now = -300;
    for (int i = 0; i < 250; ++i) {
      now += static_cast<std::int64_t>(random() % step_max);
      if (random() % 60 == 0) now += static_cast<std::int64_t>(random() % 400);
      // All turns before `promised` have been; a record may be behind it by the lateness.
      const std::int64_t promised = now - disorder;
      const std::int64_t at =
          now - static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(disorder + 1)) -
          (lateness > 0 && random() % 4 == 0
               ? static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(lateness))
               : 0);
      if (at + lateness < promised) continue;
      of.require_values(at);
      of.insert(at, static_cast<std::int64_t>(random() % 1000), promised);
      if (random() % 8 == 0) of.of_key->advance(of.tools(), tick(promised));
      if (random() % 40 == 0) {
        of.of_key->advance(of.tools(), tick(promised));
        of.restore(promised);
      }
    }
  }
}

TEST_CASE("what no span can see is dropped, and then the key has expired", "[pipeline][trailing]") {
  under_test of({fr::trailing_span(ticks_long(100)),
                 fr::trailing_span(ticks_long(1000), {.resolution = ticks_long(50)})},
                0);
  for (std::int64_t at = 0; at < 10'000; ++at) {
    of.insert(at, 1, at);
    if (at % 50 == 0) of.of_key->advance(of.tools(), tick(at));
  }
  REQUIRE(of.of_key->size() >= 100);  // In reach of the exact span.
  REQUIRE(of.of_key->size() <= 300);  // These and those of the open pane, and as many again.
  REQUIRE(of.of_key->next_deadline(of.tools()) == tick(10'000));  // The last pane closes.
  REQUIRE(of.of_key->expires_at(of.tools()) == tick(11'000));
  of.of_key->advance(of.tools(), tick(10'200));
  REQUIRE(of.of_key->size() == 0);
  REQUIRE(of.of_key->expires_at(of.tools()) == tick(11'000));
}

TEST_CASE("searching near a place finds what a search of everything finds",
          "[pipeline][trailing]") {
  std::mt19937_64 random(52);
  for (int round = 0; round < 3000; ++round) {
    std::vector<fr::timestamp> times;
    for (std::size_t i = random() % 40; i > 0; --i) {
      times.push_back(tick(static_cast<std::int64_t>(random() % 30)));
    }
    std::sort(times.begin(), times.end());
    const fr::timestamp at = tick(static_cast<std::int64_t>(random() % 34) - 2);
    const auto wanted = std::lower_bound(times.begin(), times.end(), at) - times.begin();
    const auto time = [&](std::size_t i) { return times.at(i); };
    REQUIRE(frd::first_not_before(at, times.size(), random() % 45, time) ==
            static_cast<std::size_t>(wanted));
  }
}

TEST_CASE("a pool hands out blocks that hold what was asked for, and takes them again",
          "[pipeline][trailing]") {
  frd::block_pool pool;
  std::mt19937_64 random(53);
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (int i = 0; i < 4000; ++i) {
    if (random() % 3 != 0 || blocks.empty()) {
      const std::size_t bytes = random() % (random() % 20 == 0 ? 300'000 : 3000);
      auto* block = static_cast<unsigned char*>(pool.allocate(bytes));
      REQUIRE(frd::block_pool::rounded(bytes) >= bytes);
      REQUIRE(reinterpret_cast<std::uintptr_t>(block) % frd::cache_line_bytes == 0);
      std::fill_n(block, bytes, static_cast<unsigned char>(bytes));
      blocks.emplace_back(block, bytes);
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const auto [block, bytes] = blocks.back();
      REQUIRE(std::all_of(block, block + bytes, [bytes = bytes](unsigned char each) {
        return each == static_cast<unsigned char>(bytes);
      }));
      pool.free(block, bytes);
      blocks.pop_back();
    }
  }
  for (const auto& [block, bytes] : blocks) pool.free(block, bytes);
}
