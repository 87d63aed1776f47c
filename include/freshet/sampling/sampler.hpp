// Samplers: which records to keep, and with which probability; what an author of one must offer.
//
// A sampler is an immutable description. The simplest kind judges each record by itself
// (`memoryless_sampler_of`); the kind described here learns. What it learns is a state value that
// the engine owns and checkpoints. Event time is cut into *epochs* by the records' entry frontiers,
// so epochs are a function of the log: the probabilities of an epoch depend on records of earlier
// epochs only, and a record is kept or not by a hash of its position. Neither the order of records
// inside an epoch, nor the batch size, nor the number of workers can change which records are kept.
// Nothing here is thread-safe by itself; states are bounded by what the description says.
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/core/weighted.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace freshet {

/// What a sampler says about one record.
struct sample_decision {
  bool keep = true;
  double probability = 1;  ///< In (0, 1], also when the record is not kept.
  double log_odds = 0;     ///< See `sampled::log_odds`.

  double weight() const { return 1 / probability; }
};

/// The epoch of records that entered before their split had any watermark. It precedes all others,
/// and no time passes between it and the next one.
inline constexpr std::int64_t epoch_before_all = std::numeric_limits<std::int64_t>::min();

/// The epoch of a record with this entry frontier: the floor of `entry_frontier / length`, counted
/// from 1970; `epoch_before_all` for `timestamp_min`.
/// \pre length > 0.
constexpr std::int64_t epoch_number(timestamp entry_frontier, duration length) {
  if (entry_frontier == timestamp_min) return epoch_before_all;
  const std::int64_t ticks = entry_frontier.time_since_epoch().count();
  const std::int64_t quotient = ticks / length.count();
  return ticks % length.count() < 0 ? quotient - 1 : quotient;
}

/// The first entry frontier after `epoch` (exclusive end), saturating: comparing with it spares the
/// division of `epoch_number` for most records.
/// \pre length > 0.
constexpr timestamp epoch_end(std::int64_t epoch, duration length) {
  if (epoch == epoch_before_all) return timestamp{timestamp_min.time_since_epoch() + duration{1}};
  std::int64_t next = 0;
  std::int64_t end = 0;
  if (__builtin_add_overflow(epoch, std::int64_t{1}, &next) ||
      __builtin_mul_overflow(next, length.count(), &end)) {
    return epoch < 0 ? timestamp{timestamp_min.time_since_epoch() + duration{1}} : timestamp_max;
  }
  return timestamp{duration{end}};
}

/// The hash that decides about the record at `where`. Equal seeds make nested samples: what a
/// lower probability keeps, a higher one keeps too.
constexpr std::uint64_t record_hash(std::uint64_t seed, const position& where) {
  const std::uint64_t place = std::uint64_t{where.split} << 32 | where.fanout;
  return combine_hashes(combine_hashes(mix_bits(seed), where.sequence), place);
}

/// A hash as a number in [0, 1): its high 53 bits, so that every step is 2^-53.
constexpr double unit_interval(std::uint64_t hash) {
  return static_cast<double>(hash >> 11) * 0x1p-53;
}

/// What a sampler that learns must offer to be used in `sample("name", ...)` on records of type
/// `T`.
///
/// - `state`: default-constructible, copyable, checkpointable. `start()` makes the first one.
///   `valid(state)` is false for a state that `start` and what follows cannot produce; the engine
///   asks it about a restored state before using it.
/// - `epoch_of(entry_frontier)` numbers epochs, never decreasing; `epoch_end(epoch)` is the first
///   frontier of a later one. `enter(state, epoch)` starts an epoch: it turns what was counted so
///   far into the probabilities of this one. The engine calls it with growing numbers as the
///   watermark enters them, before any record of the epoch. Epochs without records may be entered
///   or skipped: the state is the same afterwards, to the last bit. Entering the current epoch
///   again, or an earlier one, changes nothing.
/// - `decide(state, value, where)` counts the record into the current epoch and judges it. The
///   probability must not depend on other records of this epoch, nor on a generator.
/// - `counts` is what one worker counted in the current epoch: `counts_of(state)` gives access,
///   `merge(into, from)` is associative and commutative and exact. Several workers hold equal
///   states but for their counts. When the watermark enters an epoch, merge all counts, put the
///   result into every state, and enter: all states are equal again, whatever worker had which
///   record.
/// - `category_of(value)`: the category as text, asked for kept records only.
/// - `describe()`: the parameters as text; part of the checkpoint's fingerprint. `check()`: empty
///   when they are usable; otherwise what was found, what was wanted, and what to do.
///
/// `check_sampler` in testing/sampler_contract.hpp tests all of this.
template <class S, class T>
concept sampler_of =
    std::copy_constructible<S> && std::default_initializable<typename S::state> &&
    std::copyable<typename S::state> && std::copyable<typename S::counts> &&
    requires(const S& sampler, typename S::state& state, const typename S::state& restored,
             typename S::counts& into, const typename S::counts& from, const T& value,
             const position& where, timestamp frontier, std::int64_t epoch) {
      { sampler.start() } -> std::same_as<typename S::state>;
      { sampler.valid(restored) } -> std::same_as<bool>;
      { sampler.epoch_of(frontier) } -> std::same_as<std::int64_t>;
      { sampler.epoch_end(epoch) } -> std::same_as<timestamp>;
      sampler.enter(state, epoch);
      { sampler.decide(state, value, where) } -> std::same_as<sample_decision>;
      { sampler.counts_of(state) } -> std::same_as<typename S::counts&>;
      sampler.merge(into, from);
      { sampler.category_of(value) } -> std::convertible_to<std::string>;
      { sampler.describe() } -> std::convertible_to<std::string>;
      { sampler.check() } -> std::convertible_to<std::string>;
    };

/// A sampler without memory: the record alone decides. It needs no epochs, no event times, and no
/// state, and judges in parallel wherever the records are.
///
/// - `decide(value, where)` depends on the record, its position, and the description alone.
/// - `category_of`, `describe`, `check`: as in `sampler_of`.
///
/// A third kind waits until its epoch has ended: see `ranking_sampler_of` in sampling/ranking.hpp.
template <class S, class T>
concept memoryless_sampler_of = std::copy_constructible<S> &&
                                requires(const S& sampler, const T& value, const position& where) {
                                  { sampler.decide(value, where) } -> std::same_as<sample_decision>;
                                  {
                                    sampler.category_of(value)
                                  } -> std::convertible_to<std::string>;
                                  { sampler.describe() } -> std::convertible_to<std::string>;
                                  { sampler.check() } -> std::convertible_to<std::string>;
                                };

/// The row for a kept record, whatever kind of sampler kept it.
/// \pre `decision` is the sampler's own about `value`.
template <class T, class Sampler>
  requires requires(const Sampler& sampler, const T& value) {
    { sampler.category_of(value) } -> std::convertible_to<std::string>;
  }
sampled<T> make_sampled(const Sampler& sampler, T value, const sample_decision& decision) {
  sampled<T> row;
  row.probability = decision.probability;
  row.weight = decision.weight();
  row.category = sampler.category_of(value);
  row.log_odds = decision.log_odds;
  row.value = std::move(value);
  return row;
}

// --- Categories ---------------------------------------------------------------------------------

namespace detail {

/// What `check()` says about a rate: empty when it is in (0, 1].
std::string check_rate(double rate);

std::string number_text(std::int64_t number);
std::string number_text(std::uint64_t number);
std::string number_text(double number);  // The shortest text that reads back as the same number.

template <class T>
concept pair_or_tuple = requires { std::tuple_size<T>::value; };

template <class T>
consteval bool has_category_text() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                std::is_convertible_v<const T&, std::string_view>) {
    return true;
  } else if constexpr (is_optional<T>) {
    return has_category_text<typename T::value_type>();
  } else if constexpr (pair_or_tuple<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (has_category_text<std::tuple_element_t<I, T>>() && ...);
    }(std::make_index_sequence<std::tuple_size_v<T>>{});
  } else {
    return false;
  }
}

}  // namespace detail

/// What may be a category: a bool, number, enumeration, string, or an optional, pair, tuple, or
/// array of these.
template <class T>
concept category_value =
    stable_hashable<std::remove_cvref_t<T>> && detail::has_category_text<std::remove_cvref_t<T>>();

/// A category as text: `true`, `-7`, `0.5`, a string as it is, an enumeration as its number, an
/// empty optional as "", and the parts of a pair or tuple joined by `|`. Texts that fit into a
/// string object itself (15 bytes with GNU's library) do not allocate.
template <category_value T>
std::string category_text(const T& category) {
  if constexpr (std::is_same_v<T, bool>) {
    return category ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    return std::string(1, category);
  } else if constexpr (std::is_floating_point_v<T>) {
    return detail::number_text(static_cast<double>(category));
  } else if constexpr (std::is_enum_v<T>) {
    return category_text(static_cast<std::underlying_type_t<T>>(category));
  } else if constexpr (std::is_signed_v<T>) {
    return detail::number_text(static_cast<std::int64_t>(category));
  } else if constexpr (std::is_unsigned_v<T>) {
    return detail::number_text(static_cast<std::uint64_t>(category));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::string(static_cast<std::string_view>(category));
  } else if constexpr (detail::is_optional<T>) {
    return category ? category_text(*category) : std::string{};
  } else {
    std::string all;
    std::apply(
        [&all](const auto& first, const auto&... rest) {
          all = category_text(first);
          ((all += '|', all += category_text(rest)), ...);
        },
        category);
    return all;
  }
}

}  // namespace freshet
