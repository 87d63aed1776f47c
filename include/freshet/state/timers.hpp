// Timers: when keys want to be called again.
//
// Time: either; a queue knows points of one time. Order: by time, then the timers of functions
// before clean-ups, then hash, then key: the same in every run. Threads: the operator's. Memory:
// one entry per timer here, one timestamp per timer at its key. Deleting leaves an entry that is
// skipped when its time comes.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// The times at which one key wants to be called, each once.
/// \cost O(log n), and moves those behind the new one.
class timer_set {
 public:
  bool empty() const { return times_.empty(); }
  std::size_t size() const { return times_.size(); }
  bool contains(timestamp when) const {
    return std::binary_search(times_.begin(), times_.end(), when);
  }
  /// False when it is there already.
  bool insert(timestamp when) {
    const auto place = std::lower_bound(times_.begin(), times_.end(), when);
    if (place != times_.end() && *place == when) return false;
    times_.insert(place, when);
    return true;
  }
  /// False when it is not there.
  bool erase(timestamp when) {
    const auto place = std::lower_bound(times_.begin(), times_.end(), when);
    if (place == times_.end() || *place != when) return false;
    times_.erase(place);
    return true;
  }
  void clear() { times_.clear(); }
  auto begin() const { return times_.begin(); }
  auto end() const { return times_.end(); }

 private:
  friend struct codec<timer_set>;
  std::vector<timestamp> times_;  ///< Ascending, without repeats.
};

template <>
struct codec<timer_set> {
  static void encode(byte_writer& writer, const timer_set& timers) {
    freshet::encode(writer, timers.times_);
  }
  static bool decode(byte_reader& reader, timer_set& timers) {
    if (!freshet::decode(reader, timers.times_)) return false;
    const auto& times = timers.times_;
    if (std::adjacent_find(times.begin(), times.end(), std::greater_equal<>{}) == times.end()) {
      return true;
    }
    reader.fail("timers are not ascending");
    return false;
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<std::vector<timestamp>>(context, "timers");
  }
};

/// What a queue calls a key for.
enum class timer_kind : std::uint8_t {
  function,  ///< The key's function asked for it.
  cleanup,   ///< State of the key expires.
};

/// All keys' timers of one operator and one time, the earliest first.
/// \cost O(log n) to push and to pop.
template <class Key>
class timer_queue {
 public:
  struct entry {
    timestamp when;
    timer_kind kind = timer_kind::function;
    std::uint64_t hash = 0;
    Key key;
    /// Turns a vector into a heap with the earliest on top.
    friend bool operator<(const entry& a, const entry& b) {
      if (a.when != b.when) return a.when > b.when;
      if (a.kind != b.kind) return a.kind > b.kind;
      if (a.hash != b.hash) return a.hash > b.hash;
      return b.key < a.key;
    }
  };

  std::size_t size() const { return heap_.size(); }
  /// Bytes held by the queue itself; what keys own elsewhere is not counted.
  std::size_t memory_bytes() const { return heap_.capacity() * sizeof(entry); }

  /// The earliest, or null.
  const entry* first() const { return heap_.empty() ? nullptr : heap_.data(); }
  /// When the earliest is due; `timestamp_max` where there is none.
  timestamp next() const { return heap_.empty() ? timestamp_max : heap_.front().when; }
  /// Whether the earliest is due at `now`.
  bool due(timestamp now) const { return !heap_.empty() && heap_.front().when <= now; }

  void push(entry fresh) {
    heap_.push_back(std::move(fresh));
    std::push_heap(heap_.begin(), heap_.end());
  }
  /// Takes the earliest. \pre there is one. The owner tells whether it still counts.
  entry pop() {
    std::pop_heap(heap_.begin(), heap_.end());
    entry first = std::move(heap_.back());
    heap_.pop_back();
    return first;
  }
  void clear() { heap_.clear(); }

  /// Calls `visit(entry)` for the first `count` entries, or fewer, of those that are due at `now`,
  /// which stay. \cost O(count log count).
  template <class Visit>
  void look_at_due(timestamp now, std::size_t count, Visit&& visit) const {
    const auto later = [this](std::size_t a, std::size_t b) { return heap_[a] < heap_[b]; };
    std::vector<std::size_t> next;  // A heap of places in the heap.
    const auto add = [&](std::size_t place) {
      if (place >= heap_.size() || heap_[place].when > now) return;
      next.push_back(place);
      std::push_heap(next.begin(), next.end(), later);
    };
    for (add(0); !next.empty() && count > 0; --count) {
      const std::size_t place = next.front();
      std::pop_heap(next.begin(), next.end(), later);
      next.pop_back();
      visit(heap_[place]);
      add(2 * place + 1);
      add(2 * place + 2);
    }
  }

 private:
  std::vector<entry> heap_;
};

}  // namespace freshet
