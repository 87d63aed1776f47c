// async_map: asks something outside for each record, and waits for many answers at a time.
//
//     auto scored = payments | fr::async_map<score>("model", [client](const payment& p,
//                                                                     fr::reply<score> answer) {
//       client->ask(p, [answer](absl::StatusOr<score> s) { answer(std::move(s)); });
//     });
//     scored.dead() | fr::to("unscored", ...);
//
// Rows are the answers, or what a further function makes of a record and its answer.
//
// The function must not block; it hands the question over and returns. Coroutines and futures:
// freshet/connectors/asio.hpp and `from_future`. An exception, a failed status, a timeout and a
// dropped reply are failures of an attempt; see `async_options` for what follows.
//
// Rows have the event times of their records. Whether rows are the same in every run is a matter of
// the service; that order is not, where it is not kept, is named in `run_summary::unpromised`. An
// answer that was there at a crash, but not committed, is asked for again: questions are asked at
// least once, rows are exactly once. Two records with one question ask twice, unless the answer is
// in the cache by then.
//
// Tasks: one, whatever the parallelism; what takes time is elsewhere. Memory: see `capacity`.
// \source Flink's asynchronous I/O (ordered, unordered with watermarks as borders, records in
// flight in the checkpoint).
#pragma once

#include <freshet/pipeline/async_options.hpp>
#include <freshet/pipeline/detail/async_operator.hpp>
#include <freshet/pipeline/reply.hpp>
#include <freshet/pipeline/stream.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// Keeps up to `entries` answers for `ttl` of processing time, by what `key_of` says of a record:
/// the last argument of `async_map`. An answer serves every record with its key, so that it must
/// not depend on the rest of the record: what does belongs into `combine`. The answer not asked for
/// the longest goes first. Failures are not kept, and nothing is across restarts.
template <class KeyOf>
auto cached_by(KeyOf key_of, std::size_t entries, duration ttl) {
  if (entries == 0 || ttl <= duration::zero()) {
    throw std::invalid_argument(
        "cached_by: entries or ttl is not positive; give some, or leave the cache out");
  }
  return detail::keyed_cache<KeyOf>{std::move(key_of), entries, ttl};
}

/// One row for each record that is answered: `combine(record, answer)`, of whatever type it
/// returns. `f(record, reply<Answer>)` answers from any thread, at any time. `name` identifies the
/// records in flight across restarts. Throws `std::invalid_argument` when an option is out of
/// range, or another operator has the name.
template <class Answer, class Function, class Combine, class Cache = detail::no_cache>
  requires(!std::is_same_v<Combine, async_options>)
auto async_map(std::string name, Function f, Combine combine, async_options options = {},
               Cache cache = {}) {
  return [name = std::move(name), f = std::move(f), combine = std::move(combine),
          options = std::move(options),
          cache = std::move(cache)]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_v<Function&, const T&, reply<Answer>>,
                  "freshet: async_map<Answer> needs a function (const record&, reply<Answer>) that "
                  "answers by calling the reply");
    static_assert(std::is_invocable_v<Combine&, const T&, const Answer&>,
                  "freshet: async_map makes rows by a function (const record&, const answer&)");
    static_assert(Cache::template fits<T>,
                  "freshet: cached_by needs a function of one record, or a member pointer");
    static_assert(checkpointable<T>,
                  "freshet: records in flight must be checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    using out = std::remove_cvref_t<std::invoke_result_t<Combine&, const T&, const Answer&>>;
    const detail::graph_handle& graph = upstream.graph();
    detail::require_usable("async_map '" + name + "'", detail::wrong_in(options));
    detail::node fresh;
    fresh.kind = "async_map";
    fresh.name = name;
    fresh.named = true;
    fresh.timed = graph->timed(upstream.from());
    fresh.inputs = {upstream.from()};
    fresh.takes = detail::distribution::all_to_one;
    fresh.format = "async_map";
    using made = detail::async_operator<T, Answer, out, Function, Combine, Cache>;
    fresh.layout = &made::layout;
    if (options.order == async_order::unordered) {
      fresh.reorders = true;
      fresh.unpromised = {"unordered async_map"};
    }
    fresh.make = [f, combine, options, cache] {
      return std::make_unique<made>(f, combine, options, cache);
    };
    const detail::node_id id = graph->add(std::move(fresh));
    return checked_stream<out>(graph, {id, 0}, column_names<out>());
  };
}

/// The same with rows that are the answers.
template <class Answer, class Function, class Cache = detail::no_cache>
auto async_map(std::string name, Function f, async_options options = {}, Cache cache = {}) {
  return async_map<Answer>(std::move(name), std::move(f), detail::answer_alone{},
                           std::move(options), std::move(cache));
}

}  // namespace freshet
