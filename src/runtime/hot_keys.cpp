#include <freshet/pipeline/detail/hot_keys.hpp>

#include <freshet/pipeline/detail/key_texts.hpp>

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freshet::detail {

hot_keys::hot_keys() : sketch_(sketch_keys) {}

heavy_keys hot_keys::heaviest() const {
  heavy_keys told;
  told.sampled = sketch_.total();
  const std::uint64_t more_than = std::max(told.sampled / stays_hot, samples_least - 1);
  // Of what it tracks, the sketch counts no more than `untracked_at_most` too much, and 2 that come
  // from halving; to look for the largest of the other counts would cost more than all else here.
  told.others_at_most = more_than + sketch_.untracked_at_most() + 2;
  for (const counted_hash& each : sketch_.must_exceed(more_than)) {
    if (told.keys.size() < heavy_keys_max) {
      told.keys.push_back({each.hash, each.count, each.error, {}});
    } else {
      told.others_at_most = std::max(told.others_at_most, each.count);
    }
  }
  told.others_at_most = std::min(told.others_at_most, told.sampled);
  return told;
}

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

void key_texts::name(std::vector<heavy_key>& keys) {
  wanted_.clear();
  std::unordered_map<std::uint64_t, std::string> still_known;
  for (heavy_key& each : keys) {
    const auto known = known_.find(each.hash);
    if (known == known_.end()) {
      wanted_.push_back(each.hash);
      continue;
    }
    each.text = known->second;
    still_known.emplace(each.hash, std::move(known->second));
  }
  known_ = std::move(still_known);
}

}  // namespace freshet::detail
