// A source that plays a script: records, pauses, failed reads, an end or none, as a test wants
// them.
//
//     namespace frt = freshet::testing;
//     frt::script<event> plays;
//     plays.split("a").records({first, second}).pause().record(third);
//     plays.split("b").record(other).fail(absl::UnavailableError("the broker is gone"));
//     frt::scripted_source<event> source(plays, {.chunk_rows_max = 7, .chunk_seed = 1});
//     p.from("events", source) | ...;             // Fails at the end of b, once.
//     p.from("events", source) | ...;             // After a restart it goes on.
//     source.resume();                            // Past the pause in a.
//
// A script is a value. A scripted source is a handle: copies, and every opening of a pipeline over
// it, share what has happened so far. Order: each split in the order of its script; chunk sizes
// depend on the seed alone. Sequence: the index of the record in its split. Threads: the handle
// from any, also while jobs run. Memory: the script, once.
//
// To give records and watermarks one by one instead, see testing/harness.hpp.
#pragma once

#include <freshet/pipeline/source.hpp>
#include <freshet/testing/detail/script_state.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::testing {

/// For `script::fail`: at every opening.
inline constexpr std::size_t every_time = std::numeric_limits<std::size_t>::max();

/// What the splits of a source do, in order. Items go to the split named last.
template <class T>
class script {
 public:
  script() = default;
  /// Splits of records only, named `0`, `1`, ...
  explicit script(std::vector<std::vector<T>> splits) {
    for (std::vector<T>& each : splits) split().records(std::move(each));
  }

  /// Begins another split. By default its name is its number.
  script& split(std::string name = {}) {
    if (name.empty()) name = std::to_string(splits_.size());
    splits_.push_back({std::move(name), {}, {}, true});
    return *this;
  }
  script& record(T value) {
    last().records.push_back(std::move(value));
    return *this;
  }
  script& records(std::vector<T> values) {
    std::vector<T>& all = last().records;
    all.insert(all.end(), std::make_move_iterator(values.begin()),
               std::make_move_iterator(values.end()));
    return *this;
  }
  /// The split has nothing, until `scripted_source::resume`.
  script& pause() { return add({detail::script_step::kind::pause, 0, absl::OkStatus(), 0}); }
  /// A read fails with `why`, which ends the job; so often, counted over all openings.
  script& fail(absl::Status why, std::size_t times = 1) {
    return add({detail::script_step::kind::failure, 0, std::move(why), times});
  }
  /// The split does not end after its last item, but has nothing more, for ever.
  script& never_ends() {
    last().ends = false;
    return *this;
  }

 private:
  template <class>
  friend class scripted_source;

  detail::script_split<T>& last() {
    if (splits_.empty()) split();
    return splits_.back();
  }
  script& add(detail::script_step step) {
    step.before_record = last().records.size();
    last().steps.push_back(std::move(step));
    return *this;
  }

  std::vector<detail::script_split<T>> splits_;
};

struct script_options {
  /// A read gives at most so many records. At least 1.
  std::size_t chunk_rows_max = 1024;
  /// Given one, reads give 0 to `chunk_rows_max` records, in sizes that it decides.
  std::optional<std::uint64_t> chunk_seed = std::nullopt;
  /// After so many records of one opening, over all splits, every read fails with `failure`: the
  /// process dies, as it were.
  std::size_t fail_after_records = std::numeric_limits<std::size_t>::max();
  absl::Status failure = absl::AbortedError("script: as told, after .fail_after_records");
  /// After so many records of one opening, over all splits, every split has nothing, for ever.
  std::size_t pause_after_records = std::numeric_limits<std::size_t>::max();
  /// What the source says of itself: whether it can go back to earlier positions after a crash. It
  /// can in any case.
  bool replayable = true;
  /// What the source says of itself: whether the end of each split is the end of its input.
  bool bounded = true;
  /// Whether another run may find more splits behind those that it knows, as of a growing topic.
  bool gains_splits = false;
  /// How it reads, for the checkpoint: another text is refused on resume.
  std::string description = "scripted";
};

/// The description of a source that plays a script, and the test's handle on it.
template <class T>
class scripted_source {
 public:
  using value_type = T;

  /// Throws `std::invalid_argument` when an option is out of range. A script without splits is
  /// refused when a job opens it.
  explicit scripted_source(script<T> plays, script_options options = {})
      : state_(std::make_shared<detail::script_state<T>>(std::move(plays.splits_),
                                                         to_settings(options))),
        description_(std::move(options.description)) {}

  /// Lets a split past its next pause, whether it stands there now or comes there later.
  void resume(std::size_t split) const { state_->resume(split); }
  /// The same for every split.
  void resume() const {
    for (std::size_t split = 0; split < state_->splits(); ++split) state_->resume(split);
  }
  /// Whether a split stands at a pause.
  bool paused(std::size_t split) const { return state_->paused(split); }

  /// How many records of a split are in a commit.
  std::uint64_t committed(std::size_t split) const { return state_->committed(split); }
  /// How often it was opened.
  std::size_t openings() const { return state_->openings(); }
  /// How many records the current opening has given, over all splits.
  std::uint64_t delivered() const { return state_->delivered(); }

  absl::StatusOr<std::unique_ptr<source<T>>> open() const {
    return std::make_unique<detail::script_player<T>>(state_);
  }
  std::string describe() const { return description_; }

 private:
  static detail::script_settings to_settings(const script_options& options) {
    return {options.chunk_rows_max, options.chunk_seed,          options.fail_after_records,
            options.failure,        options.pause_after_records, options.replayable,
            options.bounded,        options.gains_splits};
  }

  std::shared_ptr<detail::script_state<T>> state_;
  std::string description_;
};

}  // namespace freshet::testing
