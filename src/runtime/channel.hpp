// A bounded way between two tasks: what one sends, the other takes in the same order.
//
// Neither side ever waits inside a call. A message that finds no room is kept by the sender's side;
// the sending task takes no further input until there is room again, so that what it keeps is
// bounded by what one slice of its work emits. A task that waits for room is woken when half of the
// channel is free, not for every single place.
//
// Threads: one sends, one takes. No wake-up is lost: both sides change `waits_for_room_` by
// read-modify-write operations, which have one order, so that either the receiver sees the sender's
// wish, or the sender sees the room that the receiver has made.
#pragma once

#include <freshet/pipeline/detail/exchange.hpp>

#include <boost/lockfree/spsc_queue.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

class task;

/// What travels: rows, or a signal.
struct message {
  std::unique_ptr<carried_rows> rows;
  control signal;
};

class channel final : public channel_end {
 public:
  /// `capacity`: messages. At least 1.
  channel(std::size_t capacity, task& sender, task& receiver);
  ~channel() override;
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // The sender's side.
  void send(std::unique_ptr<carried_rows> rows) override;
  void send(const control& what) override;
  std::unique_ptr<carried_rows> used() override;
  std::uint64_t counted_after() const override {
    return counted_after_.load(std::memory_order_acquire);
  }
  /// Whether nothing is kept for lack of room; tries to get rid of it first.
  bool has_room();
  /// Asks for the sender to be woken when there is room. \return false when there is some already,
  /// so that the sender should go on.
  bool wait_for_room();

  // The receiver's side.
  std::optional<message> take();
  bool empty() const { return queue_.read_available() == 0; }
  /// How many messages could be taken now.
  std::size_t waiting() const { return queue_.read_available(); }
  /// Gives a batch back to be filled again.
  void give_back(std::unique_ptr<carried_rows> rows);

  /// See `channel_end::counted_after`.
  void set_counted_after(std::uint64_t idles) {
    counted_after_.store(idles, std::memory_order_release);
  }

  /// How much of the channel is in use, from 0 to 1. From any thread, and then a moment old.
  double fill() const;

 private:
  /// What stands in the queue, which copies: owned by whoever takes it out.
  struct entry {
    carried_rows* rows = nullptr;
    control signal;
  };

  void push(entry what);

  const std::size_t capacity_;
  task& sender_;
  task& receiver_;
  boost::lockfree::spsc_queue<entry> queue_;
  boost::lockfree::spsc_queue<carried_rows*> used_;
  std::deque<entry> kept_;                            ///< The sender's.
  std::vector<std::unique_ptr<carried_rows>> spare_;  ///< The sender's, of those given back.
  std::atomic<bool> waits_for_room_{false};
  std::atomic<std::uint64_t> counted_after_{never_counted};
};

}  // namespace freshet::detail
