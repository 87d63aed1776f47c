// top_n against definitions: rank everything, keep what ranks well enough.
#include "relational/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/top_n.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

template <class When>
auto ranked_by(std::size_t n, When when, fr::top_n_options options = {}) {
  return [=](const auto& keyed) { return keyed | fr::top_n("t", n, &event::value, when, options); };
}

/// The best `n` of some records of one key, with their ranks.
rows_of_text ranked_rows(std::vector<logged> of, std::size_t n, fr::top_n_options options) {
  rows_of_text rows;
  std::sort(of.begin(), of.end(), [&](const logged& a, const logged& b) {
    const std::int64_t sign = options.smallest ? 1 : -1;
    return std::tuple(sign * a.value.value, a.order) < std::tuple(sign * b.value.value, b.order);
  });
  for (std::size_t i = 0; i < of.size(); ++i) {
    std::set<std::int64_t> different;
    std::size_t greater = 0;
    for (const logged& each : of) {
      const bool before = options.smallest ? each.value.value < of[i].value.value
                                           : each.value.value > of[i].value.value;
      if (!before) continue;
      ++greater;
      different.insert(each.value.value);
    }
    std::size_t rank = i + 1;
    if (options.ranks == fr::ranking::rank) rank = greater + 1;
    if (options.ranks == fr::ranking::dense_rank) rank = different.size() + 1;
    if (rank <= n) rows.push_back(row_text(of[i].value) + "|" + std::to_string(rank));
  }
  return rows;
}

rows_of_text table(const log_case& of, std::size_t n, fr::top_n_options options) {
  std::map<std::string, std::vector<logged>> keys;
  for (const logged& each : turns_of(of)) keys[each.value.key].push_back(each);
  rows_of_text rows;
  for (const auto& [key, records] : keys) {
    const rows_of_text mine = ranked_rows(records, n, options);
    rows.insert(rows.end(), mine.begin(), mine.end());
  }
  return rows;
}

constexpr fr::ranking rankings[] = {fr::ranking::row_number, fr::ranking::rank,
                                    fr::ranking::dense_rank};

}  // namespace

TEST_CASE("the final ranks are those of all records of a key", "[relational][top_n]") {
  for (const fr::ranking ranks : rankings) {
    for (const std::size_t n : {1U, 2U, 5U}) {
      const fr::top_n_options options{ranks, n == 2};
      compare_final(21, 15, ranked_by(n, fr::emit_final{}, options), [&](const log_case& of) {
        rows_of_text rows = table(of, n, options);
        for (auto& each : rows) each += "@" + cell_text(fr::timestamp_max - fr::duration{1});
        return rows;
      });
    }
  }
}

TEST_CASE("changes of ranks lead to the ranks of all records", "[relational][top_n]") {
  for (const fr::ranking ranks : rankings) {
    for (const std::size_t n : {1U, 3U}) {
      const fr::top_n_options options{ranks, n == 3};
      compare_tables(22, 15, 1, ranked_by(n, fr::emit_changes{.retract = true}, options),
                     [&](const log_case& of) { return table(of, n, options); });
    }
  }
}

TEST_CASE("as upserts, ranked rows take the place of the one of their rank",
          "[relational][top_n]") {
  const auto add = [](const auto& keyed) {
    using row = fr::change<fr::ranked<event>>;
    // Key and rank first, so that the table can tell by which cells rows replace each other.
    return keyed | fr::top_n("t", 3, &event::value, fr::emit_changes{}) |
           fr::map([](const row& each) {
             return each.key + std::to_string(each.rank) + "|" + row_text(each);
           });
  };
  compare_tables(23, 30, 1, add, [](const log_case& of) {
    rows_of_text rows = table(of, 3, {});
    for (std::string& each : rows) {
      each = each.substr(0, 1) + each.substr(each.rfind('|') + 1) + "|" + each;
    }
    return rows;
  });
}

TEST_CASE("keyed by the end of their window, rows are ranked when the window fires",
          "[relational][top_n]") {
  const auto add = [](const auto& keyed) {
    using counted = fr::window_row<std::string, std::uint64_t>;
    const auto counts =
        keyed | fr::window(fr::tumbling{ticks_long(10)}) | fr::aggregate("counts", fr::count("n"));
    return counts | fr::key_by([](const counted& each) { return each.window.end; }) |
           fr::top_n("t", 1, [](const counted& each) { return std::get<0>(each.values); },
                     fr::emit_complete{fr::duration{0}}, {.ranks = fr::ranking::rank});
  };
  compare_final(24, 30, add, [](const log_case& of) {
    std::map<fr::timestamp, std::map<std::string, std::uint64_t>> windows;
    for (const logged& each : turns_of(of)) {
      const auto ticks = each.value.at.time_since_epoch().count();
      const fr::timestamp end = tick((ticks - (ticks % 10 + 10) % 10) + 10);
      if (end > each.entry) ++windows[end][each.value.key];
    }
    rows_of_text rows;
    for (const auto& [end, counts] : windows) {
      std::uint64_t most = 0;
      for (const auto& [key, count] : counts) most = std::max(most, count);
      for (const auto& [key, count] : counts) {
        if (count < most) continue;
        rows.push_back(key + "|" + cell_text(end - ticks_long(10)) + "|" + cell_text(end) + "|" +
                       std::to_string(count) + "|1@" + cell_text(end - fr::duration{1}));
      }
    }
    return rows;
  });
}

TEST_CASE("ranked records that are damaged are refused", "[relational][top_n]") {
  using records = fr::detail::ranked_records<std::int64_t>;
  records whole;
  for (std::int64_t i = 0; i < 3; ++i) whole.insert(0, {tick(i), {}}, i, 3);
  whole.insert_over_last(0, {tick(9), {}}, 9);
  const std::string bytes = fr::to_bytes(whole);
  const auto read = fr::from_bytes<records>(bytes);
  REQUIRE(read.ok());
  REQUIRE(read->size() == 3);
  REQUIRE((*read)[0].value == 9);
  REQUIRE((*read)[2].value == 1);
  for (std::size_t at = bytes.size() - 12; at < bytes.size(); ++at) {
    std::string damaged = fr::to_bytes(whole);
    damaged[at] = static_cast<char>(damaged[at] + 1);
    INFO("byte " << at);
    REQUIRE_FALSE(fr::from_bytes<records>(damaged).ok());
  }
}
