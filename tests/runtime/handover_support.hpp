// What the tests of split and merged state share: an operator as one instance that stays, and as
// several whose key groups move.
//
// Every instance gets the rows of its own key groups and every signal. Rows are compared as text,
// with their places and entry frontiers, as multisets. Threads: one.
#pragma once

#include "runtime/driven_instance.hpp"
#include "runtime/random_log.hpp"

#include "runtime/checkpoint.hpp"
#include "runtime/handover.hpp"

#include <freshet/pipeline/detail/operator_state.hpp>

#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

namespace freshet::test {

/// Every key group in one of `count` sets at random; some may be empty.
inline std::vector<fr::key_group_set> random_groups(std::mt19937_64& random, std::size_t count) {
  std::vector<fr::key_group_set> sets(count);
  for (std::uint32_t group = 0; group < fr::key_groups; ++group) {
    sets[random() % count].insert_group(group);
  }
  return sets;
}

/// Runs steps through instances, which may be others from one step to the next.
class fleet {
 public:
  fleet(const composed& of, std::uint64_t seed, bool single_split)
      : of_(of), random_(seed), single_split_(single_split) {
    instances_.push_back(make(fr::key_group_set::all()));
  }

  driven_instance& first() { return *instances_.front(); }

  /// `before_move`: some of the instances may be told of a watermark by the others' state alone.
  void apply(const step& next, bool before_move = false) {
    const bool all = !before_move;
    const std::size_t lucky = random_() % instances_.size();
    if (next.what == step::kind::watermark) watermark_ = next.time;
    if (next.what == step::kind::clock) {
      // What depends on the clock, too, has to catch up before it moves.
      if (std::exchange(owes_watermark_, false)) repeat_watermark();
      clock_ = next.time;
    }
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      driven_instance& each = *instances_[i];
      switch (next.what) {
        case step::kind::rows:
          each.feed(part_of(next.rows, each.groups));
          break;
        case step::kind::watermark:
          // The end of the input comes to all before the same barrier.
          if (all || next.time == fr::timestamp_max || i == lucky || random_() % 2 == 0) {
            repeat_watermark(each);
          }
          break;
        case step::kind::clock:
          each.move_clock(next.time);
          break;
        case step::kind::broadcast:
          if (of_.with_broadcast) each.feed(next.rows, 1);
          break;
      }
    }
  }

  /// Moves the key groups to `count` instances: through memory, or through a commit, after which
  /// the job begins anew. `commits`: there are checkpoints.
  void move_to(std::size_t count, bool commits) {
    const bool restart = commits && random_() % 2 == 0;
    if (commits && checkpoint_ == nullptr) open_checkpoint();
    fr::detail::snapshot_draft draft;
    std::vector<fr::detail::full_state> states;
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      driven_instance& each = *instances_[i];
      each.barrier(of_.with_broadcast, [&](fr::detail::runtime_operator& op) {
        fr::detail::snapshot_draft own;
        if (commits) {
          const auto to = checkpoint_->collect(of_.node(), i, each.groups, op, own);
          fr::detail::finish_snapshot(op);
        }
        draft.add(std::move(own));
        if (!restart) states.push_back(fr::detail::take_full_state(op, each.groups));
      });
    }
    if (commits) commit(std::move(draft));
    if (restart) open_checkpoint();
    instances_.clear();
    for (const fr::key_group_set& groups : random_groups(random_, count)) {
      auto fresh = make(groups);
      if (restart) {
        checkpoint_->restore(of_.node(), groups, fresh->op());
      } else {
        fr::detail::handover_reader reader(states, groups, "op");
        fresh->op().restore(reader);
      }
      instances_.push_back(std::move(fresh));
    }
    // The engine repeats what is promised, sooner or later.
    owes_watermark_ = watermark_ > fr::timestamp_min;
    if (random_() % 2 == 0 && std::exchange(owes_watermark_, false)) repeat_watermark();
  }

 private:
  static fr::batch<event> part_of(fr::batch<event> rows, const fr::key_group_set& groups) {
    rows.keep_rows([&](std::size_t row) { return groups.contains(rows.hashes[row]); });
    return rows;
  }
  void repeat_watermark(driven_instance& to) const {
    to.signal({.what = fr::detail::control::kind::watermark, .frontier = watermark_});
  }
  void repeat_watermark() const {
    for (const auto& each : instances_) repeat_watermark(*each);
  }
  std::unique_ptr<driven_instance> make(const fr::key_group_set& groups) const {
    return std::make_unique<driven_instance>(of_.graph(), of_.node(), groups, clock_,
                                             single_split_);
  }
  void open_checkpoint() {
    checkpoint_.reset();
    checkpoint_ = std::make_unique<fr::detail::checkpointer>(of_.graph(), options_);
    const absl::Status opened = checkpoint_->open();
    INFO(opened.ToString());
    REQUIRE(opened.ok());
  }
  void commit(fr::detail::snapshot_draft draft) {
    std::vector<fr::detail::sink_record> sinks;
    for (const fr::detail::node& each : of_.graph().nodes()) {
      if (each.is == fr::detail::node::role::sink) sinks.push_back({each.name, ""});
    }
    REQUIRE(checkpoint_->commit(std::move(draft), {}, sinks, {}, false).ok());
  }

  const composed& of_;
  std::mt19937_64 random_;
  bool single_split_;
  driven_instances instances_;
  fr::timestamp watermark_ = fr::timestamp_min;
  fr::timestamp clock_ = tick(0);
  bool owes_watermark_ = false;
  fr::run_options options_ = committing_to(std::make_shared<fr::memory_checkpoint>());
  std::unique_ptr<fr::detail::checkpointer> checkpoint_;
};

// --- the properties

/// The rows of a log that is cut at random places, each cut followed by a move: 1, 3, 2 instances,
/// and others.
inline rows_of_text moved_rows(const composed& of, const std::vector<step>& log, std::uint64_t seed,
                               bool single_split) {
  std::mt19937_64 random(seed);
  std::map<std::size_t, std::size_t> moves{{log.size() / 3, 3}, {log.size() * 2 / 3, 2}};
  for (std::uint64_t more = random() % 4; more > 0; --more) {
    moves.emplace(1 + random() % (log.size() - 1), 1 + random() % 4);
  }
  const bool commits = random() % 2 == 0;
  of.rows->clear();
  fleet moving(of, random(), single_split);
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (const auto move = moves.find(i); move != moves.end()) moving.move_to(move->second, commits);
    moving.apply(log[i], moves.count(i + 1) != 0);
  }
  return sorted(std::move(*of.rows));
}

/// Rows of one sorted list that the other does not have, or not as often.
inline rows_of_text only_in_first(const rows_of_text& first, const rows_of_text& second) {
  rows_of_text left;
  std::set_difference(first.begin(), first.end(), second.begin(), second.end(),
                      std::back_inserter(left));
  return left;
}

/// What an operator writes, in order.
struct recording_writer final : fr::detail::state_writer {
  rows_of_text all;

  void put(std::uint64_t hash, std::string_view key, fr::timestamp expires_at,
           std::string_view value) override {
    all.push_back(fmt::format("put {} {} {} {}", hash, key, cell_text(expires_at), value));
  }
  void erase(std::uint64_t hash, std::string_view key) override {
    all.push_back(fmt::format("erase {} {}", hash, key));
  }
  void summary(std::string bytes, fr::timestamp frontier) override {
    all.push_back(fmt::format("summary {} {}", bytes, cell_text(frontier)));
  }
};

/// Requires that an operator that was asked for everything writes the same changes as one that was
/// not.
inline void require_untouched_changes(const composed& of, const std::vector<step>& log,
                                      std::uint64_t seed, bool single_split) {
  std::mt19937_64 random(seed);
  fleet asked(of, 1, single_split);
  fleet left_alone(of, 1, single_split);
  for (const step& next : log) {
    asked.apply(next);
    left_alone.apply(next);
    if (random() % 4 == 0) {
      (void)fr::detail::take_full_state(asked.first().op(), fr::key_group_set::all());
    }
    if (random() % 4 != 0) continue;
    recording_writer of_asked;
    recording_writer of_other;
    for (auto [of_fleet, to] : {std::pair(&asked, &of_asked), {&left_alone, &of_other}}) {
      of_fleet->first().op().snapshot(*to);
      fr::detail::finish_snapshot(of_fleet->first().op());
    }
    REQUIRE(of_asked.all == of_other.all);
  }
}

/// A checkpoint of one instance: what snapshots have written for it, one after the other.
struct slow_checkpoint final : fr::detail::state_writer, fr::detail::state_reader {
  using row_key = std::pair<std::uint64_t, std::string>;
  std::map<row_key, std::pair<fr::timestamp, std::string>> committed;
  std::map<row_key, std::pair<fr::timestamp, std::string>> put_now;
  std::vector<row_key> erased_now;
  std::string bytes;
  fr::timestamp frontier = fr::timestamp_min;

  void put(std::uint64_t hash, std::string_view key, fr::timestamp expires_at,
           std::string_view value) override {
    // Each row once.
    REQUIRE(put_now.try_emplace({hash, std::string(key)}, expires_at, std::string(value)).second);
  }
  void erase(std::uint64_t hash, std::string_view key) override {
    erased_now.emplace_back(hash, std::string(key));
  }
  void summary(std::string all, fr::timestamp at) override {
    bytes = std::move(all);
    frontier = at;
  }
  void complete() {
    for (const row_key& each : erased_now) committed.erase(each);
    for (auto& [key, row] : put_now) committed[key] = std::move(row);
    std::erase_if(committed, [this](const auto& each) { return each.second.first <= frontier; });
    erased_now.clear();
    put_now.clear();
  }

  std::vector<std::string_view> summaries() const override { return {bytes}; }
  bool owns(std::uint64_t) const override { return true; }
  fr::timestamp frontier_of(std::uint64_t) const override { return frontier; }
  void rows(
      const std::function<void(std::uint64_t, std::string_view, std::string_view)>& row) override {
    for (const auto& [key, each] : committed) row(key.first, key.second, each.second);
  }
  [[noreturn]] void fail(std::string_view reason) const override {
    throw std::runtime_error(std::string(reason));
  }
};

/// All that an operator holds that goes on from `from`. Not the rows that it has read: these do not
/// say everything, such as that a window has fired.
inline rows_of_text restored_rows(const composed& of, bool single_split,
                                  fr::detail::state_reader& from) {
  driven_instance fresh(of.graph(), of.node(), fr::key_group_set::all(), tick(0), single_split);
  fresh.op().restore(from);
  const fr::detail::full_state held =
      fr::detail::take_full_state(fresh.op(), fr::key_group_set::all());
  rows_of_text all;
  for (const auto& row : held.rows()) {
    all.push_back(
        fmt::format("{} {} {} {}", row.hash, row.key, cell_text(row.expires_at), row.value));
  }
  return sorted(std::move(all));
}

/// Requires that snapshots of changes that are written slice by slice, while the operator goes on,
/// come to everything that it had at their beginning.
inline void require_sliced_snapshots(const composed& of, const std::vector<step>& log,
                                     std::uint64_t seed, bool single_split) {
  std::mt19937_64 random(seed);
  fleet working(of, 1, single_split);
  fr::detail::runtime_operator& op = working.first().op();
  slow_checkpoint checkpoint;
  std::optional<rows_of_text> wanted;
  const auto copy = [&](std::size_t rows) {
    if (!op.continue_snapshot(rows)) return;
    checkpoint.complete();
    const rows_of_text found = restored_rows(of, single_split, checkpoint);
    CHECK(only_in_first(*wanted, found) == rows_of_text{});
    REQUIRE(only_in_first(found, *wanted) == rows_of_text{});
    wanted.reset();
  };
  for (const step& next : log) {
    working.apply(next);
    if (wanted) {
      if (random() % 4 != 0) copy(1 + random() % 3);
    } else if (random() % 3 == 0) {
      const std::vector<fr::detail::full_state> held{
          fr::detail::take_full_state(op, fr::key_group_set::all())};
      fr::detail::handover_reader from(held, fr::key_group_set::all(), "op");
      wanted = restored_rows(of, single_split, from);
      op.snapshot(checkpoint);
    }
  }
  while (wanted) copy(1000);
}

/// Holds an operator against all three properties. `compose(c, random)` adds a node named `op` and
/// its sinks, with options that may be random.
template <class Compose>
void check_movable(const Compose& compose, bool by_place = false, std::size_t rounds = 100) {
  std::size_t rows = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    INFO("round " << round);
    std::mt19937_64 random(round);
    composed of;
    compose(of, random);
    INFO(of.told);
    const log_options options{
        .splits = 1 + random() % 2 * (1 + random() % 2),
        .disorder = of.in_order ? 48 : static_cast<std::int64_t>(random() % 8),
        .batches = 20 + random() % 40,
        .by_place = by_place,
        .begins_with_frontier = of.begins_with_frontier};
    const bool single_split = options.splits == 1;
    const std::vector<step> log = random_log(random, options);
    fleet staying(of, 0, single_split);
    for (const step& next : log) staying.apply(next);
    const rows_of_text wanted = sorted(std::move(*of.rows));
    rows += wanted.size();
    const rows_of_text moved = moved_rows(of, log, random(), single_split);
    CHECK(only_in_first(wanted, moved) == rows_of_text{});
    REQUIRE(only_in_first(moved, wanted) == rows_of_text{});
    require_untouched_changes(of, log, random(), single_split);
    require_sliced_snapshots(of, log, random(), single_split);
  }
  REQUIRE(rows > 20 * rounds);
}

}  // namespace freshet::test
