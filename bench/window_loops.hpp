// What window_bench.cpp compares with: the loops that a good engineer would write for one kind of
// window, written to win. They know one thread, integer keys, one order, and the end of the input:
// no watermarks of their own, no late records, no checkpoints.
//
// All take events in chunks, so that memory can be asked for a chunk ahead.
#pragma once

#include <freshet/core/hash.hpp>
#include <freshet/core/time.hpp>

#include <absl/container/flat_hash_map.h>
#include <boost/describe/class.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace loops {

namespace fr = freshet;

struct event {
  std::uint64_t key = 0;
  std::int64_t amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, amount, at))

/// Rows, summed up so that their order does not matter and little time goes into it.
struct digest {
  std::uint64_t rows = 0;
  std::uint64_t mixed = 0;

  void add(std::uint64_t key, std::int64_t end, std::uint64_t count, std::int64_t sum) {
    ++rows;
    mixed += (key + 1) * 0x9e3779b97f4a7c15U +
             static_cast<std::uint64_t>(end) * 0xbf58476d1ce4e5b9U + count * 0x94d049bb133111ebU +
             static_cast<std::uint64_t>(sum) * 0xd6e8feb86659fd93U;
  }
  bool operator==(const digest&) const = default;
};

inline constexpr std::size_t chunk = 64;

/// Open addressing, 32-byte slots, at most half full; its memory on huge pages. An empty slot has
/// count 0.
class inline_table {
 public:
  struct slot {
    std::uint64_t key = 0;
    std::uint64_t count = 0;
    std::int64_t sum = 0;
    std::uint64_t extra = 0;
  };

  explicit inline_table(std::size_t slots) { allocate(slots); }

  bool is_large() const { return slots_.size() * sizeof(slot) > (std::size_t{2} << 20); }
  void prefetch(std::uint64_t key) const { __builtin_prefetch(&slots_[home(key)], 1); }

  slot& of(std::uint64_t key) {
    std::size_t index = home(key);
    while (slots_[index].key != key && slots_[index].count != 0) index = (index + 1) & mask_;
    slot& found = slots_[index];
    if (found.count != 0) return found;
    if (++size_ > slots_.size() / 2) {
      grow();
      return of(key);
    }
    found.key = key;
    return found;
  }

  std::span<slot> slots() { return slots_; }
  void clear() {
    std::fill(slots_.begin(), slots_.end(), slot{});
    size_ = 0;
  }

 private:
  struct freed {
    void operator()(slot* memory) const { std::free(memory); }
  };

  std::size_t home(std::uint64_t key) const { return fr::mix_bits(key) & mask_; }

  void allocate(std::size_t slots) {
    const std::size_t bytes = slots * sizeof(slot);
    constexpr std::size_t huge = std::size_t{2} << 20;
    const std::size_t aligned = (bytes + huge - 1) / huge * huge;
    auto* start = static_cast<slot*>(std::aligned_alloc(huge, aligned));
    static_cast<void>(::madvise(start, aligned, MADV_HUGEPAGE));
    std::uninitialized_fill_n(start, slots, slot{});
    memory_.reset(start);
    slots_ = {start, slots};
    mask_ = slots - 1;
    size_ = 0;
  }
  void grow() {
    const auto before = std::move(memory_);
    const std::span<slot> old = slots_;
    allocate(old.size() * 2);
    for (const slot& each : old) {
      if (each.count != 0) of(each.key) = each;
    }
  }

  std::unique_ptr<slot, freed> memory_;
  std::span<slot> slots_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

/// `make(k)` is event k of `count`, `size` the window in microseconds; event times ascend.
template <class Make>
digest tumbling(const Make& make, std::uint64_t count, std::int64_t size) {
  inline_table table(1024);
  digest all;
  std::int64_t end = size;
  const auto fire = [&] {
    for (const auto& slot : table.slots()) {
      if (slot.count != 0) all.add(slot.key, end, slot.count, slot.sum);
    }
    table.clear();
  };
  std::array<event, chunk> events;
  for (std::uint64_t k = 0; k < count; k += chunk) {
    const std::size_t some = std::min<std::uint64_t>(chunk, count - k);
    for (std::size_t i = 0; i < some; ++i) events[i] = make(k + i);
    if (table.is_large()) {
      for (std::size_t i = 0; i < some; ++i) table.prefetch(events[i].key);
    }
    for (std::size_t i = 0; i < some; ++i) {
      const std::int64_t at = events[i].at.time_since_epoch().count();
      for (; at >= end; end += size) fire();
      inline_table::slot& slot = table.of(events[i].key);
      ++slot.count;
      slot.sum += events[i].amount;
    }
  }
  fire();
  return all;
}

template <class Make>
digest tumbling_absl(const Make& make, std::uint64_t count, std::int64_t size) {
  struct total {
    std::uint64_t count = 0;
    std::int64_t sum = 0;
  };
  absl::flat_hash_map<std::uint64_t, total> table;
  digest all;
  std::int64_t end = size;
  const auto fire = [&] {
    for (const auto& [key, of_key] : table) all.add(key, end, of_key.count, of_key.sum);
    table.clear();
  };
  for (std::uint64_t k = 0; k < count; ++k) {
    const event one = make(k);
    for (; one.at.time_since_epoch().count() >= end; end += size) fire();
    total& of_key = table[one.key];
    ++of_key.count;
    of_key.sum += one.amount;
  }
  fire();
  return all;
}

/// Dense numbers for keys, a column of totals for each pane, and running totals from which the
/// oldest column is subtracted. \pre `slide` divides `size`.
template <class Make>
digest sliding(const Make& make, std::uint64_t count, std::int64_t size, std::int64_t slide) {
  struct cell {
    std::int64_t sum = 0;
    std::uint64_t count = 0;
  };
  inline_table numbers(1024);  // `extra` is the key's number.
  std::vector<std::uint64_t> keys;
  std::vector<cell> running;
  const auto panes = static_cast<std::size_t>(size / slide);
  std::vector<std::vector<cell>> columns(panes);
  std::size_t now = 0;
  std::int64_t end = slide;
  digest all;
  const auto fire = [&] {
    const std::size_t oldest = (now + 1) % panes;
    columns[oldest].resize(keys.size());
    cell* const newest_cells = columns[now].data();
    cell* const oldest_cells = columns[oldest].data();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      running[i].sum += newest_cells[i].sum;
      running[i].count += newest_cells[i].count;
      if (running[i].count != 0) all.add(keys[i], end, running[i].count, running[i].sum);
      running[i].sum -= oldest_cells[i].sum;
      running[i].count -= oldest_cells[i].count;
      oldest_cells[i] = {};
    }
    now = oldest;
    end += slide;
  };
  std::array<event, chunk> events;
  std::array<cell*, chunk> cells;
  for (std::uint64_t k = 0; k < count;) {
    // As many as belong to one pane.
    std::size_t some = 0;
    for (; some < chunk && k + some < count; ++some) {
      events[some] = make(k + some);
      if (events[some].at.time_since_epoch().count() >= end) break;
    }
    if (some == 0) {
      fire();
      continue;
    }
    const bool large = numbers.is_large();
    if (large) {
      for (std::size_t i = 0; i < some; ++i) numbers.prefetch(events[i].key);
    }
    for (std::size_t i = 0; i < some; ++i) {
      inline_table::slot& slot = numbers.of(events[i].key);
      if (slot.count == 0) {
        slot.count = 1;
        slot.extra = keys.size();
        keys.push_back(events[i].key);
        running.emplace_back();
      }
      events[i].key = slot.extra;
    }
    if (columns[now].size() < keys.size()) columns[now].resize(keys.size());
    for (std::size_t i = 0; i < some; ++i) {
      cells[i] = &columns[now][events[i].key];
      if (large) __builtin_prefetch(cells[i], 1);
    }
    for (std::size_t i = 0; i < some; ++i) {
      cells[i]->sum += events[i].amount;
      ++cells[i]->count;
    }
    k += some;
  }
  // All windows that hold the last panes.
  for (std::size_t i = 0; i < panes; ++i) fire();
  return all;
}

/// One 64-byte slot per key with its open session; what is closed by `disorder` only later waits in
/// a list of its own. Event times ascend but for `disorder`.
template <class Make>
digest sessions(const Make& make, std::uint64_t count, std::int64_t gap, std::int64_t disorder) {
  struct session {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t sum = 0;
    std::uint64_t count = 0;
  };
  struct slot {
    session open;
    std::vector<session> older;  // Ended, and within the disorder.
  };
  inline_table numbers(1024);
  std::vector<slot> slots;
  std::vector<std::uint64_t> keys;
  digest all;
  const auto emit = [&](std::uint64_t key, const session& of) {
    all.add(key, of.end, of.count, of.sum);
  };
  const auto merge = [](session& into, const session& from) {
    into.begin = std::min(into.begin, from.begin);
    into.end = std::max(into.end, from.end);
    into.sum += from.sum;
    into.count += from.count;
  };
  std::array<event, chunk> events;
  std::array<std::size_t, chunk> found;
  std::int64_t latest = 0;
  for (std::uint64_t k = 0; k < count; k += chunk) {
    const std::size_t some = std::min<std::uint64_t>(chunk, count - k);
    for (std::size_t i = 0; i < some; ++i) {
      events[i] = make(k + i);
      numbers.prefetch(events[i].key);
    }
    for (std::size_t i = 0; i < some; ++i) {
      inline_table::slot& number = numbers.of(events[i].key);
      if (number.count == 0) {
        number.count = 1;
        number.extra = slots.size();
        slots.emplace_back();
        keys.push_back(events[i].key);
      }
      found[i] = number.extra;
      __builtin_prefetch(&slots[found[i]], 1);
    }
    for (std::size_t i = 0; i < some; ++i) {
      slot& of = slots[found[i]];
      const std::int64_t at = events[i].at.time_since_epoch().count();
      latest = std::max(latest, at);
      session one{at, at + gap, events[i].amount, 1};
      std::erase_if(of.older, [&](const session& each) {
        if (each.end <= latest - disorder) {
          emit(events[i].key, each);
          return true;
        }
        if (each.begin >= one.end || one.begin >= each.end) return false;
        merge(one, each);
        return true;
      });
      if (of.open.count == 0) {
        of.open = one;
      } else if (one.begin < of.open.end && of.open.begin < one.end) {
        merge(of.open, one);
      } else if (one.begin < of.open.begin) {
        of.older.push_back(one);
      } else {
        if (of.open.end <= latest - disorder) {
          emit(events[i].key, of.open);
        } else {
          of.older.push_back(of.open);
        }
        of.open = one;
      }
    }
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    for (const session& each : slots[i].older) emit(keys[i], each);
    emit(keys[i], slots[i].open);
  }
  return all;
}

}  // namespace loops
