// How the window assigners describe and check themselves; assigning stands inline in their headers.
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace freshet {
namespace {

std::string offset_text(duration offset) {
  return offset == duration::zero() ? std::string() : " offset " + to_text(offset);
}

std::string check_positive(const char* member, duration length, const char* otherwise = "") {
  if (length > duration::zero()) return {};
  return std::string(member) + " " + to_text(length) + " is not positive; give ." + member +
         " a positive duration" + otherwise;
}

// `step` is positive, so neither its negation nor the remainder can overflow.
std::string check_offset(const char* member, duration step, duration offset) {
  if (-step < offset && offset < step) return {};
  return "offset " + to_text(offset) + " is not shorter than " + member + " " + to_text(step) +
         "; give .offset " + to_text(offset % step) + ", which means the same";
}

}  // namespace

std::string tumbling::describe() const {
  return "tumbling " + to_text(size) + offset_text(offset);
}

std::string tumbling::check() const {
  if (auto found = check_positive("size", size); !found.empty()) return found;
  return check_offset("size", size, offset);
}

std::string sliding::describe() const {
  return "sliding " + to_text(size) + " every " + to_text(slide) + offset_text(offset);
}

std::string sliding::check() const {
  if (auto found = check_positive("size", size); !found.empty()) return found;
  if (auto found = check_positive("slide", slide, ", or use tumbling"); !found.empty())
    return found;
  if ((size - duration{1}) / slide >= spans_per_record_max) {
    return "size " + to_text(size) + " holds more than " + std::to_string(spans_per_record_max) +
           " slides of " + to_text(slide) +
           ", and each record would enter that many windows; give "
           "a longer .slide or a shorter .size";
  }
  return check_offset("slide", slide, offset);
}

std::string session::describe() const {
  return "session " + to_text(gap);
}

std::string session::check() const {
  return check_positive("gap", gap);
}

}  // namespace freshet
