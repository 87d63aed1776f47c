// The operator behind `to(name, upsert(key))`. Internal.
//
// Threads: one task. Memory: one row per key.
#pragma once

#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/schema.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/readable.hpp>
#include <freshet/pipeline/detail/row_eviction.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/state/keyed_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

/// Where no row deletes.
struct deletes_nothing {
  template <class T>
  bool operator()(const T&) const {
    return false;
  }
};

template <class T, class KeyOf, class Deletes>
class upsert_operator final : public unary_operator<T, T>,
                              public readable_rows<key_of_t<KeyOf, T>, T> {
 public:
  using key = key_of_t<KeyOf, T>;

  upsert_operator(KeyOf key_of, Deletes deletes)
      : key_of_(std::move(key_of)), deletes_(std::move(deletes)) {}

  void open(const operator_context& context) override {
    this->runtime_operator::open(context);
    table_ = keyed_table<key, T>(spread_over(context.groups));
    evicting_.open(this->context());
  }

  void consume(batch<T>& rows) override { share(rows); }

  void share(const batch<T>& rows) override {
    this->count_in(rows);
    meter_.look_at(table_);
    evicting_.bring_back(table_, rows, key_of_, meter_.owned_by_row(), bytes_);
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) apply(rows.hashes[row], rows.values[row]);
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
  }

  void read(std::uint64_t hash, const key& of, std::vector<T>& into) const override {
    if (const T* row = table_.find(hash, of); row != nullptr) {
      into.push_back(*row);
    } else if (evicting_.holds(hash)) {
      row_bytes bytes;
      evicting_.look_at(hash, bytes.key(of),
                        [&](std::uint64_t, std::string_view, std::string_view value) {
                          absl::StatusOr<T> stored = from_bytes<T>(value);
                          evicting_.check_read(stored.status());
                          into.push_back(*std::move(stored));
                        });
    }
  }
  timestamp reads_at() const override { return frontier_; }

  std::optional<state_size> held_state() override {
    meter_.look_at(table_);
    state_size all = table_meter<key, T>::of(table_);
    all.bytes += meter_.owned_by(all.entries);
    all.cold = evicting_.count_cold();
    all.entries += all.cold;
    return all;
  }

  static state_layout layout() { return {schema_of<timestamp>(), {{"", schema_of<T>()}}}; }

  void snapshot(state_writer& to) override {
    // Rows stay when all windows have closed: even the end of time comes before they expire.
    to.summary(to_bytes(frontier_), std::min(frontier_, timestamp_max - duration{1}));
    evicting_.begin_snapshot(table_, to);
    begin_rows(
        table_, to,
        [this, &to](std::uint64_t hash, const key& of, const T& row) {
          const std::string_view key_bytes = bytes_.key(of);
          const std::string_view value = bytes_.value(row);
          to.put(hash, key_bytes, timestamp_max, value);
          evicting_.note_copy(key_bytes.size() + value.size());
        },
        [this, &to](std::uint64_t hash, const key& of) { to.erase(hash, bytes_.key(of)); });
  }
  bool continue_snapshot(std::size_t& rows) override { return table_.snapshot_some(rows); }
  void note_durable() override { evicting_.note_durable(table_); }

  void restore(state_reader& from) override {
    for (const timestamp each : read_summaries<timestamp>(from)) {
      frontier_ = std::max(frontier_, each);
    }
    const bool leaves_out = evicting_.can_leave_out(from);
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto of = from_bytes<key>(key_bytes);
      if (!of.ok()) from.fail(of.status());
      auto row = from_bytes<T>(value);
      if (!row.ok()) from.fail(row.status());
      if (leaves_out && evicting_.is_full(table_, meter_.owned_by_row(), 0)) {
        evicting_.leave_out(hash);
      } else {
        table_.insert_restored(hash, std::move(*of), std::move(*row));
      }
    });
    evicting_.end_restore(table_, leaves_out);
  }

 protected:
  void on_watermark(timestamp frontier) override { frontier_ = std::max(frontier_, frontier); }

 private:
  void apply(std::uint64_t hash, const T& row) {
    const key& of = key_of_record(key_of_, row);
    if (std::invoke(deletes_, row)) {
      if (evicting_.on()) note_erased(hash, of);
      table_.erase(hash, of);
    } else {
      *table_.get_or_insert(hash, of, [] { return T{}; }).first = row;
    }
  }

  void note_erased(std::uint64_t hash, const key& of) {
    const T* kept = table_.find(hash, of);
    if (kept != nullptr && table_.is_known(kept)) evicting_.note_erased(hash, bytes_.key(of));
  }

  KeyOf key_of_;
  Deletes deletes_;
  keyed_table<key, T> table_;
  table_meter<key, T> meter_;
  row_bytes bytes_;
  row_eviction<key, T> evicting_;
  timestamp frontier_ = timestamp_min;
};

}  // namespace freshet::detail
