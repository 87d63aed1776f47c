// Deadlines of keys, the earliest first. Internal.
//
// A deadline is never taken out before its time: whoever set it decides then whether it still
// counts. Threads: one task. Cost: O(log n) each way. Memory: one entry per deadline set.
#pragma once

#include <freshet/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class Key>
struct deadline {
  timestamp at = timestamp_max;
  std::uint64_t hash = 0;
  Key key{};
};

/// Deadlines of one moment come in the order of (hash, key), the same in every run.
template <class Key>
class deadline_queue {
 public:
  void push(deadline<Key> fresh) {
    all_.push_back(std::move(fresh));
    std::push_heap(all_.begin(), all_.end(), later);
  }

  std::size_t size() const { return all_.size(); }

  /// When the next one is due.
  std::optional<timestamp> next() const {
    if (all_.empty()) return std::nullopt;
    return all_.front().at;
  }

  /// \pre there is one.
  deadline<Key> pop() {
    std::pop_heap(all_.begin(), all_.end(), later);
    deadline<Key> due = std::move(all_.back());
    all_.pop_back();
    return due;
  }

 private:
  /// Turns a vector into a heap with the earliest deadline on top.
  static bool later(const deadline<Key>& a, const deadline<Key>& b) {
    if (a.at != b.at) return a.at > b.at;
    if (a.hash != b.hash) return a.hash > b.hash;
    return b.key < a.key;
  }

  std::vector<deadline<Key>> all_;
};

}  // namespace freshet::detail
