#include <freshet/pipeline/detail/source_head.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <utility>

namespace freshet::detail {

inlet_base& head::input(std::size_t) {
  assert(!"a source has no input");
  std::abort();
}

outlet_base& head::output(std::size_t port) {
  if (port == 0) return rows_output();
  return dead_out_;
}

void head::send(const control& what) {
  if (what.what == control::kind::end && std::exchange(end_sent_, true)) return;
  if (what.what == control::kind::barrier) {
    for (one_split& each : splits_) count_dropped(each);
  }
  signal_rows(what);
  dead_out_.signal(what);
}

absl::Status head::open_source(std::uint32_t number) {
  absl::StatusOr<source_base*> opened = open_description();
  if (!opened.ok()) return opened.status();
  source_ = *opened;
  board_.source = number;
  board_.names = source_->splits();
  board_.mine.assign(board_.names.size(), true);
  board_.frontiers.assign(board_.names.size(), timestamp_min);
  board_.silent_at.assign(board_.names.size(), std::nullopt);
  if (board_.names.empty() || board_.names.size() >= splits_per_source_max) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} splits, wanted 1 to {}; give at least one file or partition, or fewer "
                    "at a time",
                    context().place, board_.names.size(), splits_per_source_max - 1));
  }
  return absl::OkStatus();
}

void head::share_source(head& first, std::size_t number, std::size_t of) {
  if (&first != this) {
    source_ = open_shared(first);
    source_mutex_ = first.source_mutex_;
    board_ = first.board_;
  }
  for (std::size_t split = 0; split < board_.mine.size(); ++split) {
    board_.mine[split] = split % of == number;
  }
}

absl::Status head::open_readers(const std::optional<source_commit>& committed) {
  const std::size_t count = board_.names.size();
  // Those of the checkpoint; all, where it must know them all.
  const std::size_t known = committed ? committed->splits.size() : 0;
  if (committed &&
      (known > count || (known < count && !source_->may_gain_splits()) ||
       !std::equal(committed->splits.begin(), committed->splits.end(), board_.names.begin()))) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: its files or partitions are not those of the checkpoint ({} then, {} now, "
        "compared by name and order); give the same ones, or a new checkpoint directory",
        context().place, known, count));
  }
  if (committed && (committed->positions.size() != known || committed->ended.size() != known)) {
    return absl::DataLossError(context().place +
                               ": the checkpoint's positions are damaged; go back to a copy of it");
  }
  splits_.resize(count);
  for (std::size_t split = 0; split < count; ++split) {
    one_split& own = splits_[split];
    if (!board_.mine[split]) {
      own.ended = true;  // To this task.
      continue;
    }
    if (split < known && committed->ended[split]) {
      own.ended = true;
      own.final_position = committed->positions[split];
      continue;
    }
    std::optional<std::string_view> position;
    if (split < known) position = committed->positions[split];
    auto reader = open_reader(split, position);
    if (!reader.ok()) return reader.status();
    own.reader = *std::move(reader);
    own.woken = std::make_shared<std::atomic<bool>>(false);
    own.reader->wake_with([woken = own.woken, wake = context().task->waker()] {
      woken->store(true);
      wake();
    });
  }
  return absl::OkStatus();
}

bool head::all_ended() const {
  return std::all_of(splits_.begin(), splits_.end(),
                     [](const one_split& each) { return each.ended; });
}

std::optional<std::size_t> head::next_split(std::uint64_t step_began) {
  // Splits with event times stay together in event time, those without come one after the other;
  // but endless ones without event times take turns.
  const bool take_turns = !board_.timed && !source_->bounded();
  std::optional<std::size_t> best;
  for (std::size_t split = 0; split < splits_.size(); ++split) {
    one_split& own = splits_[split];
    if (own.ended || board_.frontiers[split] > board_.read_limit) continue;
    if (own.idle) {
      // It had nothing in this step: the others first, or asking it often would starve them.
      if (own.last_turn > step_began) continue;
      const std::optional<duration> wait = own.reader->ask_again();
      const bool due = wait && *wait <= duration::zero();
      if (!own.woken->exchange(false) && !due) continue;
      own.idle = false;
    }
    if (!best || board_.frontiers[split] < board_.frontiers[*best] ||
        (take_turns && own.last_turn < splits_[*best].last_turn)) {
      best = split;
    }
  }
  return best;
}

head::step_result head::step() {
  if (all_ended()) {
    send({.what = control::kind::end});
    return step_result::finished;
  }
  const std::uint64_t began = turn_;
  while (const std::optional<std::size_t> split = next_split(began)) {
    read_split(*split);
    if (board_.silent_at[*split]) continue;
    // Also while others are busy, a silent split may have become idle.
    if (std::any_of(board_.silent_at.begin(), board_.silent_at.end(),
                    [](const auto& each) { return each.has_value(); })) {
      send_tick();
    }
    return step_result::worked;
  }
  looks_after_ = 0;
  send_tick();
  return step_result::idle;
}

/// A split that calls when it has something, and has not, has nothing now. One that must be asked
/// is known only as of when it was.
void head::send_tick() {
  for (std::size_t split = 0; split < splits_.size(); ++split) {
    const one_split& own = splits_[split];
    if (!board_.silent_at[split] || own.ended) continue;
    if (own.woken->load()) {
      board_.silent_at[split].reset();
    } else if (!own.reader->ask_again()) {
      board_.silent_at[split] = context().task->now();
    }
  }
  send({.what = control::kind::tick});
}

void head::read_split(std::size_t split) {
  one_split& own = splits_[split];
  own.last_turn = ++turn_;
  // Cleared before the read: what arrives during it must not be taken for seen.
  own.woken->store(false);
  dead_.clear();
  absl::StatusOr<read_state> state = read(*own.reader, dead_);
  check(state.status());
  deliver(split, *state);
}

void head::deliver(std::size_t split, read_state state) {
  one_split& own = splits_[split];
  const std::uint64_t bytes = own.reader->bytes_read();
  context().counters->take(rows_read() + dead_.size(), bytes - std::exchange(own.bytes, bytes));
  context().counters->give(rows_read(), row_bytes_read());
  count_dropped(own);
  const bool is_silent = state == read_state::idle && rows_read() == 0 && dead_.empty();
  board_.silent_at[split] = is_silent ? std::optional(context().task->now()) : std::nullopt;
  const bool marks = (rows_read() > 0 || !dead_.empty()) && looks_at_clock();
  const timestamp read_at = marks ? context().task->now() : timestamp_min;
  send_dead_letters(split);
  deliver_rows(split_number(board_.source, static_cast<std::uint32_t>(split)));
  if (marks) send_marker(read_at);
  own.idle = state == read_state::idle;
  if (state != read_state::end) return;
  own.ended = true;
  own.final_position = own.reader->position();
  own.reader.reset();
  signal_rows({.what = control::kind::split_ended, .split = static_cast<std::uint32_t>(split)});
  if (all_ended()) send({.what = control::kind::end});
}

/// Whether a marker may be due. A look at the clock costs a hundredth of a cheap batch: so not in
/// every read, but often enough that markers are late by an eighth of their interval at most, as
/// long as reads follow each other at the same pace; and in every sixteenth.
bool head::looks_at_clock() {
  return mark_every_ > duration::zero() && ++reads_ > looks_after_;
}

/// Behind the rows that were read at `read_at`, so that it goes their way, also where that is
/// within this task.
void head::send_marker(timestamp read_at) {
  constexpr std::int64_t reads_max = 15;
  constexpr std::int64_t looks_per_marker = 8;
  const duration of_a_read = saturating_between(looked_at_, read_at) / reads_;
  looks_after_ =
      std::min(reads_max, mark_every_ / looks_per_marker / std::max(of_a_read, duration{1}));
  looked_at_ = read_at;
  reads_ = 0;
  if (read_at < next_marker_) return;
  next_marker_ = saturating_add(read_at, mark_every_);
  send({.what = control::kind::latency_marker, .frontier = read_at, .split = board_.source});
}

void head::count_dropped(one_split& of) const {
  if (!of.reader) return;
  const std::uint64_t now = of.reader->dropped();
  operator_counters::add(context().counters->shed, now - std::exchange(of.dropped, now));
}

void head::send_dead_letters(std::size_t split) {
  if (dead_.empty()) return;
  operator_counters::add(context().counters->dead, dead_.size());
  const std::uint32_t number = split_number(board_.source, static_cast<std::uint32_t>(split));
  for (dead_letter& letter : dead_) {
    letter.source = context().name;
    letter.split = board_.names[split];
    dead_rows_.positions.push_back({letter.sequence, number, 0});
    dead_rows_.values.push_back(std::move(letter));
  }
  dead_out_.emit(dead_rows_);
}

source_commit head::position() const {
  source_commit at;
  at.splits = board_.names;
  for (const one_split& split : splits_) {
    at.positions.push_back(split.reader ? split.reader->position() : split.final_position);
    at.ended.push_back(split.ended);
  }
  return at;
}

void head::committed(const source_commit& at) {
  for (std::size_t split = 0; split < splits_.size(); ++split) {
    if (!board_.mine[split]) continue;
    if (splits_[split].reader) {
      splits_[split].reader->committed(at.positions[split]);
    } else {
      const std::lock_guard lock(*source_mutex_);
      source_->committed(split, at.positions[split]);
    }
  }
}

std::optional<duration> head::ask_again() const {
  std::optional<duration> shortest;
  for (const one_split& split : splits_) {
    if (split.ended) continue;
    const std::optional<duration> wait = split.reader->ask_again();
    if (wait && (!shortest || *wait < *shortest)) shortest = wait;
  }
  return shortest;
}

timestamp head::readable_frontier() const {
  timestamp lowest = timestamp_max;
  for (std::size_t split = 0; split < splits_.size(); ++split) {
    const one_split& own = splits_[split];
    if (own.ended || (own.idle && !own.woken->load())) continue;
    lowest = std::min(lowest, board_.frontiers[split]);
  }
  return lowest;
}

bool head::holds_back() const {
  for (std::size_t split = 0; split < splits_.size(); ++split) {
    if (!splits_[split].ended && board_.frontiers[split] > board_.read_limit) return true;
  }
  return false;
}

timestamp head::frontier() const {
  timestamp lowest = timestamp_max;
  for (std::size_t split = 0; split < splits_.size(); ++split) {
    if (!splits_[split].ended) lowest = std::min(lowest, board_.frontiers[split]);
  }
  return lowest;
}

}  // namespace freshet::detail
