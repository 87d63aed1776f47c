// What a task asks of an operator that waits for something outside of the pipeline. Internal.
//
// Such an operator takes its records and answers later, when something outside tells the task
// (`task_services::caller`). Meanwhile the task does other things: nothing is unfinished, and
// barriers pass. Threads: the task's.
#pragma once

namespace freshet::detail {

class outside_work {
 public:
  virtual ~outside_work() = default;
  /// Whether it holds so much that the task is to read no further.
  virtual bool is_full() const = 0;
  /// Whether nothing is outstanding, so that the task may end.
  virtual bool is_done() const = 0;
};

}  // namespace freshet::detail
