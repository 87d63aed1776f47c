// Windows of processing time: a record belongs to the spans that hold the moment at which it is
// processed.
//
// Time: the clock of the job (`run_options::clock`), not event time, which plays no part. Results
// depend on when the job ran: `run_summary::unpromised` names "processing time". A plain value.
#pragma once

#include <freshet/window/assigner.hpp>

#include <string>
#include <utility>

namespace freshet {

/// What `processing_time` returns: an assigner, asked for the time of the clock.
template <class Assigner>
struct processing_time_windows {
  Assigner assigner;
};

/// Puts the windows of `assigner` on the clock: `window(processing_time(tumbling{10s}))`.
/// A window fires once, when the clock reaches its end; when the clock jumps over several ends,
/// each fires, in their order. No record is late. Rows have the event time `end` - 1 us, and below
/// them event time is processing time: the watermark follows the clock. Windows that are open at
/// the end of the input, or when the job drains, are dropped, and their rows counted; `stop` keeps
/// them, and the next start fires at once what is overdue.
/// \source Flink's TumblingProcessingTimeWindows and its kin.
template <class Assigner>
processing_time_windows<Assigner> processing_time(Assigner assigner) {
  return {std::move(assigner)};
}

}  // namespace freshet
