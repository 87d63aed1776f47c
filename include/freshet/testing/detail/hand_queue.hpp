// What a test has given to the splits of one input, and how far the engine may read it. Internal.
//
// Threads: the test's alone, in which the engine runs, too. Memory: the items that no commit holds.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::detail {

/// What can be given to a split.
enum class hand_kind : std::uint8_t { record, watermark, idle, active, end };

template <class T>
struct hand_item {
  hand_kind what = hand_kind::record;
  std::optional<T> value;        ///< Of a record.
  timestamp at = timestamp_min;  ///< Event time of a record, frontier of a watermark.
};

/// Where the reader of a split stands.
struct hand_position {
  std::uint64_t items = 0;    ///< How many it has read.
  std::uint64_t records = 0;  ///< How many of them were records.
  bool idle = false;          ///< Whether the last that was said of it is that it is idle.
};
BOOST_DESCRIBE_STRUCT(hand_position, (), (items, records, idle))

/// The splits of one input, as the engine behind a harness sees them.
class hand_queue_base {
 public:
  hand_queue_base(std::string name, std::size_t splits) : name_(std::move(name)), splits_(splits) {}
  virtual ~hand_queue_base() = default;
  hand_queue_base(const hand_queue_base&) = delete;
  hand_queue_base& operator=(const hand_queue_base&) = delete;

  /// How messages name the input, or one of its splits.
  std::string place() const { return "harness input '" + name_ + "'"; }
  std::string place(std::size_t split) const;

  std::size_t splits() const { return splits_.size(); }
  bool ended(std::size_t split) const { return splits_[split].ended; }
  /// The number that the next item of the split will have.
  std::uint64_t given(std::size_t split) const { return splits_[split].given; }

  /// Lets the split be read up to, and without, item number `until`.
  void allow(std::size_t split, std::uint64_t until);

  /// Begins reading at `from`; what is not allowed again is not read. Empty, when that is possible,
  /// else what is wrong.
  std::string begin(std::size_t split, const hand_position& from);
  void wake_with(std::size_t split, std::function<void()> wake) {
    splits_[split].wake = std::move(wake);
  }
  std::uint64_t allowed(std::size_t split) const { return splits_[split].allowed; }

  /// Forgets what lies before `position`, which is in a commit.
  void committed(std::size_t split, const hand_position& position);

  virtual void append_end(std::size_t split) = 0;

 protected:
  struct one_split {
    std::uint64_t first = 0;    ///< The number of the oldest item that is kept.
    std::uint64_t given = 0;    ///< One more than the number of the newest one.
    std::uint64_t allowed = 0;  ///< Items before this number may be read.
    bool ended = false;
    std::function<void()> wake;
  };

  one_split& of(std::size_t split) { return splits_[split]; }
  const one_split& of(std::size_t split) const { return splits_[split]; }
  virtual void drop_front(std::size_t split, std::size_t items) = 0;

 private:
  std::string name_;
  std::vector<one_split> splits_;
};

template <class T>
class hand_queue final : public hand_queue_base {
 public:
  hand_queue(std::string name, std::size_t splits) : hand_queue_base(std::move(name), splits) {
    items_.resize(splits);
  }

  void append(std::size_t split, hand_item<T> item) {
    of(split).ended = item.what == hand_kind::end;
    items_[split].push_back(std::move(item));
    ++of(split).given;
  }

  void append_end(std::size_t split) override { append(split, {hand_kind::end, std::nullopt, {}}); }

  /// \pre `number` is neither forgotten nor still to be given.
  const hand_item<T>& item(std::size_t split, std::uint64_t number) const {
    return items_[split][number - of(split).first];
  }

 private:
  void drop_front(std::size_t split, std::size_t count) override {
    items_[split].erase(items_[split].begin(),
                        items_[split].begin() + static_cast<std::ptrdiff_t>(count));
  }

  std::vector<std::deque<hand_item<T>>> items_;
};

}  // namespace freshet::detail
