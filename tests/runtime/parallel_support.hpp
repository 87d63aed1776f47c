// What the tests of parallel jobs share: a source that is a function, records that count
// themselves, and a gate that a sink can stand still at.
//
// Threads: what is counted here may be counted from any. Waits are for conditions, however long
// they take; nothing is decided by a clock.
#pragma once

#include "catch.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/pipeline.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace freshet::test {

/// One of these in every record: counts how many there are, also of those moved from.
class living {
 public:
  living() { add(); }
  living(const living&) { add(); }
  living(living&&) noexcept { add(); }
  living& operator=(const living&) = default;
  living& operator=(living&&) noexcept = default;
  ~living() { count.fetch_sub(1, std::memory_order_relaxed); }

  inline static std::atomic<std::int64_t> count{0};
  inline static std::atomic<std::int64_t> most{0};
  static void forget() { most.store(count.load()); }
  BOOST_DESCRIBE_CLASS(living, (), (), (), ())

 private:
  static void add() {
    const std::int64_t now = count.fetch_add(1, std::memory_order_relaxed) + 1;
    std::int64_t known = most.load(std::memory_order_relaxed);
    while (known < now && !most.compare_exchange_weak(known, now, std::memory_order_relaxed)) {
    }
  }
};

/// The record of these tests.
struct reading {
  std::int64_t key = 0;
  std::int64_t number = 0;  ///< Within its split.
  timestamp at{};
  living alive{};
};
BOOST_DESCRIBE_STRUCT(reading, (), (key, number, at, alive))

/// Gives the rows of `split` that follow the first `from` ones: at most `limit`.
using read_function = std::function<absl::StatusOr<read_state>(
    std::size_t split, std::uint64_t from, std::size_t limit, std::vector<reading>& rows)>;

using counter = std::shared_ptr<std::atomic<std::uint64_t>>;

inline counter counts() {
  return std::make_shared<std::atomic<std::uint64_t>>(0);
}

class function_reader final : public split_reader<reading> {
 public:
  function_reader(std::size_t split, read_function function, counter asked)
      : split_(split), function_(std::move(function)), asked_(std::move(asked)) {}

  absl::StatusOr<read_state> read(std::size_t limit, batch<reading>& rows,
                                  std::vector<dead_letter>&) override {
    absl::StatusOr<read_state> state = function_(split_, count_, limit, rows.values);
    while (rows.positions.size() < rows.values.size()) rows.positions.push_back({count_++, 0, 0});
    return state;
  }
  std::string position() const override { return std::to_string(count_); }
  std::optional<duration> ask_again() const override {
    if (asked_ == nullptr) return std::nullopt;
    asked_->fetch_add(1);
    return duration::zero();
  }

 private:
  std::size_t split_;
  read_function function_;
  counter asked_;
  std::uint64_t count_ = 0;
};

/// A source whose splits are read by one function, which several threads may call.
struct function_source {
  using value_type = reading;
  std::size_t splits = 1;
  read_function function;
  counter asked = nullptr;  ///< With one: idle splits are due at once, and count who asks.

  class opened final : public source<reading> {
   public:
    opened(std::size_t splits, read_function function, counter asked)
        : splits_(splits), function_(std::move(function)), asked_(std::move(asked)) {}
    std::vector<std::string> splits() const override {
      std::vector<std::string> names;
      for (std::size_t split = 0; split < splits_; ++split) {
        names.push_back("s" + std::to_string(split));
      }
      return names;
    }
    absl::StatusOr<std::unique_ptr<split_reader<reading>>> open(
        std::size_t split, std::optional<std::string_view>) override {
      return std::make_unique<function_reader>(split, function_, asked_);
    }

   private:
    std::size_t splits_;
    read_function function_;
    counter asked_;
  };

  absl::StatusOr<std::unique_ptr<source<reading>>> open() const {
    return std::make_unique<opened>(splits, function, asked);
  }
};

/// `count` records in each split, whose key is the split, one tick apart. `read`: how many have
/// been read in all.
inline function_source counting_source(std::size_t splits, std::uint64_t count,
                                       counter read = nullptr) {
  return {splits,
          [=](std::size_t split, std::uint64_t from, std::size_t limit,
              std::vector<reading>& rows) -> absl::StatusOr<read_state> {
            std::uint64_t number = from;
            for (; number < count && rows.size() < limit; ++number) {
              const auto at = static_cast<std::int64_t>(number);
              rows.push_back({static_cast<std::int64_t>(split), at, timestamp(duration(at)), {}});
            }
            if (read) read->fetch_add(number - from);
            return number < count ? read_state::more : read_state::end;
          },
          nullptr};
}

inline constexpr std::uint64_t endless = ~std::uint64_t{0};

using sink_function = std::function<void(const reading&)>;

/// Stands in the way of whoever passes, until it is opened for good.
class gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    if (passed_.load(std::memory_order_acquire)) return;
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
    passed_.store(true, std::memory_order_release);
  }
  void await_somebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> passed_{false};
  std::size_t waiting_ = 0;
  bool open_ = false;
};

/// Opens a gate when the test ends, whatever becomes of it, so that its job can end as well.
class opens_at_end {
 public:
  explicit opens_at_end(gate& of) : of_(of) {}
  ~opens_at_end() { of_.open(); }
  opens_at_end(const opens_at_end&) = delete;
  opens_at_end& operator=(const opens_at_end&) = delete;

 private:
  gate& of_;
};

/// Sleeps between two looks at something: who yields instead gets its turn late on a loaded core.
inline void between_looks() {
  std::this_thread::sleep_for(std::chrono::microseconds(100));
}

template <class Condition>
void wait_until(Condition condition) {
  while (!condition()) between_looks();
}

/// Waits until `value()` has stayed the same for many looks. What comes to rest too late for that
/// makes a test weaker, and never makes it fail. What never comes to rest is given up when it has
/// passed `limit`.
template <class Value>
std::uint64_t at_rest(Value value, std::uint64_t limit = endless) {
  std::uint64_t last = value();
  for (int same = 0; same < 500 && last <= limit; ++same) {
    between_looks();
    if (const std::uint64_t now = value(); now != last) {
      last = now;
      same = 0;
    }
  }
  return last;
}

}  // namespace freshet::test
