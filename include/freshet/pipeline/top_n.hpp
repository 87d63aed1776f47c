// top_n: the n greatest (or smallest) records per key, ranked.
//
//     bids | key_by(&bid::auction) | top_n("best", 10, &bid::price, emit_changes{})
//     counts | key_by(end_of_window) | top_n("hot", 1, count_of, emit_complete{},
//                                            {.ranks = ranking::rank})
//
//     values          9  9  7  5             row_number: n rows, ties by order key, the earlier one
//     row_number      1  2  3  4             first; rank: as many as were greater, and one; dense:
//     rank            1  1  3  4             as many different greater values, and one. The last
//     two dense_rank      1  1  2  3             keep all rows whose rank is at most n, however
//     many.
//
// Over rows that windows fire, keyed by the end of their window, with `emit_complete{}`: the n
// greatest of each window, when the watermark reaches its end.
//
// Time, order: emission.hpp says what is a function of the log. State per key: the rows that are
// ranked and their order keys, and 17 bytes and the key; with emit_every the rows that were said,
// too. Cost: a comparison for a record that is not among them, else O(n).
#pragma once

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/deduplicate.hpp>
#include <freshet/pipeline/detail/add_updating.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How equal values are ranked; the names are SQL's.
enum class ranking : std::uint8_t { row_number, rank, dense_rank };

/// Options of `top_n`.
struct top_n_options {
  ranking ranks = ranking::row_number;
  bool smallest = false;  ///< The n smallest.
};

/// A record and its rank, which counts from 1. It is a `T`: member pointers and functions of the
/// record work on it.
template <class T>
struct ranked : T {
  std::uint64_t rank = 0;

  const T& record() const { return *this; }

  friend bool operator==(const ranked&, const ranked&) = default;
};

template <class T>
inline constexpr bool is_sampled<ranked<T>> = is_sampled<T>;

/// The record's columns, then `rank`.
template <has_columns T>
struct columns<ranked<T>> {
  static std::vector<std::string> names() {
    std::vector<std::string> all = columns<T>::names();
    if (!all.empty()) all.emplace_back("rank");  // Else only the stream knows them.
    return all;
  }
  template <class F>
  static void visit(const ranked<T>& row, F&& f) {
    columns<T>::visit(row.record(), f);
    f(row.rank);
  }
};

template <class T>
struct codec<ranked<T>> {
  using parts = detail::type_list<T, std::uint64_t>;
  static void encode(byte_writer& writer, const ranked<T>& value) {
    freshet::encode(writer, value.record());
    freshet::encode(writer, value.rank);
  }
  static bool decode(byte_reader& reader, ranked<T>& value) {
    return freshet::decode(reader, static_cast<T&>(value)) && freshet::decode(reader, value.rank);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<T, std::uint64_t>(context, "ranked");
  }
};

namespace detail {

template <class T>
struct owned_rule<ranked<T>> {
  static std::uint64_t bytes(const ranked<T>& row) { return owned_bytes(row.record()); }
};

/// Records in the order of their ranks. They stay where they are: only their order moves, and a
/// record takes the memory of the one that it drives out.
template <class T>
class ranked_records {
 public:
  using entry = ordered_value<T>;

  std::size_t size() const { return order_.size(); }
  bool empty() const { return order_.empty(); }
  const entry& operator[](std::size_t rank) const { return entries_[order_[rank]]; }
  entry& operator[](std::size_t rank) { return entries_[order_[rank]]; }

  /// \pre place <= size()
  void insert(std::size_t place, const order_key& key, const T& value, std::size_t expected) {
    if (entries_.size() == entries_.capacity()) {
      entries_.reserve(std::min(std::max<std::size_t>(2, 2 * size()), expected + size() / 2));
    }
    entries_.push_back(entry::of(key, value));
    put(place, static_cast<std::uint32_t>(size()));
  }
  /// In the place of the last. \pre place < size()
  void insert_over_last(std::size_t place, const order_key& key, const T& value) {
    const std::uint32_t slot = order_.back();
    order_.pop_back();
    entry& over = entries_[slot];
    over.at = key.at;
    over.sequence = key.where.sequence;
    over.split = key.where.split;
    over.fanout = key.where.fanout;
    over.value = value;
    put(place, slot);
  }
  void keep(std::size_t count) {
    while (size() > count) {
      const std::uint32_t slot = order_.back();
      order_.pop_back();
      const auto last = static_cast<std::uint32_t>(size());
      if (slot != last) {
        entries_[slot] = std::move(entries_[last]);
        *std::find(order_.begin(), order_.end(), last) = slot;
      }
      entries_.pop_back();
    }
  }

 private:
  friend struct codec<ranked_records>;
  friend struct owned_rule<ranked_records>;

  void put(std::size_t place, std::uint32_t slot) {
    order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(place), slot);
  }
  bool is_whole() const {
    std::vector<bool> seen(entries_.size());
    for (const std::uint32_t slot : order_) {
      if (slot >= seen.size() || seen[slot]) return false;
      seen[slot] = true;
    }
    return order_.size() == entries_.size();
  }

  std::vector<entry> entries_;
  std::vector<std::uint32_t> order_;  ///< Indices of entries.
};

template <class T>
struct owned_rule<ranked_records<T>> {
  static std::uint64_t bytes(const ranked_records<T>& of) {
    return owned_bytes(of.entries_) + owned_bytes(of.order_);
  }
};

/// Whether a row of value `a` stands before one of value `b`, unless they are equal. NaN comes
/// last.
template <class V>
bool ranks_before(const V& a, const V& b, bool smallest) {
  if constexpr (std::is_floating_point_v<V>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return smallest ? a < b : b < a;
}

/// The fold of top_n; see updating.hpp.
template <class T, class Key, class By>
class top_n_fold {
 public:
  using entry = ordered_value<T>;
  using state = ranked_records<T>;
  using row = ranked<T>;

  top_n_fold(std::size_t n, By by, top_n_options options)
      : n_(n), by_(std::move(by)), options_(options) {}

  void add(state& to, const T& each, const placed& where) const { add_at(to, each, where.order); }
  void merge(state& into, const state& from) const {
    for (std::size_t i = 0; i < from.size(); ++i) add_at(into, from[i].value, from[i].key());
  }
  template <class Of, class Emit>
  void rows(const Key&, Of&& of, Emit&& emit) const {
    const std::vector<std::uint64_t> ranks = ranks_of(of);
    for (std::size_t i = 0; i < of.size(); ++i) emit(row{part_of<Of>(of[i].value), ranks[i]});
  }

  template <class Changes>
  void change(const Key&, state& to, const T& each, const placed& where, Changes& changes) const {
    const std::size_t place = place_for(to, each, where.order);
    if (place == none) return;
    if (!changes.retracts()) {
      // Ranks are row numbers, so that a row takes the place of the one of its rank.
      put(to, place, where.order, each);
      for (std::size_t i = place; i < to.size(); ++i) changes.insert(row{to[i].value, i + 1});
      return;
    }
    const std::vector<std::uint64_t> before = ranks_of(to);
    to.insert(place, where.order, each, n_ + 1);
    const std::vector<std::uint64_t> after = ranks_of(to);
    const std::size_t kept = kept_of(to, after);
    // From below, so that no rank is ever taken twice.
    for (std::size_t i = to.size(); i-- > place + 1;) {
      if (i >= kept) {
        changes.erase(row{to[i].value, before[i - 1]});
      } else if (before[i - 1] != after[i]) {
        changes.update([&] { return row{to[i].value, before[i - 1]}; }, row{to[i].value, after[i]});
      }
    }
    changes.insert(row{each, after[place]});
    to.keep(kept);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// Where a record has to stand; `none` where it is not among those ranked.
  std::size_t place_for(const state& among, const T& each, const order_key& order) const {
    std::size_t place = none;
    with_value(by_, each, [&](const auto& value) {
      // Most records come after the last one.
      std::size_t begin = 0;
      std::size_t end = among.size();
      while (begin < end) {
        const std::size_t middle = end == among.size() ? end - 1 : (begin + end) / 2;
        if (stands_before(value, order, among[middle])) {
          end = middle;
        } else {
          begin = middle + 1;
        }
      }
      if (is_among(among, begin, value)) place = begin;
    });
    return place;
  }
  template <class V>
  bool stands_before(const V& value, const order_key& order, const entry& other) const {
    bool before = false;
    with_value(by_, other.value, [&](const auto& others) {
      before = ranks_before<V>(value, others, options_.smallest) ||
               (!ranks_before<V>(others, value, options_.smallest) && order < other.key());
    });
    return before;
  }
  template <class V>
  bool is_among(const state& among, std::size_t place, const V& value) const {
    if (place < n_) return true;
    if (options_.ranks == ranking::row_number) return false;
    // The rank of the row above, or the next one where that is greater.
    const bool equals = same_rank(among[place - 1].value, value);
    const std::uint64_t above = ranks_of(among).at(place - 1);
    if (equals) return true;
    return options_.ranks == ranking::dense_rank && above < n_;
  }
  template <class V>
  bool same_rank(const T& other, const V& value) const {
    bool same = false;
    with_value(by_, other, [&](const auto& others) {
      same = !ranks_before<V>(value, others, options_.smallest) &&
             !ranks_before<V>(others, value, options_.smallest);
    });
    return same;
  }

  std::vector<std::uint64_t> ranks_of(const state& of) const {
    std::vector<std::uint64_t> ranks(of.size());
    for (std::size_t i = 0; i < of.size(); ++i) {
      ranks[i] = i + 1;
      if (options_.ranks == ranking::row_number || i == 0) continue;
      bool same = false;
      with_value(by_, of[i].value,
                 [&](const auto& value) { same = same_rank(of[i - 1].value, value); });
      if (same) {
        ranks[i] = ranks[i - 1];
      } else if (options_.ranks == ranking::dense_rank) {
        ranks[i] = ranks[i - 1] + 1;
      }
    }
    return ranks;
  }
  std::size_t kept_of(const state& of, const std::vector<std::uint64_t>& ranks) const {
    if (options_.ranks == ranking::row_number) return std::min(of.size(), n_);
    const auto end = std::upper_bound(ranks.begin(), ranks.end(), std::uint64_t{n_});
    return static_cast<std::size_t>(end - ranks.begin());
  }
  void add_at(state& to, const T& each, const order_key& order) const {
    if (const std::size_t place = place_for(to, each, order); place != none) {
      put(to, place, order, each);
    }
  }
  void put(state& to, std::size_t place, const order_key& order, const T& each) const {
    if (options_.ranks == ranking::row_number && to.size() == n_) {
      to.insert_over_last(place, order, each);
      return;
    }
    to.insert(place, order, each, n_);
    if (to.size() > n_) to.keep(kept_of(to, ranks_of(to)));
  }

  std::size_t n_;
  By by_;
  top_n_options options_;
};

std::string describe_top_n(std::size_t n, const top_n_options& options);
/// What is wrong with them, if anything. `upserts`: rows replace each other by key and rank.
std::string check_top_n(std::size_t n, const top_n_options& options, bool upserts);

}  // namespace detail

template <class T>
struct codec<detail::ranked_records<T>> {
  using records = detail::ranked_records<T>;
  using parts = detail::type_list<T>;
  static void encode(byte_writer& writer, const records& value) {
    freshet::encode(writer, value.entries_);
    freshet::encode(writer, value.order_);
  }
  static bool decode(byte_reader& reader, records& value) {
    if (!freshet::decode(reader, value.entries_) || !freshet::decode(reader, value.order_)) {
      return false;
    }
    if (value.is_whole()) return true;
    reader.fail("ranked records: the order is not one of the records");
    return false;
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<std::vector<ordered_value<T>>, std::vector<std::uint32_t>>(
        context, "ranked_records");
  }
};

/// The `n` records per key with the greatest values of `by`, emitted as `when` says. `by`: a member
/// pointer or a function of a record whose values have an order; a record for which it returns an
/// empty optional is not ranked. `name` identifies the state across restarts.
/// \return rows `ranked<T>`: the record's columns, then `rank`. Changes of them for `emit_changes`
///         and `emit_every`: as upserts a row takes the place of that of its key and rank; `rank`
///         and `dense_rank` need retractions, because several rows may have one rank.
/// Throws `std::invalid_argument` when `n` is 0, when the records have no event times, when an
/// option is out of range, when a column is called `rank`, or another one has the name.
template <class By, emission When>
auto top_n(std::string name, std::size_t n, By by, When when, top_n_options options = {}) {
  return detail::keyed_only([name = std::move(name), n, by = std::move(by), when,
                             options]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
    detail::require_records<T>();
    detail::require_extensible<T>();
    static_assert(projection_of<By, T> && detail::has_order<projected_value<By, T>>,
                  "freshet: top_n needs values with an order; give &row::member or a function of "
                  "one row that returns a number, a string, a time, or anything with operator<");
    bool upserts = false;
    if constexpr (detail::gives_changes<When>) upserts = !when.retract;
    detail::require_usable("top_n '" + name + "'", detail::check_top_n(n, options, upserts));
    std::vector<std::string> names = keyed.records().columns();
    names.emplace_back("rank");
    using fold = detail::top_n_fold<T, detail::key_of_t<KeyOf, T>, By>;
    return detail::add_updating("top_n", name, keyed, fold(n, by, options), when,
                                detail::describe_top_n(n, options), std::move(names));
  });
}

}  // namespace freshet
