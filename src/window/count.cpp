// How count windows describe and check themselves.
#include <freshet/window/count.hpp>

#include <fmt/format.h>

#include <numeric>

namespace freshet {

std::string count_window::describe() const {
  std::string text = fmt::format("count {}", size);
  if (slide != 0 && slide != size) text += fmt::format(" every {}", slide);
  return partial ? text + " partial" : text;
}

std::string count_window::check() const {
  if (size <= 0) {
    return fmt::format("size {} is not positive; give .size a positive number of records", size);
  }
  if (slide < 0) {
    return fmt::format(
        "slide {} is negative; give .slide a positive number of records, or none for windows that "
        "do not overlap",
        slide);
  }
  if (slide == 0 || slide >= size) return {};
  const std::int64_t common = std::gcd(size, slide);
  if (size / common > panes_max) {
    return fmt::format(
        "size {} falls into more than {} parts of {}, the common divisor with slide {}, and every "
        "key would keep that many; give a .slide that has more in common with .size",
        size, panes_max, common, slide);
  }
  return {};
}

}  // namespace freshet
