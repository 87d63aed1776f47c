// join: every pair of records of two keyed streams that have one key, however far apart they are.
//
//     auto offers = auctions | fr::key_by(&auction::seller)
//                 | fr::join("offers", people | fr::key_by(&person::id),
//                            [](const auction& a, const person& p) { return offer{...}; });
//
//     left    ---a1-----------a2-------
//     right   --------b1---------------      rows (a1, b1) with b1, (a2, b1) with a2
//
// Time: event times are not needed; where there are some, a row has that of the later record. Only
// inner: that a record will never have a match is known at the end of the input alone, and rows
// taken back do not exist here; `interval_join` and `window_join` know earlier. Same log, same
// rows, whatever comes first. Threads: one task. Memory: every record for ever, or as long as a
// time to live says. A checkpoint writes all records of each key that has got a new one. Cost: O(1)
// per pair.
// \source The regular join of Flink SQL, over streams to which rows are only added.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/pairing.hpp>
#include <freshet/pipeline/interval_join.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/keying.hpp>

#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// How long records of each side wait for the other, in event time: a left record matches right
/// ones that come less than `left_ttl` after it, and right ones less than `right_ttl` before it.
/// \pre positive, else `join` throws `std::invalid_argument`. The default is for ever.
struct join_options {
  duration left_ttl = duration::max();
  duration right_ttl = duration::max();
};

namespace detail {

/// The moments in which a record that lives for `left_ttl` or `right_ttl` can be matched, as an
/// interval. Throws `std::invalid_argument` where there are none.
closed_interval interval_of_lives(const join_options& options, const std::string& place);

}  // namespace detail

/// Joins the keyed stream that it is piped from, the left one, with `right`. `name` identifies the
/// state across restarts. `combine(const L&, const R&)` makes a row of a pair, or an optional row
/// that is empty where the two do not match after all.
/// \return a `joined_stream`. Without times to live nothing is late.
/// Throws `std::invalid_argument` when a time to live is not positive, when there is one and a
/// stream has no event times, when only one of them has, or another one has the name.
template <class R, class KeyOfR, class Combine>
auto join(std::string name, keyed_stream<R, KeyOfR> right, join_options options, Combine combine) {
  return [name = std::move(name), right = std::move(right), options,
          combine = std::move(combine)]<class Left>(const Left& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      using left_record = typename Left::value_type;
      if constexpr (detail::require_combine<Combine, left_record, R, join_type::inner>()) {
        detail::process_look look{.kind = "join", .name = name};
        const std::string place = look.kind + " '" + name + "'";
        const detail::within_interval rule{detail::interval_of_lives(options, place)};
        if (rule.interval != detail::closed_interval::of_all_time()) {
          upstream.records().graph()->require_timed(upstream.records().from(), place);
        }
        return detail::add_pairing<join_type::inner>(look, upstream, right, rule, combine);
      }
    } else {
      static_assert(!std::is_same_v<Left, Left>,
                    "freshet: join needs to know which records belong together; put "
                    "key_by(&record::key) before it");
    }
  };
}

/// The same, for ever.
template <class R, class KeyOfR, class Combine>
auto join(std::string name, keyed_stream<R, KeyOfR> right, Combine combine) {
  return join(std::move(name), std::move(right), join_options{}, std::move(combine));
}

}  // namespace freshet
