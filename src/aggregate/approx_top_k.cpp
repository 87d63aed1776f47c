#include <freshet/aggregate/approx_top_k.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace freshet::detail {

top_k_options checked(const std::string& name, top_k_options options) {
  if (options.k < 1 || options.k > options.capacity ||
      options.capacity > space_saving::capacity_max) {
    throw std::invalid_argument(
        fmt::format("aggregate '{}': k {} and capacity {} do not keep 1 <= k <= capacity <= {}; "
                    "give some ten counters for each value that is wanted",
                    name, options.k, options.capacity, space_saving::capacity_max));
  }
  return options;
}

}  // namespace freshet::detail
