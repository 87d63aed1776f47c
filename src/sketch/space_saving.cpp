#include <freshet/sketch/space_saving.hpp>

#include <fmt/format.h>

#include <bit>
#include <numeric>
#include <stdexcept>
#include <tuple>

namespace freshet {

namespace {

/// Of the table: nearly empty, so that most searches end at the first slot, which is three times as
/// fast as half full.
constexpr std::size_t slots_per_counter = 8;
constexpr std::size_t fewest_slots = 64;

std::uint64_t half_rounded_up(std::uint64_t value) {
  return value / 2 + value % 2;
}

bool heavier(const counted_hash& a, const counted_hash& b) {
  return std::tie(b.count, a.error, a.hash) < std::tie(a.count, b.error, b.hash);
}

}  // namespace

space_saving::space_saving(std::size_t capacity) : capacity_(capacity) {
  if (capacity < 1 || capacity > capacity_max) {
    throw std::invalid_argument(
        fmt::format("space_saving: capacity {} is not in [1, {}]; give a number of counters, such "
                    "as 128",
                    capacity, capacity_max));
  }
  make_table(std::min(fewest_slots, std::bit_ceil(slots_per_counter * capacity)));
}

/// A table of so many slots, a power of two, with the counters that there are.
void space_saving::make_table(std::size_t slots) {
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  table_.assign(slots, vacant);
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    table_[slot_of(hashes_[i])] = static_cast<std::uint32_t>(i);
  }
}

void space_saving::track(const counted_hash& fresh) {
  if (slots_per_counter * (counts_.size() + 1) > table_.size()) make_table(2 * table_.size());
  table_[slot_of(fresh.hash)] = static_cast<std::uint32_t>(counts_.size());
  hashes_.push_back(fresh.hash);
  counts_.push_back(fresh.count);
  errors_.push_back(fresh.error);
}

std::size_t space_saving::admit(std::uint64_t hash, std::uint64_t weight, std::size_t slot) {
  if (counts_.size() < capacity_) {
    // The level is 0, but after a merge with a sketch of fewer counters, which had replaced keys.
    track({hash, saturating_sum(level_, weight), level_});
    return counts_.size() - 1;
  }
  const std::size_t victim = next_victim();
  vacate(slot_of(hashes_[victim]));
  // The gap may have come nearer to where the hash would like to stand.
  if (slot != home_of(hash)) slot = slot_of(hash);
  table_[slot] = static_cast<std::uint32_t>(victim);
  hashes_[victim] = hash;
  counts_[victim] = saturating_sum(level_, weight);
  errors_[victim] = level_;
  return victim;
}

/// The next counter of the lowest count.
std::size_t space_saving::next_victim() {
  while (true) {
    while (cursor_ < capacity_) {
      if (counts_[cursor_++] == level_) return cursor_ - 1;
    }
    level_ = *std::min_element(counts_.begin(), counts_.end());
    cursor_ = 0;
  }
}

/// Empties a slot, and moves those up that would not be found behind the gap any more.
/// \source Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithm R.
void space_saving::vacate(std::size_t slot) {
  for (std::size_t next = (slot + 1) & mask_; table_[next] != vacant; next = (next + 1) & mask_) {
    const std::size_t home = home_of(hashes_[table_[next]]);
    if (((next - home) & mask_) < ((next - slot) & mask_)) continue;
    table_[slot] = table_[next];
    slot = next;
  }
  table_[slot] = vacant;
}

std::vector<std::uint32_t> space_saving::heaviest(std::size_t wanted) const {
  std::vector<std::uint32_t> counters(size());
  std::iota(counters.begin(), counters.end(), 0U);
  const auto some = static_cast<std::ptrdiff_t>(std::min(wanted, size()));
  std::partial_sort(counters.begin(), counters.begin() + some, counters.end(),
                    [&](std::uint32_t a, std::uint32_t b) { return heavier(at(a), at(b)); });
  counters.resize(static_cast<std::size_t>(some));
  return counters;
}

std::vector<counted_hash> space_saving::items() const {
  return sorted_if([](const counted_hash&) { return true; });
}

std::vector<counted_hash> space_saving::may_exceed(std::uint64_t threshold) const {
  return sorted_if([=](const counted_hash& each) { return each.count > threshold; });
}

std::vector<counted_hash> space_saving::must_exceed(std::uint64_t threshold) const {
  return sorted_if([=](const counted_hash& each) { return each.at_least() > threshold; });
}

template <class Wanted>
std::vector<counted_hash> space_saving::sorted_if(Wanted wanted) const {
  std::vector<counted_hash> some;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const counted_hash each = at(i);
    if (wanted(each)) some.push_back(each);
  }
  std::sort(some.begin(), some.end(), heavier);
  return some;
}

void space_saving::halve() {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::uint64_t at_least = (counts_[i] - errors_[i]) / 2;
    counts_[i] = half_rounded_up(counts_[i]);
    errors_[i] = counts_[i] - at_least;
  }
  total_ = half_rounded_up(total_);
  level_ = half_rounded_up(level_);
  cursor_ = 0;
}

void space_saving::merge(const space_saving& other) {
  // A key that one side does not track has there between nothing and that side's level.
  std::vector<counted_hash> all;
  all.reserve(size() + other.size());
  for (const counted_hash& mine : items()) {
    const counted_hash theirs = other.estimate(mine.hash);
    all.push_back({mine.hash, saturating_sum(mine.count, theirs.count),
                   saturating_sum(mine.error, theirs.error)});
  }
  for (const counted_hash& theirs : other.items()) {
    if (table_[slot_of(theirs.hash)] != vacant) continue;
    all.push_back(
        {theirs.hash, saturating_sum(theirs.count, level_), saturating_sum(theirs.error, level_)});
  }
  std::sort(all.begin(), all.end(), heavier);
  total_ = saturating_sum(total_, other.total_);
  level_ = saturating_sum(level_, other.level_);
  if (all.size() > capacity_) {
    // Of equal counts some may stay and others go; the level is what any of those may have had.
    level_ = std::max(level_, all[capacity_].count);
    all.resize(capacity_);
  }
  cursor_ = 0;
  std::fill(table_.begin(), table_.end(), vacant);
  hashes_.clear();
  counts_.clear();
  errors_.clear();
  for (const counted_hash& each : all) track(each);
}

void codec<space_saving>::encode(byte_writer& writer, const space_saving& value) {
  writer.write_count(value.capacity_);
  writer.write_count(value.total_);
  writer.write_count(value.level_);
  writer.write_count(value.cursor_);
  writer.write_count(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    writer.write_fixed(value.hashes_[i]);
    writer.write_count(value.counts_[i]);
    writer.write_count(value.errors_[i]);
  }
}

bool codec<space_saving>::decode(byte_reader& reader, space_saving& value) {
  std::uint64_t capacity = 0;
  std::uint64_t total = 0;
  std::uint64_t level = 0;
  std::uint64_t cursor = 0;
  std::size_t size = 0;
  constexpr std::size_t fewest_bytes = 10;
  if (!reader.read_count(capacity) || !reader.read_count(total) || !reader.read_count(level) ||
      !reader.read_count(cursor) || !reader.read_size(size, fewest_bytes)) {
    return false;
  }
  if (capacity < 1 || capacity > space_saving::capacity_max || size > capacity ||
      cursor > capacity) {
    return reader.fail("a capacity, size or cursor found that no sketch has");
  }
  value = space_saving(static_cast<std::size_t>(capacity));
  value.total_ = total;
  for (std::size_t i = 0; i < size; ++i) {
    counted_hash each;
    if (!reader.read_fixed(each.hash) || !reader.read_count(each.count) ||
        !reader.read_count(each.error)) {
      return false;
    }
    // A count below the level would never be replaced, and the search for a victim would not end.
    if (each.error > each.count || each.count < level) {
      return reader.fail("a counter found that contradicts itself or the level");
    }
    if (value.table_[value.slot_of(each.hash)] != space_saving::vacant) {
      return reader.fail("two counters of one key found");
    }
    value.track(each);
  }
  value.level_ = level;
  value.cursor_ = static_cast<std::size_t>(cursor);
  return true;
}

}  // namespace freshet
