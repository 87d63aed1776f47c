// The buffer that brings records into the order of their turns, against sorting them all.
#include "pipeline/support.hpp"

#include <freshet/pipeline/detail/ordered_buffer.hpp>

#include <map>
#include <tuple>

namespace fr = freshet;
using namespace freshet::test;

namespace {

using buffer = fr::detail::ordered_buffer<std::int64_t>;
using record = fr::detail::turn_record<std::int64_t>;

/// State rows in memory, as a checkpoint that forgets what has expired keeps them.
struct saved_rows final : fr::detail::state_writer, fr::detail::state_reader {
  struct saved_row {
    fr::timestamp expires_at;
    std::string value;
  };
  std::map<std::pair<std::uint64_t, std::string>, saved_row> all;
  std::size_t puts = 0;

  void put(std::uint64_t hash, std::string_view key, fr::timestamp expires_at,
           std::string_view value) override {
    ++puts;
    all.insert_or_assign({hash, std::string(key)}, saved_row{expires_at, std::string(value)});
  }
  void erase(std::uint64_t hash, std::string_view key) override {
    all.erase({hash, std::string(key)});
  }
  void summary(std::string, fr::timestamp) override {}
  std::vector<std::string_view> summaries() const override { return {{}}; }
  bool owns(std::uint64_t) const override { return true; }
  fr::timestamp frontier_of(std::uint64_t) const override { return fr::timestamp_min; }
  void rows(
      const std::function<void(std::uint64_t, std::string_view, std::string_view)>& row) override {
    for (const auto& [key, each] : all) row(key.first, key.second, each.value);
  }
  [[noreturn]] void fail(std::string_view reason) const override {
    throw std::runtime_error(std::string(reason));
  }

  /// A whole snapshot.
  void save(buffer& of) {
    of.snapshot(*this);
    for (bool complete = false; !complete;) {
      std::size_t rows = 3;
      complete = of.continue_snapshot(rows);
    }
  }

  buffer restored(fr::timestamp frontier) {
    std::erase_if(all, [&](const auto& each) { return each.second.expires_at <= frontier; });
    buffer fresh('b');
    rows([&](std::uint64_t hash, std::string_view key, std::string_view value) {
      REQUIRE(fresh.owns(key));
      fresh.restore_row(hash, key, value, *this);
    });
    fresh.restored();
    return fresh;
  }
};

/// Records of several splits with frontiers of their own, as `event_time` marks them.
struct stream_of_batches {
  std::mt19937_64 random;
  std::vector<fr::timestamp> frontiers;
  std::vector<std::uint64_t> sequences;
  std::int64_t disorder = 0;
  std::int64_t number = 0;

  fr::timestamp frontier() const { return *std::min_element(frontiers.begin(), frontiers.end()); }

  fr::batch<std::int64_t> next(std::vector<record>& into) {
    fr::batch<std::int64_t> rows;
    const auto split = static_cast<std::uint32_t>(random() % frontiers.size());
    for (std::size_t count = random() % 20; count > 0; --count) {
      const fr::timestamp at = tick(number / 4 - static_cast<std::int64_t>(random() % 9));
      const bool behind = at < frontiers[split];
      if (behind) {
        rows.behind.push_back({static_cast<std::uint32_t>(rows.size()), frontiers[split]});
      }
      // One record in ten is there twice, as in a stream that is merged with itself.
      if (sequences[split] == 0 || random() % 10 != 0) ++sequences[split];
      rows.positions.push_back({sequences[split], split, 0});
      rows.times.push_back(at);
      rows.hashes.push_back(random() % 3);
      rows.values.push_back(++number);
      into.push_back({at, behind ? frontiers[split] : at, behind, rows.positions.back(),
                      rows.hashes.back(), number});
      frontiers[split] =
          std::max(frontiers[split], fr::saturating_subtract(at, ticks_long(disorder)));
    }
    return rows;
  }
};

bool in_turn(const record& a, const record& b) {
  return std::tuple(a.turn, !a.behind, a.where) < std::tuple(b.turn, !b.behind, b.where);
}

}  // namespace

TEST_CASE("records leave the buffer in the order of their turns, however they came",
          "[pipeline][ordered_buffer]") {
  std::mt19937_64 random(31);
  for (int round = 0; round < 300; ++round) {
    INFO("round " << round);
    stream_of_batches from{std::mt19937_64(random()), {}, {}, 0};
    const bool single_split = random() % 2 == 0;
    from.frontiers.assign(single_split ? 1 : 1 + random() % 3, fr::timestamp_min);
    from.sequences.assign(from.frontiers.size(), 0);
    from.disorder = static_cast<std::int64_t>(random() % 12);
    std::vector<record> all;
    std::vector<record> found;
    saved_rows checkpoint;
    buffer waiting('b');
    fr::timestamp frontier = fr::timestamp_min;
    const auto release = [&] {
      while (const record* next = waiting.next(frontier, single_split)) found.push_back(*next);
    };
    for (int batch = 0; batch < 40; ++batch) {
      fr::batch<std::int64_t> rows = from.next(all);
      REQUIRE(waiting.take(rows, frontier) == 0);
      if (random() % 3 == 0) {
        checkpoint.save(waiting);
        if (random() % 2 == 0) waiting = checkpoint.restored(frontier);
      }
      frontier = from.frontier();
      release();
      REQUIRE(waiting.size() == all.size() - found.size());
    }
    frontier = fr::timestamp_max;
    release();
    REQUIRE(waiting.empty());
    REQUIRE(checkpoint.puts <= all.size());
    std::stable_sort(all.begin(), all.end(), in_turn);
    REQUIRE(found.size() == all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      INFO("record " << i);
      REQUIRE(found[i].value == all[i].value);
      REQUIRE(found[i].order() == all[i].order());
      REQUIRE(found[i].behind == all[i].behind);
    }
  }
}

TEST_CASE("a record leaves the buffer with the first watermark that settles its turn",
          "[pipeline][ordered_buffer]") {
  fr::batch<std::int64_t> rows;
  rows.values = {1, 2, 3};
  rows.times = {tick(10), tick(7), tick(12)};
  rows.positions = {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}};
  rows.hashes = {0, 0, 0};
  rows.behind = {{1, tick(10)}};  // 7 is behind the frontier 10.
  const auto released_at = [&](std::int64_t frontier, bool single_split) {
    buffer waiting('b');
    REQUIRE(waiting.take(std::as_const(rows), fr::timestamp_min) == 0);
    std::vector<std::int64_t> values;
    while (const record* next = waiting.next(tick(frontier), single_split)) {
      values.push_back(next->value);
    }
    return values;
  };
  REQUIRE(released_at(9, true).empty());
  REQUIRE(released_at(10, true) == std::vector<std::int64_t>{2});
  REQUIRE(released_at(10, false).empty());  // Another split may have one behind 10, too.
  REQUIRE(released_at(11, false) == std::vector<std::int64_t>{2, 1});
  REQUIRE(released_at(13, false) == std::vector<std::int64_t>{2, 1, 3});
}

TEST_CASE("what an idle input brings back enters the buffer at the watermark",
          "[pipeline][ordered_buffer]") {
  fr::batch<std::int64_t> rows;
  rows.values = {1, 2};
  rows.times = {tick(5), tick(20)};
  rows.positions = {{1, 0, 0}, {2, 0, 0}};
  rows.hashes = {0, 0};
  buffer waiting('b');
  REQUIRE(waiting.take(rows, tick(8)) == 1);
  const record* next = waiting.next(tick(9), false);
  REQUIRE(next != nullptr);
  REQUIRE(next->behind);
  REQUIRE(next->turn == tick(8));
  REQUIRE(next->at == tick(5));
  REQUIRE(waiting.next(tick(20), false) == nullptr);
}

TEST_CASE("both ends of time have their turns", "[pipeline][ordered_buffer]") {
  fr::batch<std::int64_t> rows;
  rows.values = {1, 2};
  rows.times = {fr::timestamp_max, fr::timestamp_min};
  rows.positions = {{1, 0, 0}, {2, 0, 0}};
  rows.hashes = {0, 0};
  buffer waiting('b');
  REQUIRE(waiting.take(rows, fr::timestamp_min) == 0);
  saved_rows checkpoint;
  checkpoint.save(waiting);
  waiting = checkpoint.restored(fr::timestamp_min);
  REQUIRE(waiting.size() == 2);
  REQUIRE(waiting.next(fr::timestamp_min, true) == nullptr);
  const record* next = waiting.next(tick(0), true);
  REQUIRE(next != nullptr);
  REQUIRE(next->at == fr::timestamp_min);
  REQUIRE(waiting.next(fr::timestamp_max - fr::duration{1}, true) == nullptr);
  next = waiting.next(fr::timestamp_max, true);
  REQUIRE(next != nullptr);
  REQUIRE(next->at == fr::timestamp_max);
}

TEST_CASE("a waiting record is written once, and not again by later snapshots",
          "[pipeline][ordered_buffer]") {
  fr::batch<std::int64_t> rows;
  for (std::int64_t i = 0; i < 100; ++i) {
    rows.values.push_back(i);
    rows.times.push_back(tick(100 - i));
    rows.positions.push_back({static_cast<std::uint64_t>(i), 0, 0});
    rows.hashes.push_back(0);
  }
  buffer waiting('b');
  REQUIRE(waiting.take(std::as_const(rows), fr::timestamp_min) == 0);
  saved_rows checkpoint;
  for (int i = 0; i < 3; ++i) checkpoint.save(waiting);
  REQUIRE(checkpoint.puts == 100);
  waiting = checkpoint.restored(fr::timestamp_min);
  checkpoint.save(waiting);
  REQUIRE(checkpoint.puts == 100);
}
