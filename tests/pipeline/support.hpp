// What the tests of pipelines share: scripted sources, a sink that commits like a file, a movable
// clock, and rows as text.
//
// Time: event times are ticks of 1 us; processing time is the test's own clock. Order: a script is
// delivered split by split in order, cut into chunks that depend on the seed alone. Threads: as the
// engine's. Memory: every row, for comparison.
#pragma once

#include "catch.hpp"

#include <freshet/core/columns.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/state/memory.hpp>

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

template <class Cell>
std::string cell_text(const Cell& cell) {
  if constexpr (std::is_same_v<Cell, timestamp>) {
    return std::to_string(cell.time_since_epoch().count());
  } else if constexpr (std::is_arithmetic_v<Cell>) {
    return std::to_string(cell);
  } else if constexpr (std::is_convertible_v<const Cell&, std::string>) {
    return cell;
  } else if constexpr (requires { cell.has_value(); }) {
    return cell ? cell_text(*cell) : std::string("none");
  } else {
    std::string all;
    for (const auto& part : cell) all += (all.empty() ? "" : ",") + cell_text(part);
    return "[" + all + "]";
  }
}

/// The columns of a row joined by `|`.
template <class Row>
std::string row_text(const Row& row) {
  std::string text;
  if constexpr (has_columns<Row>) {
    columns<Row>::visit(
        row, [&](const auto& cell) { text += (text.empty() ? "" : "|") + cell_text(cell); });
  } else {
    text = cell_text(row);
  }
  return text;
}

/// The same, then `@` and the row's event time.
template <class Row>
std::string row_text(const Row& row, timestamp at) {
  return row_text(row) + "@" + cell_text(at);
}

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

/// What a `scripted` source delivers, and what it does besides.
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
  std::string format = "scripted";
  /// Splits that are idle before their record of this number.
  std::vector<std::optional<std::size_t>> silent_from;
  std::size_t opened = 0;
  std::vector<std::string> told_committed;  ///< By split, what `committed` last said.
};

template <class T>
using script_handle = std::shared_ptr<script<T>>;

template <class T>
class scripted_reader final : public split_reader<T> {
 public:
  scripted_reader(script_handle<T> from, std::size_t split, std::size_t next,
                  std::shared_ptr<std::size_t> delivered)
      : from_(std::move(from)),
        split_(split),
        next_(next),
        delivered_(std::move(delivered)),
        random_(from_->seed * 1000003 + split) {}

  absl::StatusOr<read_state> read(std::size_t limit, batch<T>& rows,
                                  std::vector<dead_letter>&) override {
    const std::vector<T>& all = from_->splits[split_];
    if (*delivered_ >= from_->crash_after) return absl::AbortedError("scripted: crash");
    if (*delivered_ >= from_->pause_after) return read_state::idle;
    std::size_t count = std::min(limit, from_->chunk_max);
    if (from_->chunks_vary) count = random_() % (count + 1);
    count = std::min({count, all.size() - next_, from_->crash_after - *delivered_,
                      from_->pause_after - *delivered_});
    const bool may_fall_silent = split_ < from_->silent_from.size() && from_->silent_from[split_];
    if (may_fall_silent && next_ <= *from_->silent_from[split_]) {
      count = std::min(count, *from_->silent_from[split_] - next_);
    }
    for (std::size_t i = 0; i < count; ++i, ++next_) {
      rows.values.push_back(all[next_]);
      rows.positions.push_back({next_, 0, 0});
    }
    *delivered_ += count;
    if (next_ == all.size()) return read_state::end;
    if (may_fall_silent && next_ == *from_->silent_from[split_]) return read_state::idle;
    return read_state::more;
  }

  std::string position() const override { return std::to_string(next_); }
  void committed(std::string_view position) override {
    from_->told_committed.resize(from_->splits.size());
    from_->told_committed[split_] = std::string(position);
  }

 private:
  script_handle<T> from_;
  std::size_t split_;
  std::size_t next_;
  std::shared_ptr<std::size_t> delivered_;  ///< By all readers of one opening.
  std::mt19937_64 random_;
};

template <class T>
class scripted_source final : public source<T> {
 public:
  explicit scripted_source(script_handle<T> from) : from_(std::move(from)) { ++from_->opened; }

  std::vector<std::string> splits() const override {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < from_->splits.size(); ++i) names.push_back("s" + std::to_string(i));
    return names;
  }
  absl::StatusOr<std::unique_ptr<split_reader<T>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    const std::size_t next = position ? std::stoull(std::string(*position)) : 0;
    return std::make_unique<scripted_reader<T>>(from_, split, next, delivered_);
  }
  bool replayable() const override { return from_->is_replayable; }
  bool bounded() const override { return from_->is_bounded; }

 private:
  script_handle<T> from_;
  std::shared_ptr<std::size_t> delivered_ = std::make_shared<std::size_t>(0);
};

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
    return std::make_unique<scripted_source<T>>(from);
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
