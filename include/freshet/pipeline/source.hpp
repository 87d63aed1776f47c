// Sources: where records come from. What the author of a connector implements.
//
// A *description* (what `csv::read(...)` returns) is a small copyable value that only holds
// configuration; the engine opens it when the job starts. An opened source has one or more *splits*
// (files, partitions, channels); each is read by one reader, in order, from a position that the
// reader itself defines and that goes into every checkpoint.
//
// Threads: the engine calls one reader from one thread at a time, different readers possibly from
// different threads. Memory: a reader appends to the caller's batch and keeps nothing of it.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/pipeline/dead_letter.hpp>

#include <absl/status/statusor.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// What a reader knows after a read.
enum class read_state {
  more,  ///< There may be more: read again.
  idle,  ///< Nothing now; more may come. The reader calls its waker when it does.
  end,   ///< Exhausted; never read again.
};

/// What the engine asks of a reader whatever its rows are.
class split_cursor {
 public:
  virtual ~split_cursor() = default;

  /// Where the next `read` goes on: bytes that only this kind of reader understands.
  virtual std::string position() const = 0;

  /// Asks to be told when an idle split has something: `wake` may be called from any thread.
  virtual void wake_with(std::function<void()> /*wake*/) {}

  /// In how long, from now, an idle split should be asked again at the latest; nothing where only a
  /// wake-up tells.
  virtual std::optional<duration> ask_again() const { return std::nullopt; }

  /// Tells that everything read before `position` is in a durable commit.
  virtual void committed(std::string_view /*position*/) {}

  /// How many records have been dropped on purpose instead of read, since this reader was opened:
  /// because the pipeline is too slow for them, for example. Never less than before. Asked after
  /// reads, and before commits, for the metrics.
  virtual std::uint64_t dropped() const { return 0; }

  /// How many bytes of its file, partition or connection it has read for the records so far, since
  /// it was opened; 0 where it does not know. Never less than before. Asked after reads, for the
  /// metrics.
  virtual std::uint64_t bytes_read() const { return 0; }
};

/// Reads one split from front to back.
template <class T>
class split_reader : public split_cursor {
 public:
  /// Appends at most `limit` rows to `rows.values` and `rows.positions` (`sequence` only: ascending
  /// and unique within the split; the engine fills in `split`), and malformed records to `dead`
  /// (the engine fills in `source` and `split`). Must not block.
  /// \return what to expect next; an error ends the job, with nothing of this read delivered.
  virtual absl::StatusOr<read_state> read(std::size_t limit, batch<T>& rows,
                                          std::vector<dead_letter>& dead) = 0;
};

/// What the engine asks of an opened source whatever its rows are.
class source_base {
 public:
  virtual ~source_base() = default;

  /// Stable names of the splits (at least one), in the order that numbers them.
  virtual std::vector<std::string> splits() const = 0;

  /// `split_cursor::committed` for a split that is exhausted and whose reader is gone. May be told
  /// several times.
  virtual void committed(std::size_t /*split*/, std::string_view /*position*/) {}

  /// Whether a reader can go back to an earlier position after a crash. Exactly-once needs it.
  virtual bool replayable() const { return true; }

  /// Whether the end of each split is the end of its input; `stop` is the only end otherwise.
  virtual bool bounded() const { return true; }

  /// Whether the source may have more splits at the next start than a checkpoint knows, behind those
  /// that were there: a topic with new partitions. They are then read from their beginning.
  virtual bool may_gain_splits() const { return false; }
};

/// An opened source.
template <class T>
class source : public source_base {
 public:
  /// Opens the split with index `split` at `position`, or at its beginning when there is none.
  virtual absl::StatusOr<std::unique_ptr<split_reader<T>>> open(
      std::size_t split, std::optional<std::string_view> position) = 0;
};

/// A value that describes a source of `D::value_type`. It may also offer `describe()`: how it
/// reads, as text; a checkpoint is refused when that has changed. And `unpromised()`: the names, if
/// any, of what makes its records depend on more than its log (a vector of strings), for
/// `run_summary::unpromised`. And `abandon()`: called instead of `open` when the job had finished
/// in an earlier run, so that it will not be read; for what others may be waiting at.
template <class D>
concept source_description = std::copy_constructible<D> && requires(const D& description) {
  typename D::value_type;
  {
    description.open()
  } -> std::same_as<absl::StatusOr<std::unique_ptr<source<typename D::value_type>>>>;
};

}  // namespace freshet
