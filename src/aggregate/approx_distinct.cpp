#include <freshet/aggregate/approx_distinct.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace freshet::detail {

hyperloglog empty_hyperloglog(const std::string& name, int precision) {
  try {
    return hyperloglog(precision);
  } catch (const std::invalid_argument& wrong) {
    throw std::invalid_argument(fmt::format("aggregate '{}': {}", name, wrong.what()));
  }
}

}  // namespace freshet::detail
