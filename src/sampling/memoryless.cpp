// What the samplers without memory say about themselves.
#include <freshet/sampling/consistent.hpp>
#include <freshet/sampling/uniform.hpp>

#include <fmt/core.h>

namespace freshet {

std::string uniform::describe() const {
  return fmt::format("uniform rate {} seed {}", rate, seed);
}

namespace detail {

std::string describe_consistent(const consistent_options& options) {
  return fmt::format("consistent rate {} seed {}", options.rate, options.seed);
}

}  // namespace detail
}  // namespace freshet
