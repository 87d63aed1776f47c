// How large tables are, with an estimate of what their keys and values own. Internal.
//
// Asked now and then by the task that has the tables. Cost: O(1) and some rows that are looked at.
#pragma once

#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/state/keyed_table.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace freshet::detail {

template <class Key, class Value>
class table_meter {
 public:
  using table = keyed_table<Key, Value>;

  static state_size of(const table& rows) { return {rows.size(), rows.memory_bytes()}; }

  /// Looks at some rows, at others each time. `owned(value)`: what a value owns.
  template <class Owned>
  void look_at(const table& rows, Owned&& owned) {
    rows.look_at_some(cursor_, rows_per_look,
                      [&](std::uint64_t, const Key& key, const Value& value) {
                        mean_.note(owned_bytes(key) + owned(value));
                      });
  }
  void look_at(const table& rows) {
    if constexpr (!std::is_trivially_copyable_v<Key> || !std::is_trivially_copyable_v<Value>) {
      look_at(rows, [](const Value& value) { return owned_bytes(value); });
    }
  }

  /// What the keys and values of so many rows own, by what was seen.
  std::uint64_t owned_by(std::uint64_t rows) const { return mean_.of(rows); }
  std::uint64_t owned_by_row() const { return owned_by(precision) / precision; }

 private:
  static constexpr std::size_t rows_per_look = 16;
  static constexpr std::uint64_t precision = 1024;

  owned_mean mean_;
  std::size_t cursor_ = 0;
};

}  // namespace freshet::detail
