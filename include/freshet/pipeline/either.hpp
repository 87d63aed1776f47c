// connect: two keyed streams with keys of one type, on their way to one process function.
//
//     auto both = fr::connect(bids | fr::key_by(&bid::auction), auctions |
//     fr::key_by(&auction::id)); auto rows = both | fr::process<row>("matching", matching{});
//     // void process(const fr::either<bid, auction>& one, state& mine, auto& context)
//
// Every join is such a function. Time and order: records of both as they arrive, the watermark that
// of `merge`; a function that keeps "same log, same rows" must not mind which comes first. Threads:
// as process. Memory: none. Cost: one move per record, or a copy where others want the record, too.
#pragma once

#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace freshet {

/// A record of the one stream or the other. `L` and `R` may be one type.
template <class L, class R>
class either {
 public:
  static either of_left(L record) { return either(std::in_place_index<0>, std::move(record)); }
  static either of_right(R record) { return either(std::in_place_index<1>, std::move(record)); }

  bool is_left() const { return record_.index() == 0; }
  /// \pre it is a record of that stream.
  const L& left() const { return *std::get_if<0>(&record_); }
  L& left() { return *std::get_if<0>(&record_); }
  const R& right() const { return *std::get_if<1>(&record_); }
  R& right() { return *std::get_if<1>(&record_); }

 private:
  template <class Place, class T>
  either(Place place, T&& record) : record_(place, std::forward<T>(record)) {}

  std::variant<L, R> record_;
};

namespace detail {

template <class L, class R>
struct owned_rule<either<L, R>> {
  static std::uint64_t bytes(const either<L, R>& one) {
    return one.is_left() ? owned_bytes(one.left()) : owned_bytes(one.right());
  }
};

/// The key of whichever record it is, by reference where both functions give one.
template <class L, class R, class KeyOfL, class KeyOfR>
struct either_key {
  KeyOfL of_left;
  KeyOfR of_right;

  using key = key_of_t<KeyOfL, L>;
  static constexpr bool by_reference =
      std::is_same_v<decltype(key_of_record(std::declval<const KeyOfL&>(),
                                            std::declval<const L&>())),
                     const key&> &&
      std::is_same_v<decltype(key_of_record(std::declval<const KeyOfR&>(),
                                            std::declval<const R&>())),
                     const key&>;

  std::conditional_t<by_reference, const key&, key> operator()(const either<L, R>& one) const {
    if (one.is_left()) return key_of_record(of_left, one.left());
    return key_of_record(of_right, one.right());
  }
};

/// The records of `from`, each as one of two kinds. Event times and hashes of keys stay.
template <class Either, bool Left, class T>
stream<Either> as_either(const stream<T>& from) {
  return from | map([](T record) {
           if constexpr (Left) {
             return Either::of_left(std::move(record));
           } else {
             return Either::of_right(std::move(record));
           }
         });
}

}  // namespace detail

/// The records of both, keyed as they are. Throws `std::invalid_argument` when only one of them has
/// event times, or when they belong to different pipelines.
/// \source Flink's ConnectedStreams of two keyed streams, and its KeyedCoProcessFunction.
template <class L, class KeyOfL, class R, class KeyOfR>
auto connect(const keyed_stream<L, KeyOfL>& left, const keyed_stream<R, KeyOfR>& right) {
  static_assert(
      std::is_same_v<typename keyed_stream<L, KeyOfL>::key_type,
                     typename keyed_stream<R, KeyOfR>::key_type>,
      "freshet: the two streams have keys of different types; give both a key_by that returns one "
      "type, such as std::int64_t or std::string");
  using both = either<L, R>;
  using key_of = detail::either_key<L, R, KeyOfL, KeyOfR>;
  if (left.records().graph() != right.records().graph()) {
    throw std::invalid_argument(
        "connect: the streams belong to different pipelines; connect streams of one pipeline");
  }
  const stream<both> merged = merge(detail::as_either<both, true, L>(left.records()),
                                    detail::as_either<both, false, R>(right.records()));
  return keyed_stream<both, key_of>(checked_stream<both>(merged.graph(), merged.from()),
                                    key_of{left.key_of(), right.key_of()}, left.key_name());
}

}  // namespace freshet
