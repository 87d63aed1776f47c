// How views reach the tasks that hold what they read.
#include <freshet/pipeline/view.hpp>

#include "job_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace freshet::detail {

bool inside_pipeline();

absl::StatusOr<view_source> find_view(job_runner& job, std::string_view name,
                                      const std::type_info& row) {
  const absl::StatusOr<node_id> found = job.find_readable(name, row);
  if (!found.ok()) return found.status();
  return view_source{&job, *found};
}

absl::Status read_rows(const view_source& from, const std::vector<std::uint64_t>& hashes,
                       std::function<void(runtime_operator&, std::size_t)> read, duration at_most) {
  return from.job->read(from.node, hashes, read, at_most);
}

absl::StatusOr<node_id> job_runner::find_readable(std::string_view name,
                                                  const std::type_info& row) {
  std::string known;
  for (node_id id = 0; id < graph_->nodes().size(); ++id) {
    const node& each = graph_->nodes()[id];
    if (each.kind != "window") continue;
    if (each.name != name) {
      known += (known.empty() ? "" : ", ") + each.name;
      continue;
    }
    const std::lock_guard lock(ended_mutex_);
    if (ended_) {
      return absl::FailedPreconditionError(
          fmt::format("view '{}': the job has ended; read what its sinks have", name));
    }
    for (task* holder : tasks_->tasks()) {
      if (tasks_->laid_out().stage_of[id] != holder->stage()) continue;
      const auto* found = dynamic_cast<const readable*>(&holder->operator_of(id));
      if (found == nullptr) {
        return absl::InvalidArgumentError(fmt::format(
            "view '{}': windows of counts and of processing time cannot be read; read those of "
            "event time",
            name));
      }
      if (found->row_type() != row) {
        return absl::InvalidArgumentError(
            fmt::format("view '{}': its rows are of another type than the view's; give it "
                        "decltype(rows)::value_type of the stream that aggregate returns",
                        name));
      }
      return id;
    }
  }
  return absl::NotFoundError(
      fmt::format("view '{}': the windows of the pipeline are {}; give one "
                  "of these names",
                  name, known.empty() ? "none" : known));
}

absl::Status job_runner::read(node_id node, const std::vector<std::uint64_t>& hashes,
                              const std::function<void(runtime_operator&, std::size_t)>& read_one,
                              duration at_most) {
  const std::string place = fmt::format("view '{}'", graph_->nodes()[node].name);
  if (inside_pipeline()) {
    return absl::FailedPreconditionError(
        place +
        ": a function of the pipeline reads, and would wait for itself; read from another thread");
  }
  const absl::Status ended =
      absl::FailedPreconditionError(place + ": the job has ended; read what its sinks have");
  // Longer waits are as good as endless, and may overflow the clock that they are measured with.
  constexpr duration long_wait = std::chrono::hours(24);
  const auto unanswered = std::make_shared<std::size_t>(0);
  std::unique_lock lock(ended_mutex_);
  if (ended_) return ended;
  for (task* holder : tasks_->tasks()) {
    if (tasks_->laid_out().stage_of[node] != holder->stage()) continue;
    std::vector<std::size_t> own;
    for (std::size_t index = 0; index < hashes.size(); ++index) {
      if (holder->groups().contains(hashes[index])) own.push_back(index);
    }
    if (own.empty()) continue;
    ++*unanswered;
    holder->post([this, node, holder, unanswered, own = std::move(own), read_one] {
      for (const std::size_t index : own) read_one(holder->operator_of(node), index);
      {
        const std::lock_guard done(ended_mutex_);
        --*unanswered;
      }
      ended_changed_.notify_all();
    });
  }
  ended_changed_.wait_for(lock, std::clamp(at_most, duration::zero(), long_wait),
                          [&] { return *unanswered == 0 || ended_; });
  if (*unanswered == 0) return absl::OkStatus();
  if (ended_) return ended;
  return absl::DeadlineExceededError(fmt::format(
      "{}: a task has been busy with one slice for {}; ask again, or give it more time to answer",
      place, to_text(at_most)));
}

}  // namespace freshet::detail
