// How views reach the tasks that hold what they read.
#include <freshet/pipeline/view.hpp>

#include "job_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

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

/// Which operators views can read. \pre the tasks do not run.
void job_runner::note_readable() {
  for (task* each : tasks_->tasks()) {
    const std::vector<node_id>& nodes = tasks_->laid_out().stages[each->stage()].nodes;
    for (const node_id node : nodes) {
      const auto* found = dynamic_cast<const readable*>(&each->operator_of(node));
      if (found != nullptr) readable_.emplace(node, &found->row_type());
    }
  }
}

absl::StatusOr<node_id> job_runner::find_readable(std::string_view name,
                                                  const std::type_info& row) {
  std::string known;
  for (node_id id = 0; id < graph_->nodes().size(); ++id) {
    const node& each = graph_->nodes()[id];
    if (each.kind != "window" && each.kind != "upsert") continue;
    if (each.name != name) {
      known += (known.empty() ? "" : ", ") + each.name;
      continue;
    }
    const std::lock_guard lock(ended_mutex_);
    if (ended_) {
      return absl::FailedPreconditionError(
          fmt::format("view '{}': the job has ended; read what its sinks have", name));
    }
    const auto found = readable_.find(id);
    if (found == readable_.end()) {
      return absl::InvalidArgumentError(
          fmt::format("view '{}': windows of counts and of processing time cannot be read; read "
                      "those of event time",
                      name));
    }
    if (*found->second != row) {
      return absl::InvalidArgumentError(
          fmt::format("view '{}': its rows are of another type than the view's; give it "
                      "decltype(rows)::value_type of the stream that aggregate returns, and for a "
                      "table of upsert the types of its rows and keys",
                      name));
    }
    return id;
  }
  return absl::NotFoundError(
      fmt::format("view '{}': the windows and tables of the pipeline are {}; give one "
                  "of these names",
                  name, known.empty() ? "none" : known));
}

/// What one call reads, and how far it has come. Under `ended_mutex_`, but for what never changes.
struct job_runner::reading {
  node_id node = 0;
  std::vector<std::uint64_t> hashes;
  std::function<void(runtime_operator&, std::size_t)> read_one;
  std::vector<bool> answered;  ///< By hash.
  std::size_t asked = 0;       ///< Tasks that have not answered yet.

  bool complete() const {
    return std::find(answered.begin(), answered.end(), false) == answered.end();
  }
};

/// Has a task read what it has of the keys that are missing. While they ask, key groups may move:
/// what a task does not own any more, or does not own yet, it leaves unanswered.
void job_runner::ask(task& holder, const std::shared_ptr<reading>& all,
                     std::vector<std::size_t> indices) {
  if (indices.empty()) return;
  ++all->asked;
  holder.post([this, &holder, all, indices = std::move(indices)]() mutable {
    {
      // Another task may have had a key before it came here.
      const std::lock_guard known(ended_mutex_);
      std::erase_if(indices, [&](std::size_t index) {
        return all->answered[index] || !holder.groups().contains(all->hashes[index]);
      });
    }
    for (const std::size_t index : indices) all->read_one(holder.operator_of(all->node), index);
    {
      const std::lock_guard done(ended_mutex_);
      for (const std::size_t index : indices) all->answered[index] = true;
      --all->asked;
    }
    ended_changed_.notify_all();
  });
}

/// Asks the owners of what is missing; `everyone`: all tasks, because owners have changed.
void job_runner::ask_for_missing(const std::shared_ptr<reading>& all, bool everyone) {
  const std::size_t stage = tasks_->laid_out().stage_of[all->node];
  const key_group_owners owners = rebalancing_->owners_of(stage);
  for (task* holder : tasks_->tasks()) {
    if (holder->stage() != stage) continue;
    std::vector<std::size_t> indices;
    for (std::size_t index = 0; index < all->hashes.size(); ++index) {
      const bool owns = owners[key_group_of(all->hashes[index])] == holder->number();
      if (!all->answered[index] && (owns || everyone)) indices.push_back(index);
    }
    ask(*holder, all, std::move(indices));
  }
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
  // Longer waits are as good as endless, and may overflow the clock that they are measured with.
  constexpr duration long_wait = std::chrono::hours(24);
  const auto until =
      std::chrono::steady_clock::now() + std::clamp(at_most, duration::zero(), long_wait);
  const auto all = std::make_shared<reading>(
      reading{node, hashes, read_one, std::vector<bool>(hashes.size(), false), 0});
  std::unique_lock lock(ended_mutex_);
  for (bool again = false; !ended_; again = true) {
    ask_for_missing(all, again);
    const bool answered =
        ended_changed_.wait_until(lock, until, [&] { return all->asked == 0 || ended_; });
    if (all->complete()) return absl::OkStatus();
    if (answered) continue;
    return absl::DeadlineExceededError(fmt::format(
        "{}: a task has been busy with one slice for {}; ask again, or give it more time to answer",
        place, to_text(at_most)));
  }
  return absl::FailedPreconditionError(place + ": the job has ended; read what its sinks have");
}

}  // namespace freshet::detail
