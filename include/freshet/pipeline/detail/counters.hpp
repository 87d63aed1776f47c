// What is counted of one operator. Internal.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace freshet::detail {

/// What an operator holds between two batches.
struct state_size {
  std::uint64_t entries = 0;  ///< Rows of its tables, and records that wait.
  std::uint64_t bytes = 0;    ///< An estimate where these own memory (owned_bytes.hpp).
  std::uint64_t cold = 0;     ///< Rows of its tables that are in the newest commit only.

  state_size& operator+=(const state_size& more) {
    entries += more.entries;
    bytes += more.bytes;
    cold += more.cold;
    return *this;
  }
};

/// What one sender knows of a key that many of its records have.
struct heavy_key {
  std::uint64_t hash = 0;
  std::uint64_t count = 0;  ///< Among the sampled records: at most this,
  std::uint64_t error = 0;  ///< and at least `count` - `error`.
  std::string text;         ///< Empty where it is not known, or the key has none.
};

struct heavy_keys {
  std::uint64_t sampled = 0;         ///< Records, older ones fading.
  std::uint64_t others_at_most = 0;  ///< The count of any key that is not here.
  std::vector<heavy_key> keys;       ///< Those with the largest counts first.
};

/// How many keys a sender tells of, and an operator shows.
inline constexpr std::size_t heavy_keys_max = 16;

/// Counts of one operator. Written by its task, read by `job::metrics()` from any thread. On cache
/// lines of its own: those of another task's operator are written by another core.
struct alignas(64) operator_counters {
  std::atomic<std::uint64_t> records_in{0};
  std::atomic<std::uint64_t> records_out{0};
  std::atomic<std::uint64_t> bytes_in{0};   // Of this run, and in no checkpoint.
  std::atomic<std::uint64_t> bytes_out{0};  // The same.
  std::atomic<std::uint64_t> late{0};
  std::atomic<std::uint64_t> dead{0};
  std::atomic<std::uint64_t> unassigned{0};
  std::atomic<std::uint64_t> realigned{0};
  std::atomic<std::uint64_t> regressed{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> shed{0};
  std::atomic<std::uint64_t> retried{0};  // Of this run, and in no checkpoint.
  std::atomic<std::uint64_t> ignored{0};  // The same.
  // As of the last look, and in no checkpoint.
  std::atomic<std::uint64_t> state_entries{0};
  std::atomic<std::uint64_t> state_bytes{0};
  std::atomic<std::uint64_t> cold_entries{0};
  // Of this run, and in no checkpoint.
  std::atomic<std::uint64_t> evicted{0};
  std::atomic<std::uint64_t> cold_asked{0};
  std::atomic<std::uint64_t> cold_read{0};

  void take(std::uint64_t records, std::uint64_t bytes) {
    add(records_in, records);
    add(bytes_in, bytes);
  }
  void give(std::uint64_t records, std::uint64_t bytes) {
    add(records_out, records);
    add(bytes_out, bytes);
  }

  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

}  // namespace freshet::detail
