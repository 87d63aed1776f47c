// Sinks: where rows go. What the author of a connector implements.
//
// A *description* (what `csv::write(...)` returns) is a small copyable value; the engine opens it
// when the job starts. An opened sink takes part in every checkpoint in two steps: `prepare` makes
// what was written durable without publishing it and returns a token; when the token is safely part
// of a committed checkpoint, `commit` publishes it. A crash between the two repeats `commit`.
//
// Threads: one thread at a time. Memory: a sink keeps nothing of a batch after `write` returned.
#pragma once

#include <freshet/core/batch.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// What a sink promises when its job is killed and started again.
enum class sink_guarantee {
  exactly_once,   ///< Rows are published with the checkpoint that holds their cause.
  at_least_once,  ///< Rows after the last checkpoint are delivered again after a crash.
};

/// What a sink's `write` may throw instead of an exception that has no place: the row that could
/// not be written, with the exception in flight nested in it.
struct row_failure : std::nested_exception {
  explicit row_failure(std::size_t failed_row) : row(failed_row) {}
  std::size_t row;  ///< Index in the batch.
};

/// An opened sink for rows of type `T`.
template <class T>
class sink {
 public:
  virtual ~sink() = default;

  virtual sink_guarantee guarantee() const = 0;

  /// Whether `start` can also go back to a token older than the newest that was committed, and take
  /// back what was published since. Asked before `start`, after a fallback to an older commit and
  /// for a savepoint. Sinks that cannot keep the job from starting then, unless
  /// `run_options::allow_duplicates`.
  virtual bool can_roll_back() const { return false; }

  /// Called once before anything else: goes back to exactly what `committed` describes, or to
  /// nothing when there is none.
  virtual absl::Status start(std::optional<std::string_view> committed) = 0;

  /// Takes the rows, which need not be durable or visible yet. May block: that is backpressure.
  virtual absl::Status write(const batch<T>& rows) = 0;

  /// Called from another thread, at most once, when the job gives up after `stop` or `drain`: a
  /// `write` under way, and any later one, should return soon with an error. One that may block for
  /// long needs it, or the job waits for it.
  virtual void interrupt() {}

  /// Makes everything written so far durable and returns the token that `commit` and, after a
  /// restart, `start` will be given.
  virtual absl::StatusOr<std::string> prepare() = 0;

  /// Publishes what `token` describes, and nothing of what was written after `prepare` gave it:
  /// rows may come between the two. `last` says that no row follows: the sink
  /// completes its output (renames a file, closes a table). Must be harmless when repeated after a
  /// crash.
  virtual absl::Status commit(std::string_view token, bool last) = 0;
};

/// A value that describes a sink for rows of type `T`: `columns` are the names of the columns that
/// a row flattens into (see core/columns.hpp), empty when the rows have none.
template <class D, class T>
concept sink_description =
    std::copy_constructible<D> && requires(const D& description, std::vector<std::string> columns) {
      {
        description.template open<T>(columns)
      } -> std::same_as<absl::StatusOr<std::unique_ptr<sink<T>>>>;
    };

}  // namespace freshet
