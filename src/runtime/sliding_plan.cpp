#include <freshet/pipeline/detail/sliding_plan.hpp>

#include <algorithm>

namespace freshet::detail {

sliding_plan::sliding_plan(const sliding& windows)
    : size_(windows.size.count()),
      slide_(windows.slide.count()),
      offset_(windows.offset.count()),
      block_((size_ + slide_ - 1) / slide_),
      beyond_((whole{1} << 67) / slide_ + 2) {}

sliding_plan::window_range sliding_plan::windows_of(timestamp at) const {
  const whole since = exact(at) - offset_;
  return {floor(since - size_, slide_) + 1, floor(since, slide_)};
}

window_span sliding_plan::pane_of(timestamp at) const {
  const auto [first, last] = windows_of(at);
  // The window before the first one has ended, the one behind the last one has not begun.
  return {cut(std::max(begin_of(last), end_of(first - 1))),
          cut(std::min(begin_of(last + 1), end_of(first)))};
}

sliding_plan::whole sliding_plan::first_due_after(timestamp frontier, duration delay) const {
  if (frontier == timestamp_max) return behind_all();
  return floor(exact(frontier) - delay.count() - offset_ - size_, slide_) + 1;
}

}  // namespace freshet::detail
