#include <freshet/testing/sink_contract.hpp>

namespace freshet::detail {

std::string compare_published(std::vector<std::string> found, std::vector<std::string> wanted,
                              std::vector<std::string> allowed, bool complete, bool once) {
  std::sort(found.begin(), found.end());
  std::sort(wanted.begin(), wanted.end());
  std::sort(allowed.begin(), allowed.end());
  std::size_t twice = 0;
  std::size_t surplus = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool known = std::binary_search(allowed.begin(), allowed.end(), found[i]);
    if (!known) ++surplus;
    if (known && i > 0 && found[i] == found[i - 1]) ++twice;
  }
  std::size_t missing = 0;
  for (const std::string& each : wanted) {
    if (!std::binary_search(found.begin(), found.end(), each)) ++missing;
  }
  if (complete && missing > 0) {
    return fmt::format("{} of {} committed rows are missing", missing, wanted.size());
  }
  if (!once) return {};
  if (surplus > 0) {
    return fmt::format("{} rows are published that were not committed, or taken back", surplus);
  }
  if (twice > 0) return fmt::format("{} rows are published twice", twice);
  return {};
}

}  // namespace freshet::detail
