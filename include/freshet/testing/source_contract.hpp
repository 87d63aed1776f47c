// The contract of bounded, replayable sources, as a check for whoever writes a connector.
//
// Reads every split with different limits and from every position, and wants the same records each
// time. Depends on no test framework: a broken promise is thrown as `contract_violation`. Threads:
// the caller's. Memory: the records of one split, twice. Cost: quadratic in them, so give a few
// hundred.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/source.hpp>
#include <freshet/testing/contract.hpp>

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// Everything that reading a split gave, in a form that compares.
struct split_contents {
  std::vector<std::uint64_t> sequences;
  std::vector<std::string> records;  ///< As checkpoint bytes.
  std::vector<std::string> dead;     ///< Place, reason and text.

  friend bool operator==(const split_contents&, const split_contents&) = default;
};

/// A place between two reads: the position, and how much had been read by then.
struct split_mark {
  std::string position;
  std::size_t records = 0;
  std::size_t dead = 0;
};

/// Raised by whoever wakes an idle split.
class wake_flag {
 public:
  void raise() {
    {
      const std::lock_guard lock(mutex_);
      raised_ = true;
    }
    changed_.notify_all();
  }
  /// Until it is raised, or `most` has passed. \return false when neither has come for too long.
  bool wait(std::optional<duration> most) {
    std::unique_lock lock(mutex_);
    const bool was_raised =
        changed_.wait_for(lock, most.value_or(std::chrono::minutes(5)), [this] { return raised_; });
    raised_ = false;
    return was_raised || most.has_value();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
};

template <class Row>
class source_check {
 public:
  source_check(source<Row>& under_test, std::size_t split, std::string name)
      : source_(under_test), split_(split), name_(std::move(name)) {}

  void run() {
    std::vector<split_mark> marks;
    const split_contents whole = read_from(std::nullopt, 1024, nullptr);
    for (std::size_t i = 1; i < whole.sequences.size(); ++i) {
      if (whole.sequences[i - 1] >= whole.sequences[i]) {
        fail(fmt::format("record {} has sequence {} after {}, wanted ascending ones", i,
                         whole.sequences[i], whole.sequences[i - 1]));
      }
    }
    for (const std::size_t limit : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
      if (read_from(std::nullopt, limit, limit == 1 ? &marks : nullptr) != whole) {
        fail(fmt::format("at most {} records a read give other contents than 1024", limit));
      }
    }
    for (const split_mark& mark : marks) {
      if (read_from(mark.position, 3, nullptr) != remainder(whole, mark)) {
        fail(fmt::format("resumed after {} records it does not go on with the next one",
                         mark.records));
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    throw contract_violation(
        fmt::format("source, split '{}': {}; look at position(), open() and read()", name_, found));
  }

  split_contents read_from(std::optional<std::string_view> position, std::size_t limit,
                           std::vector<split_mark>* marks) {
    auto reader = source_.open(split_, position);
    if (!reader.ok()) fail("it cannot be opened (" + std::string(reader.status().message()) + ")");
    const auto wakened = std::make_shared<wake_flag>();
    (*reader)->wake_with([wakened] { wakened->raise(); });
    split_contents all;
    std::size_t empty_reads = 0;
    while (true) {
      batch<Row> rows;
      std::vector<dead_letter> dead;
      const auto state = (*reader)->read(limit, rows, dead);
      if (!state.ok()) fail("a read failed (" + std::string(state.status().message()) + ")");
      if (rows.size() != rows.positions.size()) fail("a read gave rows without positions");
      if (rows.size() > limit) fail(fmt::format("a read gave more than {} rows", limit));
      for (std::size_t row = 0; row < rows.size(); ++row) {
        all.sequences.push_back(rows.positions[row].sequence);
        all.records.push_back(to_bytes(rows.values[row]));
      }
      for (const dead_letter& letter : dead) {
        all.dead.push_back(
            fmt::format("{} {} {} {}", letter.sequence, letter.line, letter.reason, letter.record));
      }
      if (*state == read_state::end) return all;
      if (marks != nullptr) add_mark(*marks, (*reader)->position(), all);
      if (*state == read_state::idle) {
        if (!wakened->wait((*reader)->ask_again())) {
          fail("idle, it has not woken anybody for five minutes, nor ended");
        }
        continue;
      }
      empty_reads = rows.empty() && dead.empty() ? empty_reads + 1 : 0;
      if (empty_reads > 100'000) fail("100,000 reads gave nothing and no end");
    }
  }

  static void add_mark(std::vector<split_mark>& marks, std::string position,
                       const split_contents& read) {
    if (!marks.empty() && marks.back().position == position) return;
    marks.push_back({std::move(position), read.records.size(), read.dead.size()});
  }

  static split_contents remainder(const split_contents& whole, const split_mark& after) {
    const auto from = [](const auto& all, std::size_t first) {
      return std::remove_cvref_t<decltype(all)>(all.begin() + static_cast<std::ptrdiff_t>(first),
                                                all.end());
    };
    return {from(whole.sequences, after.records), from(whole.records, after.records),
            from(whole.dead, after.dead)};
  }

  source<Row>& source_;
  std::size_t split_;
  std::string name_;
};

}  // namespace detail

/// Checks what `source` and `split_reader` promise of a bounded, replayable source: it has splits,
/// the same on every opening; sequences ascend; how much is read at once changes nothing; reading
/// goes on at every position where it was interrupted.
/// \pre    The rows are checkpointable, and the same input is there each time.
/// \throws contract_violation at the first broken promise.
template <source_description Description>
void check_source(const Description& description) {
  using row = typename Description::value_type;
  static_assert(checkpointable<row>,
                "freshet: check_source compares records by their bytes; describe the row with "
                "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
  const auto opened = [&description] {
    auto source = description.open();
    if (source.ok()) return *std::move(source);
    throw contract_violation("source: it cannot be opened (" +
                             std::string(source.status().message()) + ")");
  };
  const std::vector<std::string> splits = opened()->splits();
  if (splits.empty()) throw contract_violation("source: it has no splits, wanted at least one");
  if (opened()->splits() != splits) {
    throw contract_violation("source: opened twice it names other splits, wanted stable names");
  }
  const std::unique_ptr<source<row>> under_test = opened();
  for (std::size_t split = 0; split < splits.size(); ++split) {
    detail::source_check<row>(*under_test, split, splits[split]).run();
  }
}

}  // namespace freshet
