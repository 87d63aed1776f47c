#include <freshet/window/watermark.hpp>

#include <cassert>

namespace freshet {

void frontier_minimum::restore(timestamp combined, const std::vector<timestamp>& frontiers) {
  assert(frontiers.size() == inputs_.size());
  combined_ = combined;
  for (std::size_t input = 0; input < inputs_.size(); ++input) {
    inputs_[input].frontier = frontiers[input];
    inputs_[input].aligned = frontiers[input] >= combined;
  }
}

frontier_change frontier_minimum::advance(std::size_t input, timestamp frontier) {
  one& of = inputs_[input];
  if (of.is == status::finished) return {};
  if (frontier == timestamp_max) return finish(input);
  if (of.is == status::idle || frontier <= of.frontier) return {};
  of.frontier = frontier;
  if (!of.aligned && of.frontier >= combined_) of.aligned = true;
  return recompute();
}

frontier_change frontier_minimum::set_idle(std::size_t input) {
  one& of = inputs_[input];
  if (of.is != status::active) return {};
  of.is = status::idle;
  return recompute();
}

frontier_change frontier_minimum::set_active(std::size_t input) {
  one& of = inputs_[input];
  if (of.is != status::idle) return {};
  of.is = status::active;
  of.aligned = of.frontier >= combined_;
  frontier_change change;
  change.became_active = idle_;
  idle_ = false;
  return change;
}

frontier_change frontier_minimum::finish(std::size_t input) {
  one& of = inputs_[input];
  if (of.is == status::finished) return {};
  of.is = status::finished;
  const bool all_finished = std::all_of(
      inputs_.begin(), inputs_.end(), [](const one& each) { return each.is == status::finished; });
  if (all_finished) {
    frontier_change change = move_to(timestamp_max);
    change.became_active = idle_;
    idle_ = false;
    return change;
  }
  return recompute();
}

void frontier_minimum::raise(timestamp combined) {
  if (combined <= combined_) return;
  combined_ = combined;
  for (one& each : inputs_) {
    if (each.frontier < combined) each.aligned = false;
  }
}

void frontier_minimum::take_slowest(const frontier_minimum& other) {
  assert(other.inputs_.size() == inputs_.size());
  for (std::size_t input = 0; input < inputs_.size(); ++input) {
    const one& theirs = other.inputs_[input];
    one& mine = inputs_[input];
    const bool mine_done = mine.is == status::finished;
    if (theirs.is == status::finished) continue;
    if (mine_done || theirs.frontier < mine.frontier) mine = theirs;
  }
  combined_ = std::min(combined_, other.combined_);
  idle_ = idle_ && other.idle_;
}

bool frontier_minimum::none_active() const {
  return std::none_of(inputs_.begin(), inputs_.end(),
                      [](const one& each) { return each.is == status::active; });
}

frontier_change frontier_minimum::recompute() {
  if (none_active()) {
    timestamp largest = timestamp_min;
    for (const one& each : inputs_) {
      if (each.is == status::idle) largest = std::max(largest, each.frontier);
    }
    frontier_change change = move_to(largest);
    change.became_idle = !idle_;
    idle_ = true;
    return change;
  }
  bool any = false;
  timestamp smallest = timestamp_max;
  for (const one& each : inputs_) {
    if (each.is != status::active || !each.aligned) continue;
    any = true;
    smallest = std::min(smallest, each.frontier);
  }
  return any ? move_to(smallest) : frontier_change{};
}

frontier_change frontier_minimum::move_to(timestamp candidate) {
  frontier_change change;
  if (candidate > combined_) {
    combined_ = candidate;
    change.frontier = candidate;
  }
  return change;
}

}  // namespace freshet
