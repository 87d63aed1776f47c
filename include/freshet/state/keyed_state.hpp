// The state that a process function keeps for one key: a value, a list, a map, each with a time to
// live if wanted.
//
// These are ordinary values that stand as members in the described struct which is a function's
// state, beside plain members of any checkpointable type:
//
//     struct state {
//       fr::value_state<double> last_amount{fr::ttl{.after = 24h}};
//       fr::list_state<double> recent;
//     };
//     BOOST_DESCRIBE_STRUCT(state, (), (last_amount, recent))
//
// Time: expiry goes by the operator's times, see ttl.hpp. Threads: the operator's. Memory: what
// they hold. Checkpoints: entries with their stamps; rules are not part of it.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time.hpp>
#include <freshet/state/ttl.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// What an operator asks of a member of a function's state, whatever it holds. A type of one's own
/// with these is as good as ours.
template <class S>
concept keyed_state = requires(S& state, const S& read, const state_times& times) {
  state.bind(times);     // Before anything else; `times` outlives the state and its copies.
  state.drop_expired();  // Removes what has expired.
  {
    read.next_expiry()
  } -> std::same_as<timestamp>;  // Not after the first expiry; or the end of time.
  { read.rule() } -> std::convertible_to<const ttl&>;
  { read.holds_nothing() } -> std::same_as<bool>;
};

/// At most one value.
template <class T>
class value_state {
 public:
  value_state() = default;
  explicit value_state(const ttl& rule) : expiry_(rule) {}

  /// The value, or null. Valid until the next change, or the end of the call.
  const T* get() {
    if (!value_) return nullptr;
    if (expiry_.hidden(stamp_)) {
      clear();
      return nullptr;
    }
    expiry_.read(stamp_);
    return &*value_;
  }
  T value_or(T otherwise) {
    const T* value = get();
    return value == nullptr ? std::move(otherwise) : *value;
  }
  /// An empty optional clears.
  void set(std::optional<T> value) {
    value_ = std::move(value);
    if (value_) {
      expiry_.write(stamp_);
    } else {
      clear();
    }
  }
  void clear() {
    value_.reset();
    stamp_ = timestamp_min;
  }
  bool empty() { return get() == nullptr; }

  void bind(const state_times& times) { expiry_.bind(times); }
  void drop_expired() {
    if (value_ && expiry_.expired(stamp_)) clear();
  }
  timestamp next_expiry() const { return value_ ? expiry_.expires_at(stamp_) : timestamp_max; }
  const ttl& rule() const { return expiry_.rule(); }
  bool holds_nothing() const { return !value_; }

 private:
  friend struct codec<value_state>;
  std::optional<T> value_;
  timestamp stamp_ = timestamp_min;
  detail::expiry expiry_;
};

/// Values in the order in which they were added. Each has a life of its own.
template <class T>
class list_state {
 public:
  list_state() = default;
  explicit list_state(const ttl& rule) : expiry_(rule) {}

  void push_back(T value) {
    make_stamps();
    values_.push_back(std::move(value));
    if (!expiry_.active()) return;
    stamps_.push_back(timestamp_min);
    expiry_.write(stamps_.back());
    note_expiry(stamps_.back());
  }
  /// All values. Valid until the next change, or the end of the call.
  /// \cost O(n) when there is a time to live.
  const std::vector<T>& all() {
    if (!expiry_.active()) return values_;
    make_stamps();
    if (expiry_.rule().visibility == ttl_visibility::strict) drop_expired();
    for (timestamp& stamp : stamps_) expiry_.read(stamp);
    return values_;
  }
  std::size_t size() { return all().size(); }
  bool empty() { return all().empty(); }
  /// Replaces everything.
  void assign(std::vector<T> values) {
    clear();
    for (T& value : values) push_back(std::move(value));
  }
  /// Removes the values for which `f(value)` is true.
  template <class F>
  void remove_if(F&& f) {
    make_stamps();
    keep_where([&](std::size_t i) { return !f(std::as_const(values_[i])); });
  }
  void clear() {
    values_.clear();
    stamps_.clear();
    next_expiry_ = timestamp_max;
  }

  void bind(const state_times& times) { expiry_.bind(times); }
  void drop_expired() {
    if (!expiry_.active() || next_expiry_ > expiry_.now()) return;
    make_stamps();
    keep_where([&](std::size_t i) { return !expiry_.expired(stamps_[i]); });
  }
  timestamp next_expiry() const {
    if (values_.empty() || !expiry_.active()) return timestamp_max;
    return stamps_.size() == values_.size() ? next_expiry_ : expiry_.expires_at(expiry_.now());
  }
  const ttl& rule() const { return expiry_.rule(); }
  bool holds_nothing() const { return values_.empty(); }

 private:
  friend struct codec<list_state>;

  /// Values from a run without a time to live begin their lives now.
  void make_stamps() {
    if (!expiry_.active() || stamps_.size() == values_.size()) return;
    stamps_.assign(values_.size(), expiry_.now());
    find_next_expiry();
  }
  void note_expiry(timestamp stamp) {
    next_expiry_ = std::min(next_expiry_, expiry_.expires_at(stamp));
  }
  void find_next_expiry() {
    next_expiry_ = timestamp_max;
    for (const timestamp stamp : stamps_) note_expiry(stamp);
  }
  template <class Keep>
  void keep_where(Keep&& keep) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (!keep(i)) continue;
      if (i != kept) {
        values_[kept] = std::move(values_[i]);
        if (expiry_.active()) stamps_[kept] = stamps_[i];
      }
      ++kept;
    }
    values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(kept), values_.end());
    if (expiry_.active()) stamps_.resize(kept);
    find_next_expiry();
  }

  std::vector<T> values_;
  std::vector<timestamp> stamps_;  ///< One per value where there is a time to live, else none.
  timestamp next_expiry_ = timestamp_max;  ///< Not after the first; refreshed lives end later.
  detail::expiry expiry_;
};

/// Values by key, in the order of the keys. Each has a life of its own.
template <class K, class V>
class map_state {
 public:
  map_state() = default;
  explicit map_state(const ttl& rule) : expiry_(rule) {}

  /// The value of `key`, or null. Valid until it is changed, or the end of the call.
  const V* get(const K& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (expiry_.hidden(found->second.second)) {
      entries_.erase(found);
      return nullptr;
    }
    expiry_.read(found->second.second);
    return &found->second.first;
  }
  V value_or(const K& key, V otherwise) {
    const V* value = get(key);
    return value == nullptr ? std::move(otherwise) : *value;
  }
  bool contains(const K& key) { return get(key) != nullptr; }
  void set(const K& key, V value) {
    auto& entry = entries_[key];
    entry.first = std::move(value);
    expiry_.write(entry.second);
    next_expiry_ = std::min(next_expiry_, expiry_.expires_at(entry.second));
  }
  void erase(const K& key) { entries_.erase(key); }
  /// Calls `f(key, value)` for every entry. \pre `f` changes nothing.
  template <class F>
  void for_each(F&& f) {
    if (expiry_.rule().visibility == ttl_visibility::strict) drop_expired();
    for (auto& [key, entry] : entries_) {
      expiry_.read(entry.second);
      f(key, std::as_const(entry.first));
    }
  }
  std::size_t size() {
    if (expiry_.rule().visibility == ttl_visibility::strict) drop_expired();
    return entries_.size();
  }
  bool empty() { return size() == 0; }
  void clear() {
    entries_.clear();
    next_expiry_ = timestamp_max;
  }

  void bind(const state_times& times) { expiry_.bind(times); }
  void drop_expired() {
    if (!expiry_.active() || next_expiry_ > expiry_.now()) return;
    next_expiry_ = timestamp_max;
    std::erase_if(entries_, [&](const auto& each) {
      const timestamp stamp = each.second.second;
      if (expiry_.expired(stamp)) return true;
      next_expiry_ = std::min(next_expiry_, expiry_.expires_at(stamp));
      return false;
    });
  }
  timestamp next_expiry() const {
    return entries_.empty() || !expiry_.active() ? timestamp_max : next_expiry_;
  }
  const ttl& rule() const { return expiry_.rule(); }
  bool holds_nothing() const { return entries_.empty(); }

 private:
  friend struct codec<map_state>;
  std::map<K, std::pair<V, timestamp>> entries_;  ///< Value and stamp.
  timestamp next_expiry_ = timestamp_max;  ///< Not after the first; refreshed lives end later.
  detail::expiry expiry_;
};

// Decoding fills in the entries alone: rule and times are those of the value that is there.

template <class T>
struct codec<value_state<T>> {
  using parts = detail::type_list<T>;
  static void encode(byte_writer& writer, const value_state<T>& state) {
    freshet::encode(writer, state.value_);
    freshet::encode(writer, state.stamp_);
  }
  static bool decode(byte_reader& reader, value_state<T>& state) {
    return freshet::decode(reader, state.value_) && freshet::decode(reader, state.stamp_);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<std::optional<T>, timestamp>(context, "value_state");
  }
};

template <class T>
struct codec<list_state<T>> {
  using parts = detail::type_list<T>;
  static void encode(byte_writer& writer, const list_state<T>& state) {
    freshet::encode(writer, state.values_);
    freshet::encode(writer, state.stamps_);
  }
  static bool decode(byte_reader& reader, list_state<T>& state) {
    if (!freshet::decode(reader, state.values_) || !freshet::decode(reader, state.stamps_)) {
      return false;
    }
    if (!state.stamps_.empty() && state.stamps_.size() != state.values_.size()) {
      reader.fail("list_state: " + std::to_string(state.stamps_.size()) + " stamps for " +
                  std::to_string(state.values_.size()) + " values");
      return false;
    }
    if (!state.expiry_.active()) state.stamps_.clear();
    state.find_next_expiry();
    return true;
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<std::vector<T>, std::vector<timestamp>>(context, "list_state");
  }
};

template <class K, class V>
struct codec<map_state<K, V>> {
  using parts = detail::type_list<K, V>;
  static void encode(byte_writer& writer, const map_state<K, V>& state) {
    freshet::encode(writer, state.entries_);
  }
  static bool decode(byte_reader& reader, map_state<K, V>& state) {
    if (!freshet::decode(reader, state.entries_)) return false;
    state.next_expiry_ = timestamp_max;
    for (const auto& [key, entry] : state.entries_) {
      state.next_expiry_ = std::min(state.next_expiry_, state.expiry_.expires_at(entry.second));
    }
    return true;
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<std::map<K, std::pair<V, timestamp>>>(context, "map_state");
  }
};

namespace detail {

/// Calls `f(member)` for the keyed states in `state`: itself, or the members of a described struct.
template <class State, class F>
void for_each_keyed_state(State& state, F&& f) {
  if constexpr (keyed_state<std::remove_const_t<State>>) {
    f(state);
  } else if constexpr (described<std::remove_const_t<State>>) {
    for_each_field(state, [&f](std::string_view, auto& member) {
      if constexpr (keyed_state<std::remove_cvref_t<decltype(member)>>) f(member);
    });
  }
}

/// Whether everything in a `State` is keyed state, so that it can be seen to hold nothing.
template <class State>
consteval bool holds_keyed_states_only() {
  if constexpr (keyed_state<State>) {
    return true;
  } else if constexpr (described<State>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (keyed_state<field_t<State, I>> && ...);
    }(std::make_index_sequence<field_count<State>>{});
  } else {
    return false;
  }
}

}  // namespace detail

}  // namespace freshet
