// The pipeline: where composing starts, and what runs it.
//
// Composing belongs to one thread and only builds a description. `run` works in the calling thread;
// `start` in one of its own. A pipeline can be run again after it ended: with checkpoints it goes
// on where the last run committed.
#pragma once

#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/detail/sink_operator.hpp>
#include <freshet/pipeline/detail/source_head.hpp>
#include <freshet/pipeline/job.hpp>
#include <freshet/pipeline/run_options.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/pipeline/source.hpp>
#include <freshet/pipeline/stream.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

class pipeline {
 public:
  /// `name` identifies the job: a checkpoint directory belongs to one name.
  explicit pipeline(std::string name);

  /// The records of a source. `name` identifies its positions across restarts.
  /// Throws `std::invalid_argument` when another one has the name.
  template <source_description Description>
  checked_stream<typename Description::value_type> from(std::string name, Description description) {
    detail::node fresh;
    fresh.kind = "from";
    fresh.name = std::move(name);
    fresh.is = detail::node::role::source;
    fresh.named = true;
    if constexpr (requires {
                    { description.describe() } -> std::convertible_to<std::string>;
                  }) {
      fresh.format = description.describe();
    }
    if constexpr (requires {
                    { description.unpromised() } -> std::convertible_to<std::vector<std::string>>;
                  }) {
      fresh.unpromised = description.unpromised();
    }
    if constexpr (requires { description.abandon(); }) {
      fresh.abandon = [description] { description.abandon(); };
    }
    fresh.make = [description = std::move(description)] {
      return std::make_unique<detail::source_head<Description>>(description);
    };
    const detail::node_id id = graph_->add(std::move(fresh));
    return {graph_, {id, 0}};
  }

  /// Runs in the calling thread to the end of the input, or to the first error.
  /// \param summary filled in, when given, also after an error.
  absl::Status run(const run_options& options = {}, run_summary* summary = nullptr);

  /// Opens everything, then runs in a thread of its own. What is wrong with sources, sinks or the
  /// checkpoint is told here, before any record is read.
  absl::StatusOr<job> start(const run_options& options = {});

  const detail::graph_handle& graph() const { return graph_; }

 private:
  detail::graph_handle graph_;
};

/// Sends a stream into a sink: `rows | to("activity", csv::write("activity.csv"))`. `name`
/// identifies what the sink has committed across restarts.
/// Throws `std::invalid_argument` when another one has the name.
template <class Description>
auto to(std::string name, Description description) {
  return [name = std::move(name),
          description = std::move(description)]<class T>(const stream<T>& upstream) {
    static_assert(sink_description<Description, T>,
                  "freshet: to needs a sink description such as csv::write(path), one whose "
                  "open<T>(columns) returns absl::StatusOr<std::unique_ptr<sink<T>>>");
    detail::node fresh;
    fresh.kind = "to";
    fresh.name = name;
    fresh.is = detail::node::role::sink;
    fresh.named = true;
    fresh.timed = upstream.graph()->timed(upstream.from());
    fresh.inputs = {upstream.from()};
    fresh.takes = detail::distribution::all_to_one;
    fresh.make = [description, columns = upstream.columns()] {
      return std::make_unique<detail::sink_operator<T, Description>>(description, columns);
    };
    upstream.graph()->add(std::move(fresh));
  };
}

}  // namespace freshet
