// Ranking samplers: those that keep a fixed number of records of each epoch.
//
// Every record gets a rank by a hash of its position; the smallest ranks of each stratum stay, and
// come out when the epoch has ended. The smallest k of a set depend neither on the order in which
// its members come nor on how they are divided: so the selection is a function of the log, and
// counts and samples of several workers merge exactly. (Reservoir algorithms that draw a random
// number for the n-th record, such as Li's Algorithm L and Cohen et al.'s VarOpt, choose others
// when the records of two splits come in another order.)
// Memory: at most `per_stratum` records for each of `strata_max + 1` strata in every epoch that has
// begun. One thread at a time. Nothing below `ranking_sampler_of` is for users.
#pragma once

#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/sampling/sampler.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace freshet {

/// What a ranking sampler says of a record before it knows the others of the epoch.
struct sample_rank {
  double rank = 0;            ///< Not NaN. Of the records of a stratum, the smallest are kept.
  std::uint64_t stratum = 0;  ///< A good hash, or the same number for all.
};

/// How much a ranking sampler keeps of each epoch.
struct ranking_capacity {
  std::size_t per_stratum = 1;  ///< Records; >= 1.
  std::size_t strata_max = 1;   ///< >= 1. Records of further strata share one pooled stratum.
};

/// What is known of a stratum when its epoch has ended.
struct ranked_total {
  std::uint64_t seen = 0;
  std::uint64_t kept = 0;
  /// The smallest rank that was not kept; infinity when all are kept.
  double threshold = std::numeric_limits<double>::infinity();
  std::uint64_t others_seen = 0;  ///< In all other strata of the epoch.
  std::uint64_t others_kept = 0;
};

/// What a ranking sampler must offer to be used in `sample("name", ...)` on records of type `T`.
///
/// - `rank(value, where, at)` depends on the record, its position and event time, and the
///   description alone.
/// - `decide(value, at, total)` says with which probability a kept record was kept, knowing what
///   became of its stratum; in (0, 1]. `keep` is not asked for.
/// - `static constexpr bool carries = true`, if the sample is that of all epochs so far instead of
///   one: it is carried over, and comes out whole at the end of each epoch that had records.
/// - `capacity()`, and `epoch_length()`: positive, see `epoch_number`. Records that came before
///   their split had any watermark belong to the first epoch that has others.
/// - `category_of`, `describe`, `check`: as in `sampler_of`. `check` comes before all others.
///
/// `check_sampler` in testing/sampler_contract.hpp tests all of this.
template <class S, class T>
concept ranking_sampler_of =
    std::copy_constructible<S> && requires(const S& sampler, const T& value, const position& where,
                                           timestamp at, const ranked_total& total) {
      { sampler.rank(value, where, at) } -> std::same_as<sample_rank>;
      { sampler.decide(value, at, total) } -> std::same_as<sample_decision>;
      { sampler.capacity() } -> std::same_as<ranking_capacity>;
      { sampler.epoch_length() } -> std::same_as<duration>;
      { sampler.category_of(value) } -> std::convertible_to<std::string>;
      { sampler.describe() } -> std::convertible_to<std::string>;
      { sampler.check() } -> std::convertible_to<std::string>;
    };

/// The first entry frontier of `epoch`, saturating; what `epoch_end` says of the epoch before it.
/// \pre length > 0.
constexpr timestamp epoch_begin(std::int64_t epoch, duration length) {
  if (epoch == epoch_before_all) return timestamp_min;
  std::int64_t begin = 0;
  if (__builtin_mul_overflow(epoch, length.count(), &begin)) {
    return epoch < 0 ? timestamp_min : timestamp_max;
  }
  return timestamp{duration{begin}};
}

namespace detail {

/// Whether a ranking sampler's sample is that of all epochs so far.
template <class S>
inline constexpr bool carries_sample = false;
template <class S>
  requires requires { S::carries; }
inline constexpr bool carries_sample<S> = S::carries;

/// A number in (0, 1] that belongs to a record: a rank that is never 0. Not what `uniform` and
/// `rarity` compare: or what they keep of a stream would have small ranks only.
constexpr double random_rank(std::uint64_t seed, const position& where) {
  const std::uint64_t hash = mix_bits(record_hash(seed, where) ^ 0x72616e6b696e6701U);
  return static_cast<double>((hash >> 11) + 1) * 0x1p-53;
}

/// What `check()` says about the options that ranking samplers share; empty when usable. `name` is
/// that of the option that holds the size.
std::string check_ranking(const char* name, std::uint64_t size, std::uint64_t strata,
                          duration epoch);

/// A record that stays for now, with everything that its row needs.
template <class T>
struct ranked_record {
  double rank = 0;
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  timestamp at = timestamp_min;
  std::optional<timestamp> behind;  ///< Its entry frontier, where it is behind it.
  T value{};

  position where() const { return {sequence, split, fanout}; }
  /// By rank; equal ranks by position, so that no two are equal.
  friend bool operator<(const ranked_record& a, const ranked_record& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.where() < b.where();
  }
  BOOST_DESCRIBE_CLASS(ranked_record, (), (rank, sequence, split, fanout, at, behind, value), (),
                       ())
};

/// The smallest ranks of one stratum, and how many records there were.
template <class T>
struct ranked_stratum {
  std::uint64_t seen = 0;
  double threshold = std::numeric_limits<double>::infinity();  ///< See `ranked_total`.
  std::vector<ranked_record<T>> kept;                          ///< A heap, the largest in front.

  /// Whether a record of this rank would not stay: then `kept` need not be asked.
  bool refuses(double rank, std::size_t size) const {
    return kept.size() == size && rank > kept.front().rank;
  }

  void keep(ranked_record<T> record, std::size_t size) {
    if (kept.size() == size) {
      if (!(record < kept.front())) {
        threshold = std::min(threshold, record.rank);
        return;
      }
      threshold = std::min(threshold, kept.front().rank);
      std::pop_heap(kept.begin(), kept.end());
      kept.back() = std::move(record);
    } else {
      kept.push_back(std::move(record));
    }
    std::push_heap(kept.begin(), kept.end());
  }

  /// Adds the records of another part of this stratum.
  void merge(ranked_stratum&& from, std::size_t size) {
    seen += from.seen;
    threshold = std::min(threshold, from.threshold);
    for (ranked_record<T>& record : from.kept) keep(std::move(record), size);
  }

  bool valid(std::size_t size) const {
    return kept.size() <= size && kept.size() <= seen && (seen == kept.size() || !kept.empty()) &&
           std::is_heap(kept.begin(), kept.end()) &&
           std::all_of(kept.begin(), kept.end(),
                       [this](const ranked_record<T>& each) { return each.rank <= threshold; });
  }
  BOOST_DESCRIBE_CLASS(ranked_stratum, (), (seen, threshold, kept), (), ())
};

/// The samples of all strata of one epoch, or of one worker's part of it.
template <class T>
struct ranked_epoch {
  std::map<std::uint64_t, ranked_stratum<T>> strata;
  ranked_stratum<T> pool;  ///< Of all strata that are not in `strata`.

  /// Counts a record; `make()` gives the `ranked_record` if it may stay.
  /// \cost O(log strata + log per_stratum), and next to nothing once most ranks are refused.
  template <class Make>
  void add(const ranking_capacity& capacity, const sample_rank& ranked, Make make) {
    ranked_stratum<T>& stratum = stratum_of(ranked.stratum, capacity);
    ++stratum.seen;
    if (stratum.refuses(ranked.rank, capacity.per_stratum)) {
      stratum.threshold = std::min(stratum.threshold, ranked.rank);
    } else {
      stratum.keep(make(), capacity.per_stratum);
    }
  }

  void merge(const ranking_capacity& capacity, ranked_epoch&& from) {
    for (auto& [hash, stratum] : from.strata) {
      stratum_of(hash, capacity).merge(std::move(stratum), capacity.per_stratum);
    }
    pool.merge(std::move(from.pool), capacity.per_stratum);
  }

  /// Calls `see(record, total)` for every kept record, in the order of positions.
  template <class See>
  void for_each(See see) {
    std::uint64_t seen = pool.seen;
    std::uint64_t kept = pool.kept.size();
    for (const auto& [hash, stratum] : strata) {
      seen += stratum.seen;
      kept += stratum.kept.size();
    }
    std::vector<std::pair<ranked_record<T>*, ranked_total>> all;
    all.reserve(kept);
    const auto append = [&](ranked_stratum<T>& stratum) {
      const ranked_total total{stratum.seen, stratum.kept.size(), stratum.threshold,
                               seen - stratum.seen, kept - stratum.kept.size()};
      for (ranked_record<T>& record : stratum.kept) all.push_back({&record, total});
    };
    for (auto& [hash, stratum] : strata) append(stratum);
    append(pool);
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first->where() < b.first->where(); });
    for (auto& [record, total] : all) see(*record, total);
  }

  std::size_t size() const {
    std::size_t records = pool.kept.size();
    for (const auto& [hash, stratum] : strata) records += stratum.kept.size();
    return records;
  }

  bool valid(const ranking_capacity& capacity) const {
    return strata.size() <= capacity.strata_max && pool.valid(capacity.per_stratum) &&
           std::all_of(strata.begin(), strata.end(), [&](const auto& each) {
             return each.second.seen > 0 && each.second.valid(capacity.per_stratum);
           });
  }
  BOOST_DESCRIBE_CLASS(ranked_epoch, (), (strata, pool), (), ())

 private:
  /// Of too many strata those of the smallest hashes stay. Such a one has been there from its first
  /// record on, because the largest hash that stays only ever falls: so its count is exact, and the
  /// choice does not depend on the order of records.
  ranked_stratum<T>& stratum_of(std::uint64_t hash, const ranking_capacity& capacity) {
    const auto next = strata.lower_bound(hash);
    if (next != strata.end() && next->first == hash) return next->second;
    if (strata.size() == capacity.strata_max) {
      if (next == strata.end()) return pool;
      const auto last = std::prev(strata.end());
      pool.merge(std::move(last->second), capacity.per_stratum);
      strata.erase(last);
    }
    return strata[hash];
  }
};

}  // namespace detail
}  // namespace freshet
