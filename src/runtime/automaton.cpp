// How sequences advance. See automaton.hpp.
#include <freshet/pipeline/detail/automaton.hpp>
#include <freshet/pipeline/match.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace freshet::detail {

// --- composing
// ------------------------------------------------------------------------------------

void sequence_plan::add_step(std::string name, std::size_t condition, bool right_after) {
  if (name.empty()) throw std::invalid_argument("pattern: a step has no name; give it one");
  for (const sequence_step& each : steps_) {
    if (each.name == name) {
      throw std::invalid_argument("pattern: two steps are called '" + name +
                                  "'; give each a name of its own");
    }
  }
  steps_.push_back({std::move(name), condition, right_after, false, 1, 1, std::move(negations_)});
  negations_.clear();
}

void sequence_plan::add_negation(std::size_t condition, bool right_after) {
  negations_.push_back({condition, right_after});
}

sequence_step& sequence_plan::last_step(const char* what) {
  if (negations_.empty()) return steps_.back();
  throw std::invalid_argument(std::string("pattern: ") + what +
                              " after a negation; what must not come has no number; put it after "
                              "the step that is meant");
}

void sequence_plan::set_times(std::uint32_t least, std::uint32_t most) {
  sequence_step& of = last_step("times");
  if (least == 0 || most < least) {
    throw std::invalid_argument(fmt::format(
        "pattern: times({}, {}) of step '{}'; give at least 1, and no more than the second number",
        least, most, of.name));
  }
  of.least = least;
  of.most = most;
}

void sequence_plan::set_consecutive() {
  last_step("consecutive").consecutive = true;
}

void sequence_plan::set_within(duration span) {
  if (span <= duration::zero()) {
    throw std::invalid_argument("pattern: within " + to_text(span) +
                                " is not positive; give a positive duration");
  }
  within_ = span;
}

std::size_t sequence_plan::number_of(std::string_view name) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].name == name) return i;
  }
  throw std::out_of_range("the pattern has no step '" + std::string(name) + "'");
}

std::string sequence_plan::check() const {
  if (negations_.empty()) return {};
  for (const forbidden& each : negations_) {
    if (each.right_after) {
      return "a pattern cannot end with not_next; end it with not_followed_by and within, or with "
             "a "
             "step";
    }
  }
  if (!ends()) return "not_followed_by at the end waits for ever; give the pattern a time, within";
  return {};
}

std::string sequence_plan::describe() const {
  std::string text;
  const auto add_negations = [&text](const std::vector<forbidden>& all) {
    for (const forbidden& each : all) text += each.right_after ? ", not next" : ", not followed by";
  };
  for (const sequence_step& each : steps_) {
    add_negations(each.before);
    if (!text.empty()) text += each.right_after ? ", next " : ", followed by ";
    text += each.name;
    if (each.most > 1) text += fmt::format(" times {} to {}", each.least, each.most);
    if (each.consecutive) text += " consecutive";
  }
  add_negations(negations_);
  if (ends()) text += " within " + to_text(within_);
  return text;
}

// --- running
// --------------------------------------------------------------------------------------

automaton::automaton(sequence_plan plan, skipping how, const std::string& skip_to,
                     std::size_t runs_max)
    : plan_(std::move(plan)), how_(how), runs_max_(runs_max) {
  if (how_ == skipping::to_first || how_ == skipping::to_last) {
    skip_to_ = static_cast<std::uint32_t>(plan_.number_of(skip_to));
  }
}

timestamp automaton::ends_at(const sequence_run& run) const {
  return plan_.ends() ? saturating_add(run.began, plan_.within()) : timestamp_max;
}

bool automaton::is_complete(const sequence_run& run) const {
  return run.step() + 1 == plan_.steps().size() && run.count >= plan_.steps().back().least;
}

/// What a run that has taken a record may do next.
void automaton::settle(sequence_run& run) const {
  const sequence_step& at = plan_.steps()[run.step()];
  run.repeats = run.count < at.most;
  run.proceeds = run.count >= at.least;
  run.told = is_complete(run) && plan_.at_end().empty();
  if (run.told) run.proceeds = false;
}

sequence_run automaton::with(const sequence_run& run, std::uint64_t index,
                             std::uint32_t step) const {
  sequence_run fresh = run;
  fresh.count = run.step() == step ? run.count + 1 : 1;
  fresh.path.push_back({index, step});
  settle(fresh);
  return fresh;
}

bool automaton::repeats(sequence_run& run, bool right_after, automaton::test holds) const {
  if (!run.repeats) return false;
  const sequence_step& at = plan_.steps()[run.step()];
  const bool takes = (!at.consecutive || right_after) && holds(at.condition, run);
  if (takes || at.consecutive) run.repeats = false;
  return takes;
}

bool automaton::proceeds(sequence_run& run, bool right_after, automaton::test holds) const {
  if (!run.proceeds) return false;
  const std::size_t number = run.step() + 1;
  const bool last = number == plan_.steps().size();
  const std::vector<forbidden>& negations = last ? plan_.at_end() : plan_.steps()[number].before;
  const auto forbids = [&](bool of_right_after) {
    return std::any_of(negations.begin(), negations.end(), [&](const forbidden& each) {
      return each.right_after == of_right_after && holds(each.condition, run);
    });
  };
  if (right_after && forbids(true)) {
    run.proceeds = false;
    return false;
  }
  if (!last) {
    const sequence_step& to = plan_.steps()[number];
    const bool takes = (!to.right_after || right_after) && holds(to.condition, run);
    if (takes || to.right_after) run.proceeds = false;
    if (takes || to.right_after) return takes;
  }
  if (forbids(false)) run.proceeds = false;
  return false;
}

void automaton::step(sequence_run& run, std::uint64_t index, automaton::test holds,
                     std::vector<sequence_run>& fresh) const {
  const bool right_after = run.path.back().index + 1 == index;
  // Both are asked of the run as it was before the record.
  const bool again = repeats(run, right_after, holds);
  const bool on = proceeds(run, right_after, holds);
  if (again) fresh.push_back(with(run, index, run.step()));
  if (on) fresh.push_back(with(run, index, run.step() + 1));
}

bool automaton::advance(sequence_runs& of, timestamp at, automaton::test holds,
                        sequence_outcome& into) const {
  const std::uint64_t index = of.next++;
  std::vector<sequence_run> fresh;
  for (sequence_run& run : of.runs) step(run, index, holds, fresh);
  if (const sequence_run none; holds(plan_.steps().front().condition, none)) {
    sequence_run& begun = fresh.emplace_back();
    begun.began = at;
    begun.count = 1;
    begun.path.push_back({index, 0});
    settle(begun);
  }
  std::vector<sequence_run> complete;
  for (const sequence_run& run : fresh) {
    if (run.told) complete.push_back(run);
  }
  const bool taken = !fresh.empty();
  of.runs.insert(of.runs.end(), std::make_move_iterator(fresh.begin()),
                 std::make_move_iterator(fresh.end()));
  std::erase_if(of.runs, [](const sequence_run& run) { return !run.repeats && !run.proceeds; });
  tell(of, std::move(complete), into);
  limit(of, into);
  return taken;
}

void automaton::expire(sequence_runs& of, timestamp now, sequence_outcome& into) const {
  if (!plan_.ends()) return;
  std::vector<sequence_run> complete;
  std::vector<sequence_run> over;
  std::erase_if(of.runs, [&](sequence_run& run) {
    if (ends_at(run) > now) return false;
    if (is_complete(run) && run.proceeds) {
      complete.push_back(std::move(run));
    } else if (!run.told) {
      over.push_back(std::move(run));
    }
    return true;
  });
  std::sort(over.begin(), over.end());
  into.timed_out.insert(into.timed_out.end(), std::make_move_iterator(over.begin()),
                        std::make_move_iterator(over.end()));
  tell(of, std::move(complete), into);
}

/// Tells of matches in their order, each of which may leave out others.
void automaton::tell(sequence_runs& of, std::vector<sequence_run> complete,
                     sequence_outcome& into) const {
  if (complete.empty()) return;
  std::sort(complete.begin(), complete.end());
  for (sequence_run& match : complete) {
    if (match.start() < of.starts_from) continue;
    of.starts_from = std::max(of.starts_from, skipped_to(match));
    into.matches.push_back(std::move(match));
  }
  std::erase_if(of.runs, [&of](const sequence_run& run) { return run.start() < of.starts_from; });
}

std::uint64_t automaton::skipped_to(const sequence_run& match) const {
  const auto is_of_step = [this](const taken_record& each) { return each.step == skip_to_; };
  switch (how_) {
    case skipping::none:
      return 0;
    case skipping::to_next:
      return match.start() + 1;
    case skipping::past_last:
      return match.path.back().index + 1;
    case skipping::to_first:
      return std::find_if(match.path.begin(), match.path.end(), is_of_step)->index;
    case skipping::to_last:
      return std::find_if(match.path.rbegin(), match.path.rend(), is_of_step)->index;
  }
  return 0;
}

/// The runs that began first are given up.
void automaton::limit(sequence_runs& of, sequence_outcome& into) const {
  if (of.runs.size() <= runs_max_) return;
  std::sort(of.runs.begin(), of.runs.end());
  const std::size_t many = of.runs.size() - runs_max_;
  for (std::size_t i = 0; i < many; ++i) {
    if (!of.runs[i].told) into.timed_out.push_back(std::move(of.runs[i]));
  }
  of.runs.erase(of.runs.begin(), of.runs.begin() + static_cast<std::ptrdiff_t>(many));
}

void require_usable_match(const std::string& place, const sequence_plan& plan, skipping how,
                          const std::string& skip_to, std::size_t partial_matches_max) {
  require_usable(place, plan.check());
  if (partial_matches_max == 0) {
    require_usable(place, ".partial_matches_max is 0; give a positive number");
  }
  if (how != skipping::to_first && how != skipping::to_last) return;
  for (const sequence_step& each : plan.steps()) {
    if (each.name == skip_to) return;
  }
  require_usable(place, "the pattern has no step '" + skip_to + "' to skip to; its steps are in " +
                            plan.describe());
}

std::string describe_match(const sequence_plan& plan, skipping how, const std::string& skip_to) {
  static constexpr const char* names[] = {"no skip", "skip to next", "skip past last event",
                                          "skip to first ", "skip to last "};
  return plan.describe() + " | " + names[static_cast<std::size_t>(how)] + skip_to;
}

}  // namespace freshet::detail
