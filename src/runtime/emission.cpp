// How the emission modes of updated results describe and check themselves.
#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>

namespace freshet {

std::string_view to_text(change_kind how) {
  switch (how) {
    case change_kind::insert:
      return "insert";
    case change_kind::update_before:
      return "update_before";
    case change_kind::update_after:
      return "update_after";
    case change_kind::erase:
      return "erase";
    case change_kind::upsert:
      return "upsert";
  }
  return "unknown";
}

namespace {

std::string check_forgetting(duration forget_after) {
  if (forget_after >= duration::zero()) return {};
  return ".forget_after " + to_text(forget_after) +
         " is negative; give a duration that is not, or leave it out";
}

std::string describe_forgetting(duration forget_after) {
  return forget_after == never_forgotten ? "" : " forget after " + to_text(forget_after);
}

}  // namespace

std::string emit_changes::check() const {
  return check_forgetting(forget_after);
}
std::string emit_changes::describe() const {
  return std::string("changes") + (retract ? " retracted" : "") + describe_forgetting(forget_after);
}

std::string emit_every::check() const {
  if (period <= duration::zero()) {
    return "emit_every period " + to_text(period) + " is not positive; give a positive duration";
  }
  return check_forgetting(forget_after);
}
std::string emit_every::describe() const {
  return "every " + to_text(period) +
         (time == time_domain::processing_time ? " of processing time" : "") +
         (retract ? " retracted" : "") + describe_forgetting(forget_after);
}

std::string emit_complete::check() const {
  if (after >= duration::zero()) return {};
  return "emit_complete after " + to_text(after) + " is negative; give a duration that is not";
}
std::string emit_complete::describe() const {
  return "complete after " + to_text(after);
}

namespace detail {

timestamp next_moment(timestamp after, duration period) {
  const duration since = after.time_since_epoch();
  const duration rest = since % period;
  const duration into = rest < duration::zero() ? rest + period : rest;
  return saturating_add(after, period - into);
}

}  // namespace detail

}  // namespace freshet
