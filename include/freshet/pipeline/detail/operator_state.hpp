// What operators share when they write their state and take it up again. Internal.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/schema.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

/// The summaries of all instances before, decoded; at least one.
template <class Summary>
std::vector<Summary> read_summaries(const state_reader& from) {
  std::vector<Summary> all;
  for (const std::string_view bytes : from.summaries()) {
    auto each = from_bytes<Summary>(bytes);
    if (!each.ok()) from.fail(each.status());
    all.push_back(*std::move(each));
  }
  if (all.empty()) from.fail("it has no instance");
  return all;
}

/// Makes the rows of a `keyed_table` that `to` wants part of a snapshot: all of them, at once; or
/// what changed since the last one, which `table.snapshot_some` hands out.
template <class Table, class Put, class Erased>
void begin_rows(Table& table, const state_writer& to, Put put, Erased erased) {
  if (to.everything()) {
    std::as_const(table).for_each(put);
  } else {
    table.begin_snapshot(std::move(put), std::move(erased));
  }
}

/// Writes what is left of an operator's snapshot.
inline void finish_snapshot(runtime_operator& of) {
  for (bool complete = false; !complete;) {
    std::size_t rows = std::numeric_limits<std::size_t>::max();
    complete = of.continue_snapshot(rows);
  }
}

/// Memory for the bytes of one row after the other.
class row_bytes {
 public:
  /// The parts behind each other. Good until the next key.
  template <class... Parts>
  std::string_view key(const Parts&... parts) {
    return fill(key_, parts...);
  }
  /// The same for values.
  template <class... Parts>
  std::string_view value(const Parts&... parts) {
    return fill(value_, parts...);
  }

 private:
  template <class... Parts>
  static std::string_view fill(std::string& bytes, const Parts&... parts) {
    bytes.clear();
    byte_writer writer(bytes);
    (encode(writer, parts), ...);
    return bytes;
  }

  std::string key_;
  std::string value_;
};

}  // namespace freshet::detail
