#include "state/changes.hpp"

#include "state/durable_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace freshet::detail {
namespace {

absl::Status invalid_change(std::string_view key, std::string_view fault) {
  return absl::InvalidArgumentError(
      fmt::format("commit: the changed row with key 0x{} {}", to_hexadecimal(key), fault));
}

}  // namespace

absl::Status sort_changes(std::vector<state_change>& changes) {
  const auto before = [](const state_change& left, const state_change& right) {
    return left.key < right.key;
  };
  if (!std::is_sorted(changes.begin(), changes.end(), before)) {
    std::sort(changes.begin(), changes.end(), before);
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].key.size() < state_number_bytes) {
      return invalid_change(changes[i].key,
                            "has no state number; begin keys with four bytes of it");
    }
    if (i > 0 && changes[i - 1].key == changes[i].key) {
      return invalid_change(changes[i].key, "appears twice; hand in at most one change per key");
    }
  }
  return absl::OkStatus();
}

std::vector<state_change_view> views_of(const std::vector<state_change>& changes) {
  std::vector<state_change_view> views;
  views.reserve(changes.size());
  for (const state_change& each : changes) {
    views.push_back({each.key, std::nullopt});
    if (each.value) views.back().value.emplace(*each.value);
  }
  return views;
}

}  // namespace freshet::detail
