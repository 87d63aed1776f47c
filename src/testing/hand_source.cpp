#include <freshet/testing/detail/hand_source.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace freshet::detail {

std::string hand_queue_base::place(std::size_t split) const {
  return splits() == 1 ? place() : fmt::format("{}, split {}", place(), split);
}

void hand_queue_base::allow(std::size_t split, std::uint64_t until) {
  splits_[split].allowed = std::max(splits_[split].allowed, until);
  if (splits_[split].wake) splits_[split].wake();
}

std::string hand_queue_base::begin(std::size_t split, const hand_position& from) {
  one_split& own = splits_[split];
  if (own.given == 0) own.first = own.given = from.items;  // Another harness gave those before.
  if (from.items < own.first || from.items > own.given) {
    return fmt::format("{}: the checkpoint is at item {}, and those from {} to {} are kept",
                       place(split), from.items, own.first, own.given);
  }
  own.allowed = from.items;
  return {};
}

void hand_queue_base::committed(std::size_t split, const hand_position& position) {
  one_split& own = splits_[split];
  if (position.items <= own.first) return;
  drop_front(split, static_cast<std::size_t>(position.items - own.first));
  own.first = position.items;
}

void hand_cursor::committed(std::string_view position) {
  if (const auto at = from_bytes<hand_position>(position); at.ok()) queue_->committed(split_, *at);
}

std::vector<std::string> hand_source::splits() const {
  std::vector<std::string> names;
  for (std::size_t split = 0; split < queue_->splits(); ++split) {
    names.push_back(std::to_string(split));
  }
  return names;
}

void hand_source::committed(std::size_t split, std::string_view position) {
  if (const auto at = from_bytes<hand_position>(position); at.ok()) queue_->committed(split, *at);
}

absl::StatusOr<std::unique_ptr<hand_cursor>> hand_source::open(
    std::size_t split, std::optional<std::string_view> position) {
  hand_position at;
  if (position) {
    absl::StatusOr<hand_position> known = from_bytes<hand_position>(*position);
    if (!known.ok()) return known.status();
    at = *known;
  }
  if (std::string wrong = queue_->begin(split, at); !wrong.empty()) {
    return absl::DataLossError(wrong);
  }
  return std::make_unique<hand_cursor>(queue_, split, at);
}

}  // namespace freshet::detail
