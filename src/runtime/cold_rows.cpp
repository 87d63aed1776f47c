#include <freshet/pipeline/detail/cold_rows.hpp>

#include "change_log.hpp"

#include <freshet/pipeline/detail/dataflow.hpp>

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace freshet::detail {

namespace {

/// Read with one call: what the backend holds of them meanwhile must be little.
constexpr std::size_t read_at_once = 128;

/// What an erased key costs besides its bytes.
constexpr std::size_t erased_key_bytes = sizeof(std::string) + 8;

/// What a row costs while a commit writes it, besides its bytes: `change_log::in_order`.
constexpr std::size_t copy_overhead_bytes = 104;

void append_prefix(std::string& to, std::uint32_t state, std::uint64_t hash) {
  const auto number = encode_state_number(state);
  to.append(number.data(), number.size());
  for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>((hash >> shift) & 0xff);
}

std::uint64_t hash_of(std::string_view key) {
  std::uint64_t hash = 0;
  for (std::size_t i = state_number_bytes; i < key_prefix_bytes; ++i) {
    hash = hash << 8 | static_cast<unsigned char>(key[i]);
  }
  return hash;
}

}  // namespace

struct cold_rows::erased_keys {
  absl::flat_hash_set<std::string> fresh;  ///< Since the last snapshot.
  absl::flat_hash_set<std::string> taken;  ///< Before, and not durable yet.
  std::size_t bytes = 0;                   ///< Of both.

  bool contain(std::string_view key) const {
    const absl::string_view wanted(key.data(), key.size());
    return fresh.contains(wanted) || taken.contains(wanted);
  }
};

cold_rows::cold_rows(state_backend& backend, memory_pressure& pressure, std::uint32_t state,
                     std::size_t budget_bytes, std::string place)
    : backend_(backend),
      pressure_(pressure),
      state_(state),
      budget_bytes_(budget_bytes),
      place_(std::move(place)),
      erased_(std::make_unique<erased_keys[]>(key_groups)) {}

cold_rows::~cold_rows() = default;

std::uint64_t cold_rows::dropped(const key_group_set& of) const {
  std::uint64_t all = 0;
  for (std::uint32_t each = 0; each < key_groups; ++each) {
    if (of.contains_group(each)) all += dropped_[each].load(std::memory_order_relaxed);
  }
  return all;
}

void cold_rows::note_erased(std::uint64_t hash, std::string_view key) {
  erased_keys& of = erased_[key_group_of(hash)];
  if (of.fresh.insert(std::string(key)).second) of.bytes += key.size() + erased_key_bytes;
}

void cold_rows::note_snapshot(const key_group_set& of) {
  for (std::uint32_t each = 0; each < key_groups; ++each) {
    if (!of.contains_group(each)) continue;
    erased_keys& own = erased_[each];
    if (own.taken.empty()) {
      own.taken.swap(own.fresh);
    } else {
      own.taken.merge(own.fresh);
      own.fresh.clear();
    }
  }
}

void cold_rows::note_durable(const key_group_set& of) {
  for (std::uint32_t each = 0; each < key_groups; ++each) {
    if (!of.contains_group(each)) continue;
    erased_keys& own = erased_[each];
    if (own.taken.empty()) continue;
    own.taken = {};
    own.bytes = 0;
    for (const std::string& key : own.fresh) own.bytes += key.size() + erased_key_bytes;
  }
}

std::size_t cold_rows::erased_bytes(const key_group_set& of) const {
  std::size_t all = 0;
  for (std::uint32_t each = 0; each < key_groups; ++each) {
    if (of.contains_group(each)) all += erased_[each].bytes;
  }
  return all;
}

void cold_rows::want(cold_keys& to, std::uint64_t hash, std::string_view key) const {
  if (erased_[key_group_of(hash)].contain(key)) return;
  append_prefix(to.bytes_, state_, hash);
  to.bytes_ += key;
  to.ends_.push_back(to.bytes_.size());
}

void cold_rows::read(cold_keys& wanted, row_function row) const {
  std::vector<std::string_view>& keys = wanted.in_order_;
  keys.clear();
  std::size_t begin = 0;
  for (const std::size_t end : wanted.ends_) {
    keys.push_back(std::string_view(wanted.bytes_).substr(begin, end - begin));
    begin = end;
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  for (std::size_t first = 0; first < keys.size(); first += read_at_once) {
    const auto some = std::span(keys).subspan(first, std::min(read_at_once, keys.size() - first));
    check_read(backend_.read_rows(
        some, [&](std::size_t index, std::string_view value) { give(some[index], value, row); }));
  }
  wanted.clear();
}

void cold_rows::read_all(const key_group_set& of, row_function row) const {
  // The first byte of a hash names its key group, and one bit more.
  static_assert(key_groups == 128);
  for (std::uint32_t each = 0; each < key_groups; ++each) {
    if (!of.contains_group(each) || dropped_[each].load(std::memory_order_relaxed) == 0) continue;
    const erased_keys& own = erased_[each];
    for (std::uint64_t byte = 2 * each; byte < 2 * each + 2; ++byte) {
      std::string prefix;
      append_prefix(prefix, state_, byte << 56);
      prefix.resize(state_number_bytes + 1);
      check_read(backend_.scan_newest(prefix, [&](std::string_view key, std::string_view value) {
        if (key.size() >= key_prefix_bytes && own.contain(key.substr(key_prefix_bytes))) {
          return absl::OkStatus();
        }
        give(key, value, row);
        return absl::OkStatus();
      }));
    }
  }
}

void cold_rows::give(std::string_view key, std::string_view value, row_function row) const {
  if (key.size() < key_prefix_bytes || value.size() < expiry_bytes) {
    check_read(absl::DataLossError("a row is too short"));
  }
  row(hash_of(key), key.substr(key_prefix_bytes), value.substr(expiry_bytes));
}

void cold_rows::check_read(const absl::Status& status) const {
  if (status.ok()) return;
  check(absl::Status(status.code(), fmt::format("{}: rows that are not in memory cannot be read "
                                                "back ({}); start again to go on from a commit",
                                                place_, std::string(status.message()))));
}

void cold_rows::want_commit(bool urgently) const {
  if (urgently) pressure_.sources_wait.store(true, std::memory_order_relaxed);
  if (pressure_.wants_commit.exchange(true, std::memory_order_relaxed)) return;
  if (pressure_.tell) pressure_.tell();
}

row_budget::row_budget(std::size_t budget_bytes, std::size_t row_bytes,
                       std::size_t (*rows_within)(std::size_t))
    : budget_bytes_(budget_bytes), copy_sum_(row_bytes), copy_count_(1) {
  // A table has sizes that double: the one with which most rows fit, with their copies.
  constexpr std::size_t smallest = 256;
  for (std::size_t bytes = budget_bytes; bytes >= smallest;
       bytes -= std::max(bytes / 16, smallest)) {
    const std::size_t rows =
        std::min(rows_within(bytes), (budget_bytes - bytes) / (row_bytes + copy_overhead_bytes));
    if (rows <= table_rows_) continue;
    table_rows_ = rows;
    table_bytes_ = bytes;
  }
  table_rows_ = rows_within(table_bytes_);
}

void row_budget::note_copy(std::size_t bytes) {
  copy_sum_ += bytes;
  if (++copy_count_ < 256) return;
  copy_sum_ /= 2;
  copy_count_ /= 2;
}

std::size_t row_budget::rows_at_most(std::uint64_t owned_bytes, std::uint64_t other_bytes) const {
  // An eighth of the table is left for rows that come before any may go.
  const std::size_t by_table = table_rows_ - table_rows_ / 8;
  const std::uint64_t taken = table_bytes_ + other_bytes;
  const std::uint64_t left = budget_bytes_ > taken ? budget_bytes_ - taken : 0;
  const std::uint64_t each = owned_bytes + copy_sum_ / copy_count_ + copy_overhead_bytes;
  // Some rows have to be in memory to be worked with.
  const std::size_t least = std::max<std::size_t>(1, table_rows_ / 16);
  return std::clamp<std::size_t>(static_cast<std::size_t>(left / each), least,
                                 std::max(by_table, least));
}

}  // namespace freshet::detail
