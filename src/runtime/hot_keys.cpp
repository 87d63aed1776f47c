#include <freshet/pipeline/detail/hot_keys.hpp>

#include <algorithm>
#include <bit>

namespace freshet::detail {

hot_keys::hot_keys() : sketch_(sketch_keys) {}

void hot_keys::choose() {
  const bool pays = 2 * partials_ <= records_;
  records_ = partials_ = 0;
  if (!pays) pause_ = looks_without;
  std::vector<std::uint64_t> chosen;
  if (pause_ > 0) {
    pause_ -= std::min(pause_, 1 << sparser_);  // Of the same number of records.
  } else {
    const std::uint64_t total = sketch_.total();
    for (const counted_hash& each : sketch_.must_exceed(total / stays_hot)) {
      const bool was_hot = any() && contains(each.hash);
      if (!was_hot && each.at_least() <= std::max(total / becomes_hot, samples_least)) continue;
      chosen.push_back(each.hash);
    }
  }
  quiet_ = chosen.empty() ? std::min(quiet_ + 1, looks_dense + sparser_max) : 0;
  sparser_ = std::max(0, quiet_ - looks_dense);
  hot_.clear();
  if (!chosen.empty()) {
    hot_.resize(std::min(std::bit_ceil(places_per_key * chosen.size()), places_max));
    mask_ = hot_.size() - 1;
    for (std::size_t place = 0; place < hot_.size(); ++place) hot_[place] = ~place;
    // Those with the most records first.
    for (const std::uint64_t hash : chosen) {
      std::uint64_t& place = hot_[hash & mask_];
      if (place == ~(hash & mask_)) place = hash;
    }
  }
  if (sketch_.total() >= samples_kept) sketch_.halve();
  look_again_at_ = sketch_.total() + samples_between;
}

}  // namespace freshet::detail
