// What the tests of process functions share: one log, run in every way in which it can be cut.
//
// Times are ticks of 1 us; a record of the key `clock` moves the watermark to its time. Every run
// is repeated with batches of 1, 2, 7 and 256 rows, with a crash and a resume after every record, and
// with a row or two in memory, and has to give the same rows.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>

#include <tuple>

namespace freshet::test {

namespace fr = freshet;

inline event e(std::string key, std::int64_t at, std::int64_t value = 1) {
  return {std::move(key), value, tick(at)};
}
inline event w(std::int64_t at) {
  return {"clock", 0, tick(at)};
}

/// What a function of events that emits rows of type `Out` is given: for local functions, which can
/// have no `auto` parameters.
template <class Out>
using context_for = fr::process_context<std::string, Out>;

/// The rows of two streams.
struct process_rows {
  rows_of_text rows;
  rows_of_text side;
  friend bool operator==(const process_rows&, const process_rows&) = default;
};

/// Runs `add(keyed)`, a tuple of two streams, over the log as `from` cuts it, going on after
/// crashes.
template <class Add>
process_rows run_cut(const script_handle<event>& from, const fr::run_options& options,
                     const Add& add) {
  const auto rows = keeper();
  const auto side = keeper();
  absl::Status done = absl::AbortedError("not yet");
  while (done.code() == absl::StatusCode::kAborted) {
    fr::pipeline p("process");
    auto [main, beside] =
        add(p.from("events", scripted<event>(from)) |
            fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key));
    main | fr::to("rows", keep_rows_in(rows));
    beside | fr::to("side", keep_rows_in(side));
    done = p.run(options);
  }
  INFO(done.ToString());
  REQUIRE(done.ok());
  return {rows->rows, side->rows};
}

template <class Add>
process_rows run_everywhere(const std::vector<event>& log, const Add& add) {
  auto from = script_of({log});
  from->chunk_max = 1;
  from->chunks_vary = false;
  const process_rows wanted = run_cut(from, {}, add);
  for (const std::size_t chunk : {2U, 7U, 256U}) {
    INFO("batches of " << chunk);
    from->chunk_max = chunk;
    REQUIRE(run_cut(from, {}, add) == wanted);
  }
  INFO("resumed after every record");
  from->chunk_max = 1;
  from->crash_after = 1;
  REQUIRE(run_cut(from, committing_to(std::make_shared<fr::memory_checkpoint>()), add) == wanted);
  INFO("with a row or two in memory");
  fr::run_options limited = committing_to(std::make_shared<fr::memory_checkpoint>());
  limited.state.memory_limit = 1;
  REQUIRE(run_cut(from, limited, add) == wanted);
  from->crash_after = std::numeric_limits<std::size_t>::max();
  limited = committing_to(std::make_shared<fr::memory_checkpoint>());
  limited.state.memory_limit = 1;
  REQUIRE(run_cut(from, limited, add) == wanted);
  return wanted;
}

/// A function of one stream, with an empty second one beside it.
template <class Out, class F>
auto only(F f) {
  return [f](const auto& keyed) {
    const fr::stream<Out> out = keyed | fr::process<Out>("p", f);
    return std::tuple{out, out | fr::filter([](const Out&) { return false; })};
  };
}

template <class Out, class F>
rows_of_text rows_of(const std::vector<event>& log, F f) {
  return run_everywhere(log, only<Out>(f)).rows;
}

}  // namespace freshet::test
