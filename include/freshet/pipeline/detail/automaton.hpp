// The automaton behind match: sequences of records, known by their numbers. Internal.
//
// A run is one sequence that is under way: the records it has, and what it may take next. It is
// fixed by its path; a record that it takes makes a run of its own, one for each way to take it.
// What a run waits for ends with the first record that satisfies it (skip till next match), or with
// a record that forbids it. Knows nothing of records: conditions are asked for by number.
//
// Threads: one. Memory: 80 bytes a run and 16 for each of its records.
#pragma once

#include <freshet/core/time.hpp>

#include <absl/functional/function_ref.h>
#include <boost/describe/class.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

enum class skipping : std::uint8_t { none, to_next, past_last, to_first, to_last };

/// What must not come between two steps.
struct forbidden {
  std::size_t condition = 0;
  bool right_after = false;  ///< Only of the record right after.
};

struct sequence_step {
  std::string name;
  std::size_t condition = 0;
  bool right_after = false;
  bool consecutive = false;
  std::uint32_t least = 1;
  std::uint32_t most = 1;
  std::vector<forbidden> before;
};

/// A pattern without its conditions. Composing it throws `std::invalid_argument`.
class sequence_plan {
 public:
  void add_step(std::string name, std::size_t condition, bool right_after);
  void add_negation(std::size_t condition, bool right_after);
  void set_times(std::uint32_t least, std::uint32_t most);
  void set_consecutive();
  void set_within(duration span);

  const std::vector<sequence_step>& steps() const { return steps_; }
  /// Of which step a name is. Throws `std::out_of_range` when of none.
  std::size_t number_of(std::string_view name) const;
  /// What must not come after the last step.
  const std::vector<forbidden>& at_end() const { return negations_; }
  bool ends() const { return within_ != duration::max(); }
  duration within() const { return within_; }
  /// For the fingerprint of the state.
  std::string describe() const;
  /// What is wrong with the whole of it, if anything.
  std::string check() const;

 private:
  sequence_step& last_step(const char* what);

  std::vector<sequence_step> steps_;
  std::vector<forbidden> negations_;  ///< That wait for the step after them.
  duration within_ = duration::max();
};

/// A record of a sequence.
struct taken_record {
  std::uint64_t index = 0;  ///< The key's records are numbered as they come.
  std::uint32_t step = 0;
  friend auto operator<=>(const taken_record&, const taken_record&) = default;
  BOOST_DESCRIBE_CLASS(taken_record, (), (index, step), (), ())
};

struct sequence_run {
  timestamp began = timestamp_min;
  std::uint32_t count = 0;  ///< Of records of its step.
  bool repeats = false;     ///< May take another record of its step,
  bool proceeds = false;    ///< or one of the next; after the last step: waits for the end.
  bool told = false;        ///< It is a match already.
  std::vector<taken_record> path;

  std::uint64_t start() const { return path.front().index; }
  std::uint32_t step() const { return path.back().step; }
  /// By their first records, then by the others.
  friend bool operator<(const sequence_run& a, const sequence_run& b) { return a.path < b.path; }
  BOOST_DESCRIBE_CLASS(sequence_run, (), (began, count, repeats, proceeds, told, path), (), ())
};

/// What is kept of one key.
struct sequence_runs {
  std::uint64_t next = 0;         ///< The number of the next record.
  std::uint64_t starts_from = 0;  ///< Sequences that begin before this record are left out.
  std::vector<sequence_run> runs;
  BOOST_DESCRIBE_CLASS(sequence_runs, (), (next, starts_from, runs), (), ())
};

/// What came of a record, or of time.
struct sequence_outcome {
  std::vector<sequence_run> matches;    ///< In the order in which they count.
  std::vector<sequence_run> timed_out;  ///< The same.
};

class automaton {
 public:
  /// \param runs_max how many runs a key may have. \pre the plan is checked, and has `skip_to`.
  automaton(sequence_plan plan, skipping how, const std::string& skip_to, std::size_t runs_max);

  const sequence_plan& plan() const { return plan_; }

  /// Whether a condition holds of the current record, for a run; one without records begins.
  using test = absl::FunctionRef<bool(std::size_t condition, const sequence_run& run)>;

  /// Takes the next record. \return whether a run has it, so that it must be kept.
  bool advance(sequence_runs& of, timestamp at, test holds, sequence_outcome& into) const;
  /// Ends the runs whose time is over at `now`.
  void expire(sequence_runs& of, timestamp now, sequence_outcome& into) const;
  /// When the time of a run is over; the end of time: never.
  timestamp ends_at(const sequence_run& run) const;

 private:
  void step(sequence_run& run, std::uint64_t index, test holds,
            std::vector<sequence_run>& fresh) const;
  bool repeats(sequence_run& run, bool right_after, test holds) const;
  bool proceeds(sequence_run& run, bool right_after, test holds) const;
  sequence_run with(const sequence_run& run, std::uint64_t index, std::uint32_t step) const;
  void settle(sequence_run& run) const;
  bool is_complete(const sequence_run& run) const;
  void tell(sequence_runs& of, std::vector<sequence_run> complete, sequence_outcome& into) const;
  std::uint64_t skipped_to(const sequence_run& match) const;
  void limit(sequence_runs& of, sequence_outcome& into) const;

  sequence_plan plan_;
  skipping how_;
  std::uint32_t skip_to_ = 0;
  std::size_t runs_max_;
};

}  // namespace freshet::detail
