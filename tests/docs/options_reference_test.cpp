// The error texts of docs/reference/options.md, and the defaults it names.
#include "catch.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::string key;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(reading, (), (key, at))

/// What `run` says to these options.
std::string refusal(const fr::run_options& options) {
  fr::pipeline p("p");
  p.from("readings", fr::values(std::vector<reading>{})) |
      fr::to("rows", fr::callback([](const reading&) {}));
  const absl::Status done = p.run(options);
  if (done.code() != absl::StatusCode::kInvalidArgument) return "not refused";
  return std::string(done.message());
}

/// What composing says to these options of a window.
std::string refusal(const fr::window_options& options) {
  fr::pipeline p("p");
  const auto keyed = p.from("readings", fr::values(std::vector<reading>{})) |
                     fr::event_time(&reading::at, fr::ascending{}) | fr::key_by(&reading::key);
  try {
    keyed | fr::window(fr::tumbling{1s}, options) | fr::aggregate("w", fr::count("n"));
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return "not refused";
}

}  // namespace

TEST_CASE("wrong options of a run are refused as docs/reference/options.md says", "[docs]") {
  const std::string place = "pipeline 'p': ";
  const std::string wanted = ", wanted 1 to 128; give the number of cores to use";
  const std::string negative = " is negative; give zero or a positive duration";
  CHECK(refusal({.parallelism = 0}) == place + "parallelism is 0" + wanted);
  CHECK(refusal({.parallelism = 129}) == place + "parallelism is 129" + wanted);
  CHECK(refusal({.flush_after = -1ms}) == place + "flush_after -1ms" + negative);
  CHECK(refusal({.latency_markers = -1ms}) == place + "latency_markers -1ms" + negative);
  CHECK(refusal({.max_drift = -1ms}) == place + "max_drift -1ms" + negative);
  CHECK(refusal({.rebalance_every = -1ms}) == place + "rebalance_every -1ms" + negative);
  CHECK(refusal({.stop_within = -1ms}) == place + "stop_within -1ms" + negative);
  CHECK(refusal({.drain_within = -1ms}) == place + "drain_within -1ms" + negative);
  CHECK(refusal({.channel_batches = 0}) ==
        place + "channel_batches is 0, so that nothing could pass; give at least 1");
  CHECK(refusal({.scheduler = fr::host_workers(nullptr)}) ==
        place + "host_workers was given no function; give one that enqueues work");
  CHECK(refusal({.checkpoint = {.directory = "unused", .every = 0s}}) ==
        place + "checkpoint.every 0s is not positive; give a positive duration");
  CHECK(refusal({.checkpoint = {.directory = "unused", .alignment_limit = 0s}}) ==
        place + "checkpoint.alignment_limit 0s is not positive; give a positive duration");
  CHECK(refusal({.checkpoint = {.directory = "unused", .keep = 0}}) ==
        place + "checkpoint.keep is 0, so that no commit would stay; give at least 1");
  CHECK(refusal({.checkpoint = {.directory = "unused", .copy_every = 0s}}) ==
        place + "checkpoint.copy_every 0s is not positive; give a positive duration");
  CHECK(refusal({.checkpoint = {.restore_from = "unused"}}) ==
        place + "checkpoint.restore_from is given without a directory; give a new one to go on in");
  CHECK(refusal({.resume = fr::resume::required}) ==
        place + "resume is required, and there is no checkpoint directory; give one");
}

TEST_CASE("wrong options of a window are refused as docs/reference/options.md says", "[docs]") {
  CHECK(refusal(fr::window_options{.allowed_lateness = -1s}) ==
        "window 'w': allowed lateness -1s is negative; give zero or a positive duration");
  CHECK_THAT(refusal(fr::window_options{.fire = fr::firing::never}),
             Catch::Matchers::StartsWith("window 'w': fire is never, and there are no early "
                                         "panes, so that no row would ever come; "));
}

TEST_CASE("the defaults are those of docs/reference/options.md", "[docs]") {
  const fr::run_options run;
  CHECK(run.parallelism == 1);
  CHECK(run.scheduler.is == fr::scheduling::kind::thread_pool);
  CHECK(run.flush_after == 1ms);
  CHECK(run.latency_markers == 200ms);
  CHECK(run.max_drift == 1min);
  CHECK(run.channel_batches == 4);
  CHECK(run.stop_within == 10s);
  CHECK(run.drain_within == 1min);
  CHECK(!run.checkpoint.enabled());
  CHECK(run.checkpoint.every == 1s);
  CHECK(run.checkpoint.alignment_limit == 1min);
  CHECK(run.checkpoint.keep == 2);
  CHECK(run.checkpoint.copy_every == 1min);
  CHECK(!run.allow_duplicates);
  CHECK(run.allow_dropped_state.empty());
  CHECK(run.resume == fr::resume::automatic);
  CHECK(run.clock == nullptr);
  const fr::window_options window;
  CHECK(window.allowed_lateness == 0s);
  CHECK(window.fire == fr::firing::on_time);
  CHECK(window.pre_aggregate == fr::pre_aggregation::adaptive);
  const fr::channel_options channel;
  CHECK(channel.capacity == 4096);
  CHECK(channel.when_full == fr::when_full::block);
}
