// The head of a task: reads the splits of one source and sends batches down the graph. Internal.
//
// Always reads the split with the lowest frontier, so that files or partitions of different lengths
// stay together in event time and window state stays small. Threads: one task; wake-ups from any.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/record.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/split_board.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

/// Where a source stood at a commit.
struct source_commit {
  std::vector<std::string> splits;
  std::vector<std::string> positions;
  std::vector<bool> ended;
};
BOOST_DESCRIBE_STRUCT(source_commit, (), (splits, positions, ended))

/// A source as the engine drives it. All that does not depend on the rows lives here, compiled
/// once.
class head : public runtime_operator {
 public:
  enum class step_result : std::uint8_t { worked, idle, finished };

  /// Opens the source, so that its splits are known. Nothing is read.
  absl::Status open_source(std::uint32_t number);
  /// Reads what `first` has opened, together with it: splits `number`, `number + of`, ...
  void share_source(head& first, std::size_t number, std::size_t of);
  /// Opens the readers where `committed` says, or at the beginning.
  absl::Status open_readers(const std::optional<source_commit>& committed);
  /// Reads and delivers one batch, of the first split in turn that has something. Signals the end
  /// once every split is exhausted.
  step_result step();
  /// Sends a signal down the graph; an `end` only once.
  void send(const control& what);

  /// Sends a marker with the rows of a read, once in so long; zero for never.
  void mark_every(duration interval) { mark_every_ = interval; }

  /// Where it stands; the positions of splits that others read are empty.
  source_commit position() const;
  /// Tells the readers that `at` is durable.
  void committed(const source_commit& at);
  /// In how long an idle source should be stepped again; nothing where only a wake-up tells.
  std::optional<duration> ask_again() const;
  /// The lowest frontier among the splits not exhausted.
  timestamp frontier() const;
  /// The same among those that have something to read, as far as is known; `timestamp_max` when
  /// none has.
  timestamp readable_frontier() const;
  /// Whether a split is not read because it is past the board's read limit.
  bool holds_back() const;
  bool replayable() const { return source_->replayable(); }
  split_board& board() { return board_; }
  const split_board& board() const { return board_; }

  inlet_base& input(std::size_t) final;
  outlet_base& output(std::size_t port) final;

 protected:
  /// Opens the description; what it gives stays with the derived class.
  virtual absl::StatusOr<source_base*> open_description() = 0;
  /// The same, with what `first`, of the same kind, has opened.
  virtual source_base* open_shared(head& first) = 0;
  virtual absl::StatusOr<std::unique_ptr<split_cursor>> open_reader(
      std::size_t split, std::optional<std::string_view> position) = 0;
  /// Fills the batch and `dead` from a reader that `open_reader` gave.
  virtual absl::StatusOr<read_state> read(split_cursor& reader, std::vector<dead_letter>& dead) = 0;
  virtual std::size_t rows_read() const = 0;
  virtual std::uint64_t row_bytes_read() const = 0;
  /// Sends the batch, its positions numbered with `split`.
  virtual void deliver_rows(std::uint32_t split) = 0;
  virtual void signal_rows(const control& what) = 0;
  virtual outlet_base& rows_output() = 0;

 private:
  struct one_split {
    std::unique_ptr<split_cursor> reader;
    std::shared_ptr<std::atomic<bool>> woken;
    std::string final_position;  ///< Of an exhausted split.
    std::uint64_t last_turn = 0;
    std::uint64_t dropped = 0;  ///< As the reader told last.
    std::uint64_t bytes = 0;    ///< The same.
    bool idle = false;
    bool ended = false;
  };

  bool all_ended() const;
  std::optional<std::size_t> next_split(std::uint64_t step_began);
  void read_split(std::size_t split);
  void deliver(std::size_t split, read_state state);
  void send_dead_letters(std::size_t split);
  void send_tick();
  bool looks_at_clock();
  void send_marker(timestamp read_at);
  void count_dropped(one_split& of) const;

  source_base* source_ = nullptr;
  /// Held while the source, which other tasks share, is told something.
  std::shared_ptr<std::mutex> source_mutex_ = std::make_shared<std::mutex>();
  split_board board_;
  std::vector<one_split> splits_;
  outlet<dead_letter> dead_out_;
  std::vector<dead_letter> dead_;
  batch<dead_letter> dead_rows_;
  std::uint64_t turn_ = 0;
  bool end_sent_ = false;
  duration mark_every_{0};
  timestamp next_marker_ = timestamp_min;  ///< In processing time.
  timestamp looked_at_ = timestamp_min;    ///< When the clock was looked at for markers.
  std::int64_t reads_ = 0;                 ///< Since then.
  std::int64_t looks_after_ = 0;           ///< So many reads.
};

template <class Description>
class source_head final : public head {
 public:
  using row = typename Description::value_type;

  explicit source_head(Description description) : description_(std::move(description)) {}

 private:
  absl::StatusOr<source_base*> open_description() override {
    absl::StatusOr<std::unique_ptr<source<row>>> opened = description_.open();
    if (!opened.ok()) return opened.status();
    source_ = *std::move(opened);
    return source_.get();
  }
  source_base* open_shared(head& first) override {
    source_ = static_cast<source_head&>(first).source_;
    return source_.get();
  }
  absl::StatusOr<std::unique_ptr<split_cursor>> open_reader(
      std::size_t split, std::optional<std::string_view> position) override {
    return source_->open(split, position);
  }
  absl::StatusOr<read_state> read(split_cursor& reader, std::vector<dead_letter>& dead) override {
    rows_.clear();
    return static_cast<split_reader<row>&>(reader).read(batch_rows_max, rows_, dead);
  }
  std::size_t rows_read() const override { return rows_.size(); }
  std::uint64_t row_bytes_read() const override { return bytes_of(rows_); }
  void deliver_rows(std::uint32_t split) override {
    for (freshet::position& where : rows_.positions) where.split = split;
    out_.emit(rows_);
  }
  void signal_rows(const control& what) override { out_.signal(what); }
  outlet_base& rows_output() override { return out_; }

  Description description_;
  std::shared_ptr<source<row>> source_;
  outlet<row> out_;
  batch<row> rows_;
};

}  // namespace freshet::detail
