#include <freshet/pipeline/detail/hot_keys.hpp>

#include <bit>
#include <utility>

namespace freshet::detail {

hot_keys::hot_keys() : sketch_(sketch_keys) {}

void hot_keys::choose() {
  const bool pays = 2 * partials_ <= records_;
  records_ = partials_ = 0;
  if (!pays) pause_ = looks_without;
  std::vector<std::uint64_t> chosen;
  if (pause_ > 0) {
    --pause_;
  } else {
    const std::uint64_t total = sketch_.total();
    for (const counted_hash& each : sketch_.must_exceed(total / stays_hot)) {
      const bool was_hot = any() && contains(each.hash);
      if (each.hash == 0 || (!was_hot && each.at_least() <= total / becomes_hot)) continue;
      chosen.push_back(each.hash);
    }
  }
  hot_.clear();
  if (!chosen.empty()) {
    hot_.assign(std::bit_ceil(4 * chosen.size()), 0);
    mask_ = hot_.size() - 1;
    for (const std::uint64_t hash : chosen) {
      std::size_t slot = hash & mask_;
      while (hot_[slot] != 0) slot = (slot + 1) & mask_;
      hot_[slot] = hash;
    }
  }
  if (sketch_.total() >= samples_kept) sketch_.halve();
  look_again_at_ = sketch_.total() + samples_between;
}

}  // namespace freshet::detail
