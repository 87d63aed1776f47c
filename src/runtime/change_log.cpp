#include "change_log.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace freshet::detail {

namespace {

constexpr std::size_t block_bytes_min = std::size_t{4} << 10;
constexpr std::size_t block_bytes_max = std::size_t{256} << 10;

/// Stands for the length of a value that is none, because the row is gone.
constexpr std::uint32_t erased = std::numeric_limits<std::uint32_t>::max();

/// What precedes the bytes of a change.
struct change_header {
  std::uint32_t key_bytes = 0;  ///< With the prefix.
  std::uint32_t value_bytes = 0;
};

template <class Unsigned>
Unsigned big_endian(Unsigned value) {
  if constexpr (std::endian::native == std::endian::big) {
    return value;
  } else if constexpr (sizeof(Unsigned) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

template <class Unsigned>
char* write_big_endian(char* to, Unsigned value) {
  value = big_endian(value);
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

template <class Unsigned>
Unsigned read_big_endian(const char* from) {
  Unsigned value = 0;
  std::memcpy(&value, from, sizeof value);
  return big_endian(value);
}

char* write_bytes(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

/// What `encode_expiry` gives.
char* write_expiry(char* to, timestamp expires_at) {
  constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
  const auto count = static_cast<std::uint64_t>(expires_at.time_since_epoch().count());
  return write_big_endian(to, count ^ sign_bit);
}

/// A length that leaves room for what goes before, and for `erased`.
std::uint32_t length_of(std::string_view bytes, std::size_t before) {
  if (bytes.size() >= erased - before) {
    throw std::length_error("a state row has 4 GiB or more");
  }
  return static_cast<std::uint32_t>(bytes.size() + before);
}

}  // namespace

struct change_log::entry {
  std::uint64_t hash = 0;
  const char* key = nullptr;
  std::uint32_t state = 0;
  std::uint32_t snapshot = 0;
  change_header sizes;

  std::string_view own_key() const {
    return {key + key_prefix_bytes, sizes.key_bytes - key_prefix_bytes};
  }
  bool has_key_of(const entry& other) const {
    return state == other.state && hash == other.hash && own_key() == other.own_key();
  }
  /// By key; of one key that first which counts.
  friend bool operator<(const entry& a, const entry& b) {
    if (a.state != b.state) return a.state < b.state;
    if (a.hash != b.hash) return a.hash < b.hash;
    if (const int order = a.own_key().compare(b.own_key()); order != 0) return order < 0;
    if (a.snapshot != b.snapshot) return a.snapshot > b.snapshot;
    return a.sizes.value_bytes != erased && b.sizes.value_bytes == erased;
  }
};

char* change_log::room_for(std::size_t bytes) {
  // Blocks of other snapshots come by `add`.
  if (blocks_.empty() || blocks_.back().snapshot != 0 ||
      blocks_.back().size - blocks_.back().used < bytes) {
    std::size_t size = block_bytes_min;
    if (!blocks_.empty()) size = std::min(block_bytes_max, 4 * blocks_.back().size);
    block fresh;
    fresh.size = std::max(size, bytes);
    fresh.bytes = std::make_unique_for_overwrite<char[]>(fresh.size);
    blocks_.push_back(std::move(fresh));
  }
  block& last = blocks_.back();
  char* const room = last.bytes.get() + last.used;
  last.used += bytes;
  return room;
}

/// \return where the value goes.
char* change_log::append(std::uint32_t state, std::uint64_t hash, std::string_view key,
                         std::uint32_t value_bytes) {
  const change_header sizes{length_of(key, key_prefix_bytes), value_bytes};
  const std::size_t bytes = sizes.key_bytes + (value_bytes == erased ? 0 : value_bytes);
  char* to = room_for(sizeof sizes + bytes);
  std::memcpy(to, &sizes, sizeof sizes);
  to = write_big_endian(to + sizeof sizes, state);
  to = write_big_endian(to, hash);
  ++rows_;
  bytes_ += bytes;
  return write_bytes(to, key);
}

void change_log::put(std::uint32_t state, std::uint64_t hash, std::string_view key,
                     timestamp expires_at, std::string_view value) {
  char* const to = append(state, hash, key, length_of(value, expiry_bytes));
  write_bytes(write_expiry(to, expires_at), value);
}

void change_log::erase(std::uint32_t state, std::uint64_t hash, std::string_view key) {
  append(state, hash, key, erased);
}

void change_log::add(change_log other, std::uint32_t later) {
  for (block& each : other.blocks_) each.snapshot += later;
  blocks_.insert(blocks_.end(), std::make_move_iterator(other.blocks_.begin()),
                 std::make_move_iterator(other.blocks_.end()));
  rows_ += std::exchange(other.rows_, 0);
  bytes_ += std::exchange(other.bytes_, 0);
  other.blocks_.clear();
}

std::vector<change_log::entry> change_log::entries() const {
  std::vector<entry> all;
  all.reserve(rows_);
  for (const block& each : blocks_) {
    for (const char* at = each.bytes.get(); at != each.bytes.get() + each.used;) {
      entry next;
      std::memcpy(&next.sizes, at, sizeof next.sizes);
      next.key = at + sizeof next.sizes;
      next.state = read_big_endian<std::uint32_t>(next.key);
      next.hash = read_big_endian<std::uint64_t>(next.key + state_number_bytes);
      next.snapshot = each.snapshot;
      const std::uint32_t value_bytes = next.sizes.value_bytes;
      at = next.key + next.sizes.key_bytes + (value_bytes == erased ? 0 : value_bytes);
      all.push_back(next);
    }
  }
  assert(all.size() == rows_);
  return all;
}

/// Hashes are spread evenly, so that the entries of a state are nearly in order when they are put
/// into as many buckets by the high bits of their hashes.
std::vector<change_log::entry> change_log::sorted(std::vector<entry> all) {
  if (std::is_sorted(all.begin(), all.end())) return all;
  struct part {
    std::size_t rows = 0;
    std::size_t buckets_before = 0;
    int shift = 0;
  };
  std::map<std::uint32_t, part> parts;
  std::uint32_t last = 0;
  part* known = nullptr;
  const auto part_of = [&](std::uint32_t state) -> part& {
    if (known == nullptr || last != state) known = &parts[state];
    last = state;
    return *known;
  };
  for (const entry& each : all) ++part_of(each.state).rows;
  std::size_t buckets = 0;
  for (auto& [state, each] : parts) {
    const int bits = std::max(1, static_cast<int>(std::bit_width(each.rows)) - 1);
    each.shift = 64 - bits;
    each.buckets_before = buckets;
    buckets += std::size_t{1} << bits;
  }
  const auto bucket_of = [&part_of](const entry& each) {
    const part& of = part_of(each.state);
    return of.buckets_before + static_cast<std::size_t>(each.hash >> of.shift);
  };
  std::vector<std::size_t> ends(buckets + 1);
  for (const entry& each : all) ++ends[bucket_of(each) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<entry> made(all.size());
  for (const entry& each : all) made[ends[bucket_of(each)]++] = each;
  for (std::size_t begin = 0, bucket = 0; bucket < buckets; begin = ends[bucket++]) {
    const auto at = [&made](std::size_t index) {
      return made.begin() + static_cast<std::ptrdiff_t>(index);
    };
    if (ends[bucket] > begin + 1) std::sort(at(begin), at(ends[bucket]));
  }
  return made;
}

std::vector<state_change_view> change_log::in_order() const {
  const std::vector<entry> all = sorted(entries());
  std::vector<state_change_view> changes;
  changes.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const entry& each = all[i];
    if (i > 0 && each.has_key_of(all[i - 1])) continue;
    state_change_view& made = changes.emplace_back();
    made.key = {each.key, each.sizes.key_bytes};
    if (each.sizes.value_bytes != erased) {
      made.value.emplace(each.key + each.sizes.key_bytes, each.sizes.value_bytes);
    }
  }
  return changes;
}

change_log change_log::latest() const {
  change_log made;
  for (const state_change_view& each : in_order()) {
    const std::string_view value = each.value.value_or(std::string_view());
    const change_header sizes{static_cast<std::uint32_t>(each.key.size()),
                              each.value ? static_cast<std::uint32_t>(value.size()) : erased};
    const std::size_t bytes = each.key.size() + value.size();
    char* to = made.room_for(sizeof sizes + bytes);
    std::memcpy(to, &sizes, sizeof sizes);
    write_bytes(write_bytes(to + sizeof sizes, each.key), value);
    ++made.rows_;
    made.bytes_ += bytes;
  }
  return made;
}

}  // namespace freshet::detail
