// How windows describe and check their options.
#include <freshet/pipeline/windowing.hpp>

#include <fmt/format.h>

namespace freshet {

std::string to_text(pane_timing timing) {
  switch (timing) {
    case pane_timing::early:
      return "early";
    case pane_timing::on_time:
      return "on_time";
    case pane_timing::late:
      return "late";
  }
  return "unknown";
}

std::string panes::describe() const {
  std::string text = "panes";
  if (every != duration::zero()) text += " every " + to_text(every);
  if (every_processing_time != duration::zero()) {
    text += " every " + to_text(every_processing_time) + " of processing time";
  }
  if (every_count != 0) text += fmt::format(" every {} records", every_count);
  if (late == late_firing::at_close) text += ", late at close";
  if (mode == accumulation::discard) text += ", discard";
  if (mode == accumulation::retract) text += ", retract";
  return text;
}

std::string panes::check() const {
  const auto negative = [](const char* member, duration given) {
    return std::string("panes: ") + member + " " + to_text(given) +
           " is negative; give a positive period, or zero for none";
  };
  if (every < duration::zero()) return negative("every", every);
  if (every_processing_time < duration::zero()) {
    return negative("every_processing_time", every_processing_time);
  }
  return {};
}

namespace detail {

std::string describe_windows(const std::string& assigner, const window_options& options,
                             const panes* when, const std::string& key,
                             const std::string& aggregates) {
  std::string fire;
  if (options.fire == firing::at_close) fire = " at close";
  if (options.fire == firing::never) fire = " never";
  return fmt::format("{} lateness {}{}{} | key {} | {} | rows 2", assigner,
                     to_text(options.allowed_lateness), fire,
                     when == nullptr ? std::string() : " " + when->describe(), key, aggregates);
}

std::string check_windows(const window_options& options, const panes* when) {
  if (when != nullptr) {
    if (std::string wrong = when->check(); !wrong.empty()) return wrong;
  }
  if (options.fire != firing::never || (when != nullptr && when->early())) return {};
  return "fire is never, and there are no early panes, so that no row would ever come; give panes "
         "an every, every_count or every_processing_time, or leave .fire at on_time";
}

}  // namespace detail

}  // namespace freshet
