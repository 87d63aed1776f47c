// sample: keeps the records that teach, and says of each with which probability it was kept.
//
// The selection is a function of the log and the seed, but for samplers that listen to live
// feedback, which `run_summary::unpromised` names. Three kinds of samplers, three ways:
// - without memory (`uniform`, `consistent`): each record is judged where it is;
// - learning (`rarity`, `importance`): probabilities change at epoch boundaries of the entry
// frontiers only, and
//   depend on earlier epochs only. Records of an epoch that the watermark has not entered wait
//   here; with one split that is at most one batch;
// - ranking (`reservoir`, `stratified`, `priority`, `time_biased`): what an epoch keeps comes out
// when it has
//   ended, with the event times that the records have (`time_biased`: that of the epoch's end);
//   watermarks stay at its beginning until then.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/memoryless_sample_operator.hpp>
#include <freshet/pipeline/detail/ranking_sample_operator.hpp>
#include <freshet/pipeline/detail/sample_operator.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/sampling/ranking.hpp>
#include <freshet/sampling/sampler.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// Whether a sampler says, with `static constexpr bool live = true`, that it listens to something
/// that is not in the log.
template <class Sampler>
inline constexpr bool listens_live = false;
template <class Sampler>
  requires requires { Sampler::live; }
inline constexpr bool listens_live<Sampler> = Sampler::live;

/// A sampler without memory is one more record-wise function, in as many tasks as there are above.
template <class T, class Sampler>
node sampling_node_of(const std::string& name, const Sampler& sampler, const stream<T>& upstream) {
  node fresh;
  fresh.kind = "sample";
  fresh.name = name;
  fresh.named = true;
  fresh.inputs = {upstream.from()};
  if constexpr (memoryless_sampler_of<Sampler, T>) {
    fresh.record_wise = true;
    fresh.timed = upstream.graph()->timed(upstream.from());
    fresh.make = [sampler] {
      return std::make_unique<memoryless_sample_operator<T, Sampler>>(sampler);
    };
  } else {
    static_assert(checkpointable<T>,
                  "freshet: sampled records must be checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    using operation =
        std::conditional_t<ranking_sampler_of<Sampler, T>, ranking_sample_operator<T, Sampler>,
                           sample_operator<T, Sampler>>;
    fresh.timed = true;
    fresh.takes = distribution::all_to_one;
    fresh.format = sampler.describe();
    fresh.layout = &operation::layout;
    if constexpr (listens_live<Sampler>) fresh.unpromised = {"live feedback"};
    fresh.make = [sampler] { return std::make_unique<operation>(sampler); };
  }
  return fresh;
}

}  // namespace detail

/// Samples a stream: `payments | sample("training", rarity(&payment::fraud, {...}))`. `name`
/// identifies the sampler's state across restarts. The rows' columns are those of the stream, then
/// `probability`, `weight`, `category`, `log_odds`. Throws `std::invalid_argument` when options are
/// out of range, when another one has the name, or when there are no event times and the sampler
/// has epochs: only samplers without memory (`uniform`, `consistent`) do without.
/// \note   Samplers with epochs run in one task; those without memory in as many as the stream.
template <class Sampler>
auto sample(std::string name, Sampler sampler) {
  return [name = std::move(name),
          sampler = std::move(sampler)]<class T>(const stream<T>& upstream) {
    constexpr bool memoryless = memoryless_sampler_of<Sampler, T>;
    constexpr bool fits = memoryless || ranking_sampler_of<Sampler, T> || sampler_of<Sampler, T>;
    static_assert(fits,
                  "freshet: this sampler does not fit these records; check that its member pointer "
                  "or function takes a record of this stream and returns a bool, number, string, "
                  "enum, or a tuple of these");
    if constexpr (fits) {
      const detail::graph_handle& graph = upstream.graph();
      const std::string place = "sample '" + name + "'";
      detail::require_usable(place, sampler.check());
      if (!memoryless) graph->require_timed(upstream.from(), place);
      const detail::node_id id = graph->add(detail::sampling_node_of<T>(name, sampler, upstream));
      // Where rows have none, the event time takes its place.
      if (!memoryless) (void)graph->want_entry_frontiers(upstream.from());

      std::vector<std::string> names = upstream.columns();
      if constexpr (has_columns<T>) {
        for (std::string& extra : columns<sampled<T>>::extra_names())
          names.push_back(std::move(extra));
      }
      return stream<sampled<T>>(graph, {id, 0}, std::move(names));
    }
  };
}

}  // namespace freshet
