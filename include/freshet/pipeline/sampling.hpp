// sample: keeps the records that teach, and says of each with which probability it was kept.
//
// The selection is a function of the log and the seed: probabilities change at epoch boundaries of
// the entry frontiers only, and depend on earlier epochs only. Records of an epoch that the
// watermark has not entered wait here; with one split that is at most one batch.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/sample_operator.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/sampling/sampler.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// Samples a stream with event times: `payments | sample("training", rarity(&payment::fraud,
/// {...}))`. `name` identifies the sampler's state across restarts. The rows' columns are those of
/// the stream, then `probability`, `weight`, `category`, `log_odds`. Throws `std::invalid_argument`
/// when options are out of range, when there are no event times, or when another one has the name.
template <class Sampler>
auto sample(std::string name, Sampler sampler) {
  return [name = std::move(name),
          sampler = std::move(sampler)]<class T>(const stream<T>& upstream) {
    static_assert(sampler_of<Sampler, T>,
                  "freshet: this sampler does not fit these records; check that its member pointer "
                  "or function takes a record of this stream and returns a bool, number, string, "
                  "enum, or a tuple of these");
    static_assert(checkpointable<T>,
                  "freshet: sampled records must be checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    const detail::graph_handle& graph = upstream.graph();
    const std::string place = "sample '" + name + "'";
    detail::require_usable(place, sampler.check());
    graph->require_timed(upstream.from(), place);
    detail::node fresh;
    fresh.kind = "sample";
    fresh.name = name;
    fresh.named = true;
    fresh.timed = true;
    fresh.inputs = {upstream.from()};
    fresh.takes = detail::distribution::all_to_one;
    fresh.format = sampler.describe();
    fresh.layout = &detail::sample_operator<T, Sampler>::layout;
    fresh.make = [sampler] {
      return std::make_unique<detail::sample_operator<T, Sampler>>(sampler);
    };
    const detail::node_id id = graph->add(std::move(fresh));
    // Where rows have none, the event time takes its place.
    (void)graph->want_entry_frontiers(upstream.from());

    std::vector<std::string> names = upstream.columns();
    if constexpr (has_columns<T>) {
      for (std::string& extra : columns<sampled<T>>::extra_names())
        names.push_back(std::move(extra));
    }
    return stream<sampled<T>>(graph, {id, 0}, std::move(names));
  };
}

}  // namespace freshet
