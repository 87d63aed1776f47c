// What the tests of pipelines share: scripted sources, a sink that commits like a file, a movable
// clock, and rows as text.
//
// Time: event times are ticks of 1 us; processing time is the test's own clock. Order: a script is
// delivered split by split in order, cut into chunks that depend on the seed alone. Threads: as the
// engine's. Memory: every row, for comparison.
#pragma once

#include "catch.hpp"

#include <freshet/core/time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/state/memory.hpp>
#include <freshet/testing/row_text.hpp>
#include <freshet/testing/scripted_source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::test {

/// The event time of a tick (1 us since the epoch).
constexpr timestamp tick(std::int64_t count) {
  return timestamp{duration{count}};
}
constexpr duration ticks_long(std::int64_t count) {
  return duration{count};
}

/// The record of most tests.
struct event {
  std::string key;
  std::int64_t value = 0;
  timestamp at;

  friend bool operator==(const event&, const event&) = default;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, value, at))

using event_splits = std::vector<std::vector<event>>;

/// One split of the key `a` with values 1, 2, 3, ... at the given ticks.
inline std::vector<event> events_at(std::initializer_list<std::int64_t> ticks) {
  std::vector<event> all;
  std::int64_t value = 0;
  for (const std::int64_t at : ticks) all.push_back({"a", ++value, tick(at)});
  return all;
}

// --- rows as text
// ---------------------------------------------------------------------------------

using freshet::detail::cell_text;
using freshet::testing::row_text;

/// The same rows in an order of their own, for comparing multisets.
inline std::vector<std::string> sorted(std::vector<std::string> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

using rows_of_text = std::vector<std::string>;

// --- the sink
// -------------------------------------------------------------------------------------

/// What a `keep_rows_in` sink wrote, as a file that survives the job: rows beyond `published` may
/// be taken back.
struct kept_rows {
  std::vector<std::string> rows;
  std::size_t published = 0;
  std::size_t starts = 0;
  std::size_t commits = 0;
  bool completed = false;       ///< The last commit said that no row follows.
  absl::Status commit_failure;  ///< While not OK, `commit` returns it.
  sink_guarantee guarantee = sink_guarantee::exactly_once;

  /// What a reader of the output may rely on.
  std::vector<std::string> visible() const {
    return {rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(published)};
  }
};

using kept_rows_handle = std::shared_ptr<kept_rows>;

inline kept_rows_handle keeper() {
  return std::make_shared<kept_rows>();
}

template <class T>
class keeping_sink final : public sink<T> {
 public:
  explicit keeping_sink(kept_rows_handle to) : to_(std::move(to)) {}

  sink_guarantee guarantee() const override { return to_->guarantee; }

  absl::Status start(std::optional<std::string_view> committed) override {
    ++to_->starts;
    const std::size_t keep = committed ? std::stoull(std::string(*committed)) : 0;
    if (keep > to_->rows.size())
      return absl::DataLossError("keep_rows_in: committed rows are gone");
    to_->rows.resize(keep);
    to_->published = std::min(to_->published, keep);
    return absl::OkStatus();
  }
  absl::Status write(const batch<T>& rows) override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      to_->rows.push_back(rows.times.empty() ? row_text(rows.values[i])
                                             : row_text(rows.values[i], rows.times[i]));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override { return std::to_string(to_->rows.size()); }
  absl::Status commit(std::string_view token, bool last) override {
    if (!to_->commit_failure.ok()) return to_->commit_failure;
    ++to_->commits;
    to_->published = std::stoull(std::string(token));
    to_->completed = last;
    return absl::OkStatus();
  }

 private:
  kept_rows_handle to_;
};

struct keeping_description {
  kept_rows_handle rows;

  template <class T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<keeping_sink<T>>(rows);
  }
};

/// A sink that keeps its rows as text in `rows`, exactly once over restarts.
inline keeping_description keep_rows_in(kept_rows_handle rows) {
  return {std::move(rows)};
}

// --- the source
// -----------------------------------------------------------------------------------

/// What a `scripted` source delivers, and what it does besides. It may change between runs.
template <class T>
struct script {
  std::vector<std::vector<T>> splits;
  std::size_t chunk_max = 1024;  ///< A read gives 0 .. chunk_max records, or exactly that many.
  bool chunks_vary = true;
  std::uint64_t seed = 0;  ///< Of the chunk sizes.
  /// After so many records of this opening, every read fails: the process dies, as it were.
  std::size_t crash_after = std::numeric_limits<std::size_t>::max();
  /// After so many records of this opening, every split is idle and stays so.
  std::size_t pause_after = std::numeric_limits<std::size_t>::max();
  bool is_bounded = true;
  bool is_replayable = true;
  bool gains_splits = false;
  std::string format = "scripted";
  std::size_t opened = 0;

  testing::scripted_source<T> source() const {
    testing::script<T> plays;
    for (std::size_t i = 0; i < splits.size(); ++i) {
      plays.split("s" + std::to_string(i)).records(splits[i]);
    }
    testing::script_options options;
    options.chunk_rows_max = chunk_max;
    if (chunks_vary) options.chunk_seed = seed;
    options.fail_after_records = crash_after;
    options.failure = absl::AbortedError("scripted: crash");
    options.pause_after_records = pause_after;
    options.replayable = is_replayable;
    options.bounded = is_bounded;
    options.gains_splits = gains_splits;
    return testing::scripted_source<T>(std::move(plays), std::move(options));
  }
};

template <class T>
using script_handle = std::shared_ptr<script<T>>;

/// A source of splits in memory that behaves as `from` says, also when `from` changes between runs.
template <class T>
struct scripted {
  using value_type = T;
  script_handle<T> from;

  explicit scripted(script_handle<T> says) : from(std::move(says)) {}
  explicit scripted(std::vector<std::vector<T>> splits) : from(std::make_shared<script<T>>()) {
    from->splits = std::move(splits);
  }
  absl::StatusOr<std::unique_ptr<source<T>>> open() const {
    ++from->opened;
    return from->source().open();
  }
  std::string describe() const { return from->format; }
};

inline script_handle<event> script_of(event_splits splits) {
  auto from = std::make_shared<script<event>>();
  from->splits = std::move(splits);
  return from;
}

// --- running
// --------------------------------------------------------------------------------------

/// Checkpoints in `into` after every slice in which records were read.
inline run_options committing_to(std::shared_ptr<memory_checkpoint> into) {
  run_options options;
  options.checkpoint.backend = [into]() -> absl::StatusOr<std::unique_ptr<state_backend>> {
    return memory_backend(into);
  };
  options.checkpoint.every = duration{1};
  return options;
}

/// Runs to the end and requires that nothing went wrong.
inline run_summary run_to_end(pipeline& p, const run_options& options = {}) {
  run_summary summary;
  const absl::Status done = p.run(options, &summary);
  INFO(done.ToString());
  REQUIRE(done.ok());
  return summary;
}

inline std::string message_of(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

/// The text of the `std::invalid_argument` that `compose` throws, or "nothing was thrown".
inline std::string refusal_of(const std::function<void()>& compose) {
  try {
    compose();
  } catch (const std::invalid_argument& refused) {
    return refused.what();
  }
  return "nothing was thrown";
}

}  // namespace freshet::test
