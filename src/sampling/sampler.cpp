// Rates, and numbers as category texts.
#include <freshet/sampling/sampler.hpp>

#include <fmt/core.h>

namespace freshet::detail {

std::string check_rate(double rate) {
  // Written so that a NaN fails.
  if (rate > 0 && rate <= 1) return {};
  return fmt::format("rate {} is not in (0, 1]; give .rate a share of the records such as 0.4",
                     rate);
}

std::string number_text(std::int64_t number) {
  return fmt::format("{}", number);
}
std::string number_text(std::uint64_t number) {
  return fmt::format("{}", number);
}

std::string number_text(double number) {
  // Both zeros are one category, so they need one text: adding 0.0 turns -0.0 into 0.0.
  return fmt::format("{}", number + 0.0);
}

}  // namespace freshet::detail
