// How a pipeline runs, and what it tells about its run. Plain values.
#pragma once

#include <freshet/core/key_group.hpp>
#include <freshet/core/latency_histogram.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/scheduling.hpp>
#include <freshet/state/backend.hpp>

#include <absl/status/statusor.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// What to do about commits found in the checkpoint directory.
enum class resume : std::uint8_t {
  automatic,  ///< Go on from the newest commit; start fresh where there is none.
              ///< `run_summary::resumed` says which.
  required,   ///< Refuse to start without a commit.
  never,      ///< Refuse to start with one.
};

/// Where and how often to commit.
struct checkpoint_options {
  /// A directory of this job's own, made when missing. Empty: no checkpoints.
  std::string directory = {};
  /// Processing time between commits. Positive.
  duration every = std::chrono::seconds(1);
  /// How long, on the steady clock, the barriers of a checkpoint may be on their way through all
  /// tasks, some of which hold back inputs that are ahead. Then it is abandoned and counted, and
  /// the job goes on; the next one has all that this one would have had. Positive. The last commit
  /// of a job, and one with which key groups move, are waited for. Under `simulation` the seed
  /// decides.
  duration alignment_limit = std::chrono::minutes(1);
  /// How many commits the directory keeps, the newest among them. At least 1. They share files, so
  /// that more of them cost little.
  std::size_t keep = 2;
  /// Processing time between copies that share no file with any commit: damage to the disk under
  /// one file of the state reaches every commit, and not the copy. The newest is kept. Each reads
  /// and writes the whole state. Positive; `duration::max()` for none but the first.
  duration copy_every = std::chrono::minutes(1);
  /// A savepoint, or a commit or copy of any checkpoint directory, to start from with a new
  /// `directory`. It is only read. The same options go on from `directory` when the job starts
  /// again.
  std::string restore_from = {};
  /// Opens what commits go to instead of a directory: a backend of the application's own, or
  /// `memory_backend` in tests.
  std::function<absl::StatusOr<std::unique_ptr<state_backend>>()> backend = nullptr;

  bool enabled() const { return backend || !directory.empty(); }
};

/// What state may cost.
struct state_options {
  /// Bytes of memory for the state of operators that can keep to it (`process` functions, joins,
  /// sessions, windows with panes, count windows, upserts), with the caches and copies that keeping
  /// it in a checkpoint directory needs: rows that do not fit are in the newest commit, and are
  /// read when their keys come. 0: no limit. Needs checkpoints; rows of the output are the same.
  /// Other operators with state keep all of it in memory: `run_summary::warnings` names them. What
  /// is divided how, and what is done where it is not enough: docs/explanation/memory.md.
  std::size_t memory_limit = 0;
};

struct run_options {
  /// How many tasks share the keys of an operator, and how many threads run tasks: 1 to 128. With 1
  /// the whole job is one task, in one thread. `thread_pool()` has no more than there are cores.
  std::size_t parallelism = 1;
  /// Who runs the tasks.
  scheduling scheduler = thread_pool();
  /// How long a partly filled batch, and the watermark behind it, may wait on its way to another
  /// task. Not negative. A task that has nothing to do sends at once what it holds. Under
  /// `simulation` the seed decides instead.
  duration flush_after = std::chrono::milliseconds(1);
  /// By how much event time splits read by one task may be ahead of those read by another. Not
  /// negative. Splits without event times, and those that have nothing, play no part.
  duration max_drift = std::chrono::minutes(1);
  /// How often the load of each key group is looked at, on the steady clock, so that key groups may
  /// move from a task that is busy to one that has less to do. Not negative; zero: they never move.
  /// Under `simulation` the seed decides when they move.
  duration rebalance_every = std::chrono::seconds(1);
  /// How many batches may be under way between two tasks. At least 1.
  std::size_t channel_batches = 4;
  /// How long a job may take, on the steady clock, to commit and end after `stop`, and to work off
  /// what it has read after `drain`, before it gives up with DeadlineExceeded: the last commit then
  /// stands, and what came after it is read again. Not negative. A function or sink that is being
  /// called then is waited for all the same.
  duration stop_within = std::chrono::seconds(10);
  duration drain_within = std::chrono::minutes(1);
  /// How often, in processing time, each task of a source sends a marker with the rows that it
  /// reads, for `job_metrics::latencies`. Not negative; zero for never. Under `simulation` without
  /// a `clock` of the application's own there are none.
  duration latency_markers = std::chrono::milliseconds(200);
  checkpoint_options checkpoint = {};
  state_options state = {};
  freshet::resume resume = freshet::resume::automatic;
  /// Start also when the commit to go on from is older than what sinks have published, and some of
  /// them cannot take it back: after damage to newer commits, or from a savepoint. Their rows since
  /// then come twice, and `run_summary::guarantee` says so.
  bool allow_duplicates = false;
  /// The names of operators, sources and sinks that the pipeline may have lost since the commit:
  /// what it holds of them is dropped with the first commit, state rows included. Names that the
  /// commit does not know are ignored, so that the job can start again with the same options.
  /// Without this, to drop or rename one is an error.
  std::vector<std::string> allow_dropped_state = {};
  /// Processing time, for tests that move it by hand (`testing::manual_clock`): commits, idle
  /// timeouts, and windows and timers of processing time go by it. Asked at least every
  /// millisecond, from any thread of the job. Must not go back. Empty: the system's time when the
  /// job starts, carried on by the steady clock, so that steps of the system's clock are not seen.
  std::function<timestamp()> clock = nullptr;
};

/// A key that many records of an operator have, as a sample of about one record in 32 tells, in
/// which older ones fade.
struct hot_key {
  std::string key;         ///< Where it is a string or an integer, and a record was there to ask.
  std::uint64_t hash = 0;  ///< `stable_hash` of the key.
  double share = 0;        ///< Of the sampled records: at most this much, 0 to 1,
  double share_error = 0;  ///< and at least `share - share_error`.
};

/// Counts of one operator, since the job began: they are part of every commit, so that a resumed
/// job counts on, and ends with the counts of an uninterrupted one.
struct operator_metrics {
  std::string place;  ///< `window 'activity'`.
  std::string kind;   ///< `window`.
  std::string name;   ///< `activity`; may be empty.
  std::uint64_t records_in = 0;
  std::uint64_t records_out = 0;
  std::uint64_t late = 0;        ///< Records late for all of their windows.
  std::uint64_t dead = 0;        ///< Records that could not be used.
  std::uint64_t unassigned = 0;  ///< Records that no window wants.
  std::uint64_t realigned = 0;   ///< Records of an input that came back from idleness.
  std::uint64_t regressed = 0;   ///< Watermarks promised by records, and ignored: they would have
                                 ///< gone back, or further ahead than `jump_max`.
  std::uint64_t dropped = 0;     ///< Keys and windows of processing time that were open at the end.
  std::uint64_t shed = 0;        ///< Records that a source dropped by its policy; not among
                                 ///< `records_in`.

  // Of this run, not part of commits. Rows count with their size in memory: `sizeof` of their type,
  // and what they own in strings, containers and members of described structs; the first row of a
  // batch stands for all of it. So rows that own nothing count exactly.

  /// Of the rows received; of the partial aggregates that came in place of rows. Of a source: bytes
  /// of its files, if it knows them (`csv::read`: of the text, also where it is compressed).
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;  ///< Of the rows in `records_out`.
  std::uint64_t retried = 0;    ///< Attempts of `async_map` after the first one of a record.
  std::uint64_t ignored = 0;    ///< Answers that came twice, or when nobody waited any more.

  // What it holds just now, of all its tasks; not part of commits. While the job runs, up to 10 ms
  // of work old, and a task that rests is asked for the rest, for the next look. 0 for operators
  // that hold nothing between batches.

  /// Keys, where windows hold state once for each pair of a key and an open window; and records
  /// that wait for their turn, their epoch, or a watermark.
  std::uint64_t state_entries = 0;
  /// Memory of its tables, queues and held records, spare room included. An estimate where keys and
  /// values own memory: some of them stand for all, and only strings, containers and the members of
  /// described structs are seen.
  std::uint64_t state_bytes = 0;

  // With `state_options::memory_limit`; see docs/explanation/memory.md.

  /// Of `state_entries`, the keys whose rows are not in memory, but in the newest commit. As of the
  /// same moment.
  std::uint64_t cold_entries = 0;
  std::uint64_t evicted = 0;     ///< Rows that were dropped from memory, in this run.
  std::uint64_t cold_asked = 0;  ///< Keys that were looked for in the newest commit,
  std::uint64_t cold_read = 0;   ///< and found there.

  /// The keys that certainly have more than one in 1024 of the records of a task above, the
  /// heaviest first, at most 16. Known where hot keys are looked for: of windows with
  /// `pre_aggregation::adaptive` that are alone below their `key_by`, with `parallelism` above 1.
  std::vector<hot_key> hot_keys;
};

/// What one task of this run has done: the operators of one stage, for a part of the keys or
/// splits. Times are those of the steady clock, and a slice of work old.
struct task_metrics {
  std::vector<std::string> operators;   ///< Their places, those further up first.
  std::size_t number = 0;               ///< Among the tasks with these operators.
  std::uint64_t records_in = 0;         ///< Of the first operator: the task's load.
  duration busy{0};                     ///< Working.
  duration idle{0};                     ///< With nothing to do.
  duration blocked{0};                  ///< Waiting until a task below has room: backpressure.
  duration ready{0};                    ///< With something to do, waiting for a thread.
  double queue_fill = 0;                ///< Of its fullest input channel, 0 to 1.
  timestamp watermark = timestamp_min;  ///< What it has been promised; see `watermark_lag`.
  /// How far the watermark is behind processing time; zero where there is none, or it is ahead.
  duration watermark_lag{0};
};

/// The key groups of one stage: what the tasks that share them receive.
struct key_group_metrics {
  std::vector<std::string> operators;  ///< The places of those in the stage.
  /// Records that were sent to each key group in this run, estimated from every eighth batch;
  /// without those that were aggregated before they travelled.
  std::array<std::uint64_t, key_groups> records{};
  std::array<std::uint16_t, key_groups> tasks{};  ///< The number of the task that owns each.
};

/// How long markers took from one source to one sink, in this run: from the moment when the rows
/// before them had been read until the sink had taken these, by `run_options::clock`. So it is the
/// time that a row spends in operators' functions, in partly filled batches, in channels, and
/// waiting for tasks. What rows wait for in the state of an operator (a window, an order, an epoch)
/// is not in it, nor what they waited for before they were read.
///
/// A marker goes to every task below, on every way: over an exchange to all of its targets, and
/// through a merge of two branches twice. Each arrival counts once. Markers of the control side of
/// `connect` end there.
struct latency_metrics {
  std::string source;  ///< Its name.
  std::string sink;    ///< Its name.
  latency_histogram latency;
};

struct job_metrics {
  std::vector<operator_metrics> operators;  ///< In the order of composition.
  std::vector<task_metrics> tasks;          ///< While the job runs, and in its summary at the end.
  std::uint64_t checkpoints = 0;            ///< Committed by this run.
  duration checkpoint_last{0};              ///< From the barrier to the publishing, of the newest.
  duration checkpoint_longest{0};
  duration checkpoint_durable{0};      ///< From the barrier until it could not be lost: the newest.
  std::uint64_t checkpoint_rows = 0;   ///< Written by the newest: what had changed.
  std::uint64_t checkpoint_bytes = 0;  ///< Keys and values of these.
  /// The longest that a barrier, or copying a part of its snapshot out, has kept a task from its
  /// work; sinks that get ready for the commit (`sink::prepare`) are in it.
  duration checkpoint_pause_longest{0};
  std::uint64_t checkpoints_abandoned = 0;  ///< Whose barriers took longer than `alignment_limit`.
  /// The longest that a task held back inputs that had come to a barrier before others, and how
  /// many batches had come on them by then, in all tasks: of the newest checkpoint, and the most of
  /// all.
  duration alignment_last{0};
  duration alignment_longest{0};
  std::uint64_t alignment_batches_last = 0;
  std::uint64_t alignment_batches_most = 0;
  /// Of stages with key groups and several tasks; while the job runs, and in its summary.
  std::vector<key_group_metrics> key_groups;
  std::uint64_t moves = 0;             ///< How often key groups moved between tasks in this run.
  std::uint64_t key_groups_moved = 0;  ///< How many did, all times together.
  duration move_longest{0};            ///< The longest that tasks stood still for it.
  /// One for each pair of a source and a sink that a marker has come from and to; by sink, then by
  /// source, in the order of composition.
  std::vector<latency_metrics> latencies;

  /// Sums over all operators; `records` counts what the sources read, `rows` what sinks took.
  std::uint64_t records() const;
  std::uint64_t rows() const;
  std::uint64_t late() const;
  std::uint64_t dead() const;
  std::uint64_t unassigned() const;
  std::uint64_t regressed() const;
  std::uint64_t dropped() const;
  std::uint64_t shed() const;

  /// The counts of one operator: `of("to", "out")`. All zero when there is none of that kind and
  /// name.
  operator_metrics of(std::string_view kind, std::string_view name) const;

  /// The latencies of a sink from all sources together; empty when no marker has come to it.
  latency_histogram latency_to(std::string_view sink) const;
};

/// What a run came to.
struct run_summary {
  bool resumed = false;        ///< Went on from a commit.
  bool nothing_to_do = false;  ///< The commit found was that of a finished job.
  bool finished = false;       ///< Reached the end of its input, or was drained.
  double seconds = 0;
  job_metrics metrics;
  /// The end-to-end guarantee across restarts, and which end limits it.
  std::string guarantee;
  /// What this pipeline contains that "same log in, same rows out" does not cover, by name.
  std::vector<std::string> unpromised;
  /// What was found to be other than asked for, such as fewer threads. Sentences.
  std::vector<std::string> warnings;

  /// All of it in a few lines for people.
  std::string to_text() const;
};

}  // namespace freshet
