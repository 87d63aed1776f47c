// A hash table for the state of one operator: key -> value, remembering what changed.
//
// Open addressing with linear probing, rows inline, every run of rows kept sorted by (hash, key).
// Rows therefore stand, and are visited, in one canonical order that depends on nothing but the
// rows: not on the order of insertion, not on the capacity. Hashes come from outside
// (`stable_hash`, computed once where the stream is keyed); every 64-bit value is legal, and bad
// hashes only cost time.
//
// A snapshot of what changed is taken while the table goes on changing: `begin_snapshot` marks the
// rows, `snapshot_some` hands them out slice by slice, and a marked row that is about to change, or
// to go, is handed out before. So each is handed out once, as it was when the snapshot began.
//
// Rows may be taken out of memory while somebody else has them: `mark_stored` says that the rows of
// all snapshots so far are in a database, `evict_some` drops those that have not changed since, the
// ones untouched for longest first, and `insert_stored` puts back what was read there again. The
// table does not remember what it has dropped: whoever asks it for a key looks there first.
//
// Time: plays no part.   Threads: one at a time.
// Memory: one block of capacity * (sizeof {hash, key, value} + 1) bytes, filled to at most 0.7
// (0.2 to 0.33 while it fits into a cache) and doubled at once when full, plus a list of the keys
// erased since the last snapshot began.
#pragma once

#include <freshet/state/key_group_spread.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace freshet {

/// What `keyed_table::sweep` does with a row after it has been looked at.
enum class row_fate : std::uint8_t {
  keep,     ///< Nothing; the value was not changed.
  changed,  ///< The value was changed: the row stays and is part of the next snapshot.
  erase,    ///< The row goes, and the next snapshot says so if an earlier one had it.
  forget,  ///< The row goes silently: whoever keeps the checkpoint knows by itself that it expires.
};

/// The hashes a table expects, both ends included. Rows spread evenly over the table only if their
/// hashes spread evenly over this range; a table for a part of the key groups names that part, or
/// is given a `key_group_spread`.
struct hash_range {
  std::uint64_t first = 0;
  std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
};

/// What may be a key of a table. Order is asked for only where two hashes are equal.
template <class Key>
concept table_key = std::movable<Key> && std::is_nothrow_move_constructible_v<Key> &&
                    requires(const Key& left, const Key& right) {
                      { left == right } -> std::convertible_to<bool>;
                      { left < right } -> std::convertible_to<bool>;
                    };

/// What may be a value of a table: rows move when others come and go, and that must not fail
/// halfway.
template <class Value>
concept table_value =
    std::is_nothrow_move_constructible_v<Value> && std::is_nothrow_destructible_v<Value>;

/// See the top of this file. Pointers to values stay valid until the next insertion, erasure,
/// sweep, or clearing, and may be written through until the next `begin_snapshot`. An exception
/// from a key, a value, the memory, or the snapshot under way leaves every row as it was.
/// \source Amble and Knuth, "Ordered hash tables", The Computer Journal 17 (1974): runs in key
/// order.
template <class Key, class Value>
class keyed_table {
  static_assert(
      table_key<Key>,
      "freshet: this type cannot be a key of a table; give it ==, <, and a move constructor "
      "that is noexcept");
  static_assert(
      table_value<Value>,
      "freshet: this type cannot be a value of a table; give it a move constructor that is "
      "noexcept, or hold it by std::unique_ptr");

 public:
  keyed_table() = default;

  /// A table for the hashes of `expected`. Others are legal and cost time: they meet at its ends.
  /// \pre expected.first <= expected.last.
  explicit keyed_table(hash_range expected)
      : first_(expected.first), scale_(scale_of(expected)), last_(expected.last) {}

  /// A table for the key groups of `spread`; null: for all. The spread is shared, not copied.
  explicit keyed_table(key_group_spread_handle spread) {
    if (spread != nullptr && spread->is_range()) {
      keyed_table ranged(hash_range{spread->first(), spread->last()});
      swap(ranged);
    } else {
      spread_ = std::move(spread);
    }
  }

  keyed_table(keyed_table&& other) noexcept { swap(other); }
  keyed_table& operator=(keyed_table&& other) noexcept {
    keyed_table taken(std::move(other));
    swap(taken);
    return *this;
  }
  /// \note What a snapshot under way has not handed out by then is lost: see `finish_snapshot`.
  ~keyed_table() { destroy_rows(); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// The value of `key`, or null. `K` is `Key`, or a view that compares with it (`==` and `<`).
  /// \note A value changed through the pointer is part of the next snapshot only after
  ///       `mark_dirty`.
  template <class K>
  [[nodiscard]] Value* find(std::uint64_t hash, const K& key) {
    const std::size_t index = find_index(hash, key);
    if (index == none) return nullptr;
    keep_for_snapshot(index);
    return &slots_[index].content.value;
  }
  template <class K>
  [[nodiscard]] const Value* find(std::uint64_t hash, const K& key) const {
    const std::size_t index = find_index(hash, key);
    return index == none ? nullptr : &slots_[index].content.value;
  }

  /// The value of `key` and whether it is new; a new one is what `make()` returns. Either way the
  /// row is part of the next snapshot. \pre `make` leaves this table alone.
  /// \cost Amortised O(1); the insertion that doubles the table moves every row.
  template <class K, std::invocable Make>
  [[gnu::always_inline]] std::pair<Value*, bool> get_or_insert(std::uint64_t hash, K&& key,
                                                               Make&& make) {
    // Always inline, here and in what it calls: every record comes here, and g++ 12 stops inlining
    // in large translation units.
    const std::size_t near = near_home(hash);
    if (is_row(near, hash, key)) [[likely]] {
      if ((states_[near] & pending) != 0) [[unlikely]]
        hand_out(near);
      states_[near] |= dirty | recent;
      return {&slots_[near].content.value, false};
    }
    return get_or_insert_far(hash, std::forward<K>(key), std::forward<Make>(make));
  }

  /// The same with `Value{}` for a new key.
  template <class K>
  [[gnu::always_inline]] std::pair<Value*, bool> get_or_insert(std::uint64_t hash, K&& key) {
    return get_or_insert(hash, std::forward<K>(key), [] { return Value{}; });
  }

  /// Puts back a row that a checkpoint already holds: it is no change. Cheapest in canonical order.
  /// \pre `key` is not in the table and was not erased since the last snapshot began.
  void insert_restored(std::uint64_t hash, Key key, Value value) {
    assert(find_index(hash, key) == none);
    const std::size_t index = open_slot(hash, key, behind_restored(hash, key));
    fill_slot(index, hash, std::move(key), std::move(value), occupied | handed_out);
    restored_ = index;
  }

  /// Whether `key` is in the table. It counts as no use of the row.
  template <class K>
  [[nodiscard]] bool contains(std::uint64_t hash, const K& key) const {
    return find_index(hash, key) != none;
  }

  /// The rows of all snapshots so far are stored as they were handed out.
  /// \pre no snapshot is under way. \cost One pass over the table's state bytes.
  void mark_stored() noexcept {
    assert(snapshot_ == nullptr);
    constexpr std::uint64_t stored_bits = 0x0101010101010101U * stored;
    static_assert(handed_out << 2 == stored && dirty << 3 == stored);
    for (std::size_t start = 0; start < total_; start += word_bytes) {
      std::uint64_t word = 0;
      std::memcpy(&word, states_ + start, word_bytes);
      word |= (word << 2) & ~(word << 3) & stored_bits;
      std::memcpy(states_ + start, &word, word_bytes);
    }
  }

  /// Drops at most `count` rows that are stored as they are now, and calls `gone(hash, key, value)`
  /// before. Looks at about `slots` slots, a few here and a few there: where many rows go together,
  /// others would crowd elsewhere. `hand` says where, and is moved on; within as many slots as
  /// there are it comes everywhere once. A hand starts at 0. A row is passed over once after it was
  /// used.
  /// \return how many rows it has dropped.
  template <class Gone>
  std::size_t evict_some(std::size_t& hand, std::size_t slots, std::size_t count, Gone&& gone) {
    constexpr std::size_t stretch = 32;
    constexpr std::uint64_t step = 0x9e3779b97f4a7c15U;  // Odd, and far from any simple fraction.
    std::size_t dropped = 0;
    for (std::size_t looked = 0; looked < slots && dropped < count && size_ > 0; ++hand) {
      const std::size_t stretches = std::max<std::size_t>(1, homes_ / stretch);  // A power of two.
      const std::size_t which = (hand * step) & (stretches - 1);
      std::size_t index = which * stretch;
      const std::size_t end = which + 1 == stretches ? total_ : index + stretch;
      looked += end - index;
      while (index < end && dropped < count) {
        std::uint8_t& state = states_[index];
        if ((state & (stored | dirty | pending | recent)) != stored) {
          state = static_cast<std::uint8_t>(state & ~recent);
          ++index;
          continue;
        }
        const slot& one = slots_[index];
        gone(one.hash, one.content.key, one.content.value);
        empty_slot(index);
        close_gap(index);
        ++dropped;
      }
    }
    return dropped;
  }

  /// Puts back a row that was read from where it is stored. \pre as `insert_restored`.
  void insert_stored(std::uint64_t hash, Key key, Value value) {
    const place known = locate(hash, key);
    assert(!known.found);
    const std::size_t index = open_slot(hash, key, known.index);
    fill_slot(index, hash, std::move(key), std::move(value),
              occupied | handed_out | stored | recent);
  }

  /// Whether some snapshot so far has the row of `value`, or an earlier value of it. \pre as
  /// `mark_dirty`.
  [[nodiscard]] bool is_known(const Value* value) const noexcept {
    return (states_[index_of(value)] & handed_out) != 0;
  }

  /// How many slots there are to look at for `evict_some`.
  [[nodiscard]] std::size_t slots() const noexcept { return total_; }

  /// How many rows a table holds that is not to have more than `bytes` of its own.
  [[nodiscard]] static constexpr std::size_t rows_within(std::size_t bytes) noexcept {
    std::size_t homes = homes_min;
    while (homes * 2 * (sizeof(slot) + 1) <= bytes) homes *= 2;
    return limit_of(homes);
  }

  /// Makes the row of `value` part of the next snapshot. \pre `value` came from this table and is
  /// still valid.
  void mark_dirty(const Value* value) noexcept { states_[index_of(value)] |= dirty | recent; }

  /// Removes `key`; false if it was not there.
  template <class K>
  bool erase(std::uint64_t hash, const K& key) {
    const std::size_t index = find_index(hash, key);
    if (index == none) return false;
    keep_for_snapshot(index);
    if ((states_[index] & handed_out) != 0) remember_erased(index);
    empty_slot(index);
    close_gap(index);
    return true;
  }

  /// Looks at every row once, in canonical order, and does as told: `fate(hash, key, value)`
  /// returns a `row_fate` and may change the value. One linear pass, however many rows go. If
  /// `fate` throws, the rows from there on stay as they are.
  template <class Fate>
    requires std::is_invocable_r_v<row_fate, Fate&, std::uint64_t, const Key&, Value&>
  void sweep(Fate&& fate);

  /// Calls `visit(hash, key, value)` for every row in canonical order: ascending by (hash, key).
  /// \note A changed value needs `mark_dirty`, or use `sweep`. \pre `visit` adds and removes no
  /// row.
  template <class Visit>
  void for_each(Visit&& visit) {
    for_each_slot(occupied, [&](std::size_t index) {
      keep_for_snapshot(index);
      slot& one = slots_[index];
      visit(one.hash, std::as_const(one.content.key), one.content.value);
    });
  }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for_each_slot(occupied, [&](std::size_t index) {
      const slot& one = slots_[index];
      visit(one.hash, one.content.key, one.content.value);
    });
  }

  /// `for_each` in pieces: goes on at the slot `next`, which is 0 at first and which it moves, for
  /// at most `count` rows. \return whether all rows have been visited.
  /// \pre no row was added or removed since `next` was 0.
  template <class Visit>
  bool visit_some(std::size_t& next, std::size_t count, Visit&& visit) {
    for (; next < total_; ++next) {
      if ((states_[next] & occupied) == 0) continue;
      if (count == 0) return false;
      --count;
      keep_for_snapshot(next);
      slot& one = slots_[next];
      visit(one.hash, std::as_const(one.content.key), one.content.value);
    }
    return true;
  }

  /// Calls `visit(hash, key, value)` for at most `count` rows that stand behind `cursor`, which it
  /// moves on and around: for estimates. Where few slots are taken there may be none. A cursor
  /// starts at 0. \cost O(count).
  template <class Visit>
  void look_at_some(std::size_t& cursor, std::size_t count, Visit&& visit) const {
    if (size_ == 0) return;
    for (std::size_t left = 8 * count; left > 0 && count > 0; --left, ++cursor) {
      if (cursor >= total_) cursor = 0;
      if (states_[cursor] == 0) continue;
      const slot& one = slots_[cursor];
      visit(one.hash, one.content.key, one.content.value);
      --count;
    }
  }

  /// Begins a snapshot of what changed since the last one began: of rows inserted or marked dirty,
  /// and of rows that are gone although an earlier snapshot (or `insert_restored`) knew them.
  /// `put(hash, key, value)` is called once for each of the former, with the value as it is now;
  /// `erased(hash, key)` for each of the latter. A key that was erased and inserted again may be
  /// in both: what was put counts. They are called in any order, by `snapshot_some`, and by
  /// whatever changes or removes a row; they must leave this table alone. Where one throws, its row
  /// is handed out later.
  /// \note  A snapshot still under way is finished before.
  /// \cost  One pass over the table's state bytes.
  template <class Put, class Erased>
  void begin_snapshot(Put&& put, Erased&& erased);

  /// Whether rows of the snapshot wait to be handed out.
  [[nodiscard]] bool snapshot_under_way() const noexcept { return snapshot_ != nullptr; }

  /// Hands out what waits, for at most `budget`, which it lessens by what it has spent: one for
  /// each row, and one for 512 slots without any. \return whether the snapshot is complete.
  bool snapshot_some(std::size_t& budget);

  /// Hands out all that waits.
  void finish_snapshot() {
    std::size_t budget = none;
    snapshot_some(budget);
  }

  /// Removes all rows, those handed out earlier as `erase` does. The table's memory is kept.
  void clear() {
    sweep([](std::uint64_t, const Key&, Value&) { return row_fate::erase; });
  }

  /// `clear`, and gives the table's memory back.
  void release() {
    clear();
    memory_ = block{};
    erased_.shrink_to_fit();
    slots_ = no_slots_;
    states_ = no_states_;
    homes_ = total_ = limit_ = 0;
    stretch_ = 0;
  }

  /// Makes room for `count` rows at once. \throws std::bad_alloc, and the table is as before.
  void reserve(std::size_t count) {
    if (count <= limit_) return;
    std::size_t homes = std::max(homes_, homes_min);
    while (limit_of(homes) < count) homes *= 2;
    rebuild(homes, slack_for(homes));
  }

  /// Starts to load the place of `hash` into the cache. Pays from `prefetch_pays` on, a chunk of
  /// rows ahead of their use.
  [[gnu::always_inline]] void prefetch(std::uint64_t hash) const noexcept {
    // Always inline: g++ 12 takes a function that only prefetches for one without effect and drops
    // its calls.
    const std::size_t index = home(hash);
    __builtin_prefetch(slots_ + index, 1);
    __builtin_prefetch(states_ + index, 1);
  }

  /// Whether the table is larger than the second-level cache of common machines (1 MiB).
  [[nodiscard]] bool prefetch_pays() const noexcept {
    return memory_bytes() > 2 * second_cache_bytes;
  }

  /// Bytes held by the table itself; what keys and values own elsewhere is not counted.
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    const std::size_t gone = snapshot_ == nullptr ? 0 : snapshot_->gone.capacity();
    return memory_.get_deleter().bytes + (erased_.capacity() + gone) * sizeof(erased_row);
  }

 private:
  struct row {
    Key key;
    Value value;
  };
  // The row is alive where the state byte is not 0; elsewhere the hash is `empty_hash`.
  struct slot {
    slot() noexcept {}
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
    ~slot() {}

    std::uint64_t hash = empty_hash;
    union {
      row content;
    };
  };
  struct erased_row {
    std::uint64_t hash;
    Key key;
  };
  struct snapshot {
    std::function<void(std::uint64_t, const Key&, const Value&)> put;
    std::function<void(std::uint64_t, const Key&)> erased;
    std::vector<erased_row> gone;  // To be handed out, the last one first.
    std::size_t left = 0;          // How many rows are pending, all of them
    std::size_t next = 0;          // from this slot on.
  };
  struct block_deleter {
    std::size_t bytes = 0;
    std::size_t alignment = 0;
    void operator()(std::byte* block) const noexcept {
      ::operator delete(block, std::align_val_t{alignment});
    }
  };
  __extension__ using wide = unsigned __int128;
  using block = std::unique_ptr<std::byte[], block_deleter>;

  // The state byte of a slot; 0 is an empty one. `begin_snapshot` and `mark_stored` rely on those
  // from `dirty` to `stored` being neighbours: they shift a row's bits.
  static constexpr std::uint8_t occupied = 1;
  static constexpr std::uint8_t dirty = 2;
  static constexpr std::uint8_t handed_out = 4;  // Part of some snapshot that has begun.
  static constexpr std::uint8_t pending = 8;     // Not handed out yet by the one under way.

  static constexpr std::uint8_t stored = 16;  // As it was when it was handed out.
  static constexpr std::uint8_t recent = 32;  // Used since the eviction looked at it last.

  // Not before any hash, so that a search need not ask whether a slot is empty. It is a legal hash
  // too: where it matters, the state byte tells the two apart.
  static constexpr std::uint64_t empty_hash = std::numeric_limits<std::uint64_t>::max();

  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t homes_min = 16;
  static constexpr std::size_t word_bytes = sizeof(std::uint64_t);
  static constexpr std::size_t first_cache_bytes = std::size_t{32} << 10;
  static constexpr std::size_t second_cache_bytes = std::size_t{1} << 20;
  static constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

  static constexpr std::uint64_t scale_of(hash_range expected) {
    const std::uint64_t width = expected.last - expected.first + 1;  // 0 stands for all 2^64.
    // floor(2^64 / width), of which the numerator does not fit: subtract one width first.
    return width == 0 ? 1 : (0 - width) / width + 1;
  }

  // How many rows a table may hold. Slots are cheap while the table fits into a cache, and rows
  // that are where they belong are found faster; beyond, memory counts.
  static constexpr std::size_t limit_of(std::size_t homes) {
    const std::size_t bytes = homes * sizeof(slot);
    if (bytes <= first_cache_bytes) return homes / 5;
    if (bytes <= second_cache_bytes) return homes / 3;
    return homes / 10 * 7;
  }

  // The slots behind the last home: rows pushed beyond it, so that no run wraps around. At a load
  // of 0.7 about one table in a thousand needs more than 128, and then gets them.
  std::size_t slack_for(std::size_t homes) const {
    const std::size_t usual = std::min<std::size_t>(homes / 2, 128);
    if (size_ == 0) return usual;
    std::size_t end = total_;
    while (states_[end - 1] == 0) --end;
    // A row's home at f times the homes is below f times (its index + 1), and rows keep their
    // order: the last row ends at most f times as far behind the last home as it does now.
    return end <= homes_ ? usual : std::max(usual, (end - homes_) * (homes / homes_));
  }

  [[gnu::always_inline]] std::size_t home(std::uint64_t hash) const noexcept {
    if (spread_ != nullptr) hash = (*spread_)(hash);
    hash = std::clamp(hash, first_, last_);
    const wide product = static_cast<wide>(hash - first_) * stretch_;
    return static_cast<std::size_t>(product >> 64);
  }

  std::size_t index_of(const Value* value) const noexcept {
    const auto* position = reinterpret_cast<const std::byte*>(value);
    const auto distance = position - reinterpret_cast<const std::byte*>(slots_);
    return static_cast<std::size_t>(distance) / sizeof(slot);
  }

  // Where `key` is, or where it belongs: the first slot that is empty or not before (hash, key).
  struct place {
    std::size_t index = none;
    bool found = false;
  };

  // Where nearly every row is: at home or next to it. No branch, because it would be mispredicted
  // for about every fourth row.
  [[gnu::always_inline]] std::size_t near_home(std::uint64_t hash) const noexcept {
    const std::size_t index = home(hash);
    return index + (slots_[index].hash < hash ? 1 : 0);
  }

  template <class K>
  [[gnu::always_inline]] bool is_row(std::size_t index, std::uint64_t hash, const K& key) const {
    const slot& one = slots_[index];
    return one.hash == hash && (hash != empty_hash || states_[index] != 0) &&
           one.content.key == key;
  }

  template <class K>
  place locate(std::uint64_t hash, const K& key) const {
    // All rows from here on ascend, across empty slots too, which count as not before `hash`.
    std::size_t index = near_home(hash);
    while (slots_[index].hash < hash) ++index;
    for (; slots_[index].hash == hash; ++index) {
      if (hash == empty_hash && states_[index] == 0) break;
      if (slots_[index].content.key == key) return {.index = index, .found = true};
      if (!(slots_[index].content.key < key)) break;
    }
    return {.index = index, .found = false};
  }

  // Where a row belongs that is put back right after the one that was put back before it; `none`
  // where that is not so. As long as the table is small for all that come, those that came stand in
  // one long run behind their homes, which a search would walk through for every row.
  std::size_t behind_restored(std::uint64_t hash, const Key& key) const {
    const std::size_t last = restored_;
    if (last >= total_ || states_[last] == 0 || states_[last + 1] != 0) return none;
    const slot& before = slots_[last];
    const bool ascends = before.hash < hash || (before.hash == hash && before.content.key < key);
    // From a row's home to the row no slot is empty, and this row's home is no earlier.
    return ascends && home(hash) <= last + 1 ? last + 1 : none;
  }

  template <class K>
  std::size_t find_index(std::uint64_t hash, const K& key) const {
    const std::size_t near = near_home(hash);
    return is_row(near, hash, key) ? near : find_far(hash, key);
  }

  template <class K>
  [[gnu::noinline]] std::size_t find_far(std::uint64_t hash, const K& key) const {
    const place known = locate(hash, key);
    return known.found ? known.index : none;
  }

  template <class K, class Make>
  [[gnu::noinline]] std::pair<Value*, bool> get_or_insert_far(std::uint64_t hash, K&& key,
                                                              Make&& make) {
    const place known = locate(hash, key);
    if (known.found) {
      keep_for_snapshot(known.index);
      states_[known.index] |= dirty | recent;
      return {&slots_[known.index].content.value, false};
    }
    // Whatever may throw does so before the first row moves.
    Key owned_key(std::forward<K>(key));
    Value value = std::invoke(std::forward<Make>(make));
    const std::size_t index = open_slot(hash, owned_key, known.index);
    fill_slot(index, hash, std::move(owned_key), std::move(value), occupied | dirty | recent);
    return {&slots_[index].content.value, true};
  }

  // Before a row changes or goes.
  void keep_for_snapshot(std::size_t index) {
    if (snapshot_ != nullptr && (states_[index] & pending) != 0) hand_out(index);
  }

  // \pre The row is pending.
  [[gnu::noinline]] void hand_out(std::size_t index) {
    const slot& one = slots_[index];
    snapshot_->put(one.hash, one.content.key, one.content.value);
    states_[index] = static_cast<std::uint8_t>(states_[index] & ~pending);
    --snapshot_->left;
  }

  // \pre The slot holds no living row.
  void fill_slot(std::size_t index, std::uint64_t hash, Key&& key, Value&& value,
                 std::uint8_t state) noexcept {
    slots_[index].hash = hash;
    ::new (static_cast<void*>(&slots_[index].content)) row{std::move(key), std::move(value)};
    states_[index] = state;
    ++size_;
  }

  void empty_slot(std::size_t index) noexcept {
    std::destroy_at(&slots_[index].content);
    slots_[index].hash = empty_hash;
    states_[index] = 0;
    --size_;
  }

  // \pre `to` is empty; afterwards `from` is.
  static void move_row(slot& from, slot& to, std::uint8_t& from_state,
                       std::uint8_t& to_state) noexcept {
    to.hash = std::exchange(from.hash, empty_hash);
    ::new (static_cast<void*>(&to.content)) row(std::move(from.content));
    std::destroy_at(&from.content);
    to_state = std::exchange(from_state, std::uint8_t{0});
  }
  void move_row(std::size_t from, std::size_t to) noexcept {
    move_row(slots_[from], slots_[to], states_[from], states_[to]);
  }

  // Makes room for one row and returns its index, a slot without a living row; the caller fills it.
  // `index` is where the key belongs, or `none`.
  std::size_t open_slot(std::uint64_t hash, const Key& key, std::size_t index) {
    if (size_ == limit_) {
      const std::size_t homes = homes_ == 0 ? homes_min : homes_ * 2;
      rebuild(homes, slack_for(homes));
      index = none;
    }
    if (index == none) index = locate(hash, key).index;
    std::size_t end = index;
    while (states_[end] != 0) ++end;
    if (end == total_) {
      rebuild(homes_, (total_ - homes_) * 2);  // Rows stay where they are: only the end moves.
      return open_slot(hash, key, index);
    }
    for (std::size_t to = end; to > index; --to) move_row(to - 1, to);
    return index;
  }

  // Pulls the rows behind an emptied slot forward, up to the next one that is at home.
  void close_gap(std::size_t gap) noexcept {
    for (; states_[gap + 1] != 0 && home(slots_[gap + 1].hash) <= gap; ++gap) {
      move_row(gap + 1, gap);
      const bool passed = snapshot_ != nullptr && gap < snapshot_->next;
      if (passed && (states_[gap] & pending) != 0) snapshot_->next = gap;
    }
  }

  void remember_erased(std::size_t index) {
    // First the memory, because the key moves before `push_back` could fail.
    if (erased_.size() == erased_.capacity()) {
      erased_.reserve(std::max<std::size_t>(16, erased_.size() * 2));
    }
    erased_.push_back({slots_[index].hash, std::move(slots_[index].content.key)});
  }

  // Moves all rows into a new block of `homes` (a multiple of homes_ and a power of two) + `slack`.
  void rebuild(std::size_t homes, std::size_t slack) {
    static_assert(alignof(slot) <= huge_page_bytes);
    const std::size_t total = homes + slack;
    // Behind the slots stand some that stay empty and end every search; states come in whole words.
    const std::size_t places = total + 2;
    const std::size_t state_bytes = (places + word_bytes - 1) / word_bytes * word_bytes;
    block memory = allocate(places * sizeof(slot) + state_bytes);
    auto* slots = reinterpret_cast<slot*>(memory.get());
    auto* states = reinterpret_cast<std::uint8_t*>(memory.get() + places * sizeof(slot));
    std::memset(states, 0, state_bytes);
    for (std::size_t index = 0; index < places; ++index)
      ::new (static_cast<void*>(slots + index)) slot;

    slot* const old_slots = std::exchange(slots_, slots);
    std::uint8_t* const old_states = std::exchange(states_, states);
    const std::size_t old_total = std::exchange(total_, total);
    memory_.swap(memory);
    homes_ = homes;
    limit_ = limit_of(homes);
    stretch_ = scale_ * homes;
    if (snapshot_ != nullptr) snapshot_->next = 0;
    std::size_t next = 0;
    for (std::size_t index = 0; index < old_total; ++index) {
      if (old_states[index] == 0) continue;
      const std::size_t to = std::max(next, home(old_slots[index].hash));
      assert(to < total_);
      move_row(old_slots[index], slots_[to], old_states[index], states_[to]);
      next = to + 1;
    }
  }

  static block allocate(std::size_t bytes) {
    // Random access to a large table is bound by address translation: huge pages halve its cost.
    const bool large = bytes >= 2 * huge_page_bytes;
    const std::size_t alignment =
        large ? huge_page_bytes : std::max<std::size_t>(64, alignof(slot));
    auto* start = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}));
#if defined(__linux__)
    // A refusal only costs speed.
    if (large) static_cast<void>(::madvise(start, bytes, MADV_HUGEPAGE));
#endif
    return block(start, block_deleter{bytes, alignment});
  }

  template <class Visit>
  void for_each_slot(std::uint8_t wanted, Visit&& visit) const {
    std::uint64_t mask = 0;
    std::memset(&mask, wanted, sizeof mask);
    for (std::size_t start = 0; start < total_; start += word_bytes) {
      std::uint64_t word = 0;
      std::memcpy(&word, states_ + start, word_bytes);
      if ((word & mask) == 0) continue;
      for (std::size_t index = start; index < start + word_bytes; ++index) {
        if ((states_[index] & wanted) != 0) visit(index);
      }
    }
  }

  void destroy_rows() noexcept {
    if constexpr (!std::is_trivially_destructible_v<row>) {
      for_each_slot(occupied,
                    [this](std::size_t index) { std::destroy_at(&slots_[index].content); });
    }
  }

  void swap(keyed_table& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(slots_, other.slots_);
    std::swap(states_, other.states_);
    std::swap(homes_, other.homes_);
    std::swap(total_, other.total_);
    std::swap(limit_, other.limit_);
    std::swap(size_, other.size_);
    std::swap(stretch_, other.stretch_);
    std::swap(first_, other.first_);
    std::swap(scale_, other.scale_);
    std::swap(last_, other.last_);
    std::swap(spread_, other.spread_);
    std::swap(erased_, other.erased_);
    std::swap(restored_, other.restored_);
    std::swap(snapshot_, other.snapshot_);
  }

  // What a table without memory looks into; never written to. Searches then need not ask for it.
  static inline slot no_slots_[2];
  static inline std::uint8_t no_states_[2] = {0, 0};

  block memory_;
  slot* slots_ = no_slots_;            // total_ of them, and two more that stay empty.
  std::uint8_t* states_ = no_states_;  // One for each slot; what lies behind total_ stays 0.
  std::size_t homes_ = 0;              // Slots that hashes map to, a power of two.
  std::size_t total_ = 0;              // homes_ and the slack behind them.
  std::size_t limit_ = 0;              // Rows at which the table doubles.
  std::size_t size_ = 0;
  // (hash - first_) * scale_ stretches the expected hashes over 64 bits, of which the high ones
  // make the home: stretch_ is scale_ * homes_.
  std::uint64_t first_ = 0;
  std::uint64_t scale_ = 1;
  std::uint64_t stretch_ = 0;
  std::uint64_t last_ = std::numeric_limits<std::uint64_t>::max();
  key_group_spread_handle spread_;      // Comes before the stretching, where it is not null.
  std::vector<erased_row> erased_;      // Known to a snapshot and erased since it began, each once.
  std::size_t restored_ = 0;            // Where the row was put that was put back last.
  std::unique_ptr<snapshot> snapshot_;  // While one is under way.
};

template <class Key, class Value>
template <class Fate>
  requires std::is_invocable_r_v<row_fate, Fate&, std::uint64_t, const Key&, Value&>
void keyed_table<Key, Value>::sweep(Fate&& fate) {
  std::exception_ptr failure;
  std::size_t next = 0;  // Everything before it is in its final place.
  for (std::size_t index = 0; index < total_; ++index) {
    if (states_[index] == 0) continue;
    slot& one = slots_[index];
    row_fate verdict = row_fate::keep;
    if (!failure) {
      try {
        keep_for_snapshot(index);
        verdict = fate(one.hash, std::as_const(one.content.key), one.content.value);
        if (verdict == row_fate::erase && (states_[index] & handed_out) != 0)
          remember_erased(index);
      } catch (...) {
        failure = std::current_exception();
        verdict = row_fate::keep;
      }
    }
    if (verdict == row_fate::erase || verdict == row_fate::forget) {
      empty_slot(index);
      continue;
    }
    if (verdict == row_fate::changed) states_[index] |= dirty;
    const std::size_t to = std::max(next, home(one.hash));
    if (to != index) move_row(index, to);
    next = to + 1;
  }
  if (!failure) return;
  if (snapshot_ != nullptr) snapshot_->next = 0;  // Rows that wait have moved, too.
  std::rethrow_exception(failure);
}

template <class Key, class Value>
template <class Put, class Erased>
void keyed_table<Key, Value>::begin_snapshot(Put&& put, Erased&& erased) {
  finish_snapshot();
  constexpr std::uint64_t dirty_bits = 0x0101010101010101U * dirty;
  const auto word_at = [this](std::size_t start) {
    std::uint64_t word = 0;
    std::memcpy(&word, states_ + start, word_bytes);
    return word;
  };
  // Tables that nothing has happened to since are many, and get no memory for it.
  std::size_t start = 0;
  while (start < total_ && (word_at(start) & dirty_bits) == 0) start += word_bytes;
  if (start >= total_ && erased_.empty()) return;
  auto fresh = std::make_unique<snapshot>();
  fresh->put = std::forward<Put>(put);
  fresh->erased = std::forward<Erased>(erased);
  fresh->gone.swap(erased_);
  fresh->next = start;
  for (; start < total_; start += word_bytes) {
    const std::uint64_t word = word_at(start);
    const std::uint64_t bits = word & dirty_bits;
    if (bits == 0) continue;
    fresh->left += static_cast<std::size_t>(std::popcount(bits));
    const std::uint64_t marked = (word & ~(bits | bits << 3)) | (bits << 1) | (bits << 2);
    std::memcpy(states_ + start, &marked, word_bytes);
  }
  snapshot_ = std::move(fresh);
}

template <class Key, class Value>
bool keyed_table<Key, Value>::snapshot_some(std::size_t& budget) {
  if (snapshot_ == nullptr) return true;
  snapshot& now = *snapshot_;
  for (; !now.gone.empty(); now.gone.pop_back(), --budget) {
    if (budget == 0) return false;
    now.erased(now.gone.back().hash, std::as_const(now.gone.back().key));
  }
  constexpr std::uint64_t pending_bits = 0x0101010101010101U * pending;
  constexpr std::size_t free_slots = 512;
  std::size_t passed = 0;  // Slots that held nothing to hand out.
  while (now.left > 0) {
    if (budget == 0) return false;
    assert(now.next < total_);
    if (now.next % word_bytes == 0) {
      std::uint64_t word = 0;
      std::memcpy(&word, states_ + now.next, word_bytes);
      if ((word & pending_bits) == 0) {
        now.next += word_bytes;
        passed += word_bytes;
        if (passed % free_slots == 0) --budget;
        continue;
      }
    }
    if ((states_[now.next] & pending) != 0) {
      hand_out(now.next);
      --budget;
    }
    ++now.next;
  }
  snapshot_.reset();
  return true;
}

}  // namespace freshet
