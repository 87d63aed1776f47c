// The store behind sampler_feedback: a bounded table of sums under a lock.
#include <freshet/sampling/feedback.hpp>

#include "sampling/mean_scores.hpp"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <stdexcept>

namespace freshet {
namespace detail {

class feedback_store {
 public:
  explicit feedback_store(std::size_t categories_max) : categories_max_(categories_max) {}

  bool add(std::uint64_t category, double value) {
    const std::optional<double> usable = usable_score(value);
    const std::scoped_lock lock(mutex_);
    const auto known = sums_.find(category);
    if (!usable || (known == sums_.end() && sums_.size() == categories_max_)) {
      ++dropped_;
      return false;
    }
    score_sum& sum = known != sums_.end() ? known->second : sums_[category];
    sum.add(*usable);
    return true;
  }

  std::uint64_t dropped() const {
    const std::scoped_lock lock(mutex_);
    return dropped_;
  }

  std::vector<category_loss> take() {
    absl::flat_hash_map<std::uint64_t, score_sum> taken;
    {
      const std::scoped_lock lock(mutex_);
      taken.swap(sums_);
    }
    std::vector<category_loss> all;
    all.reserve(taken.size());
    for (const auto& [category, sum] : taken) all.push_back({category, sum});
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.category < b.category; });
    return all;
  }

 private:
  const std::size_t categories_max_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::uint64_t, score_sum> sums_;
  std::uint64_t dropped_ = 0;
};

}  // namespace detail

sampler_feedback::sampler_feedback(std::size_t categories_max) {
  if (categories_max == 0) {
    throw std::invalid_argument(
        "sampler_feedback: categories_max is 0, so nothing could be fed back; give how many "
        "categories may wait, such as 1000");
  }
  store_ = std::make_shared<detail::feedback_store>(categories_max);
}

bool sampler_feedback::add(std::uint64_t category, double value) const {
  return store_->add(category, value);
}

std::uint64_t sampler_feedback::dropped() const {
  return store_->dropped();
}

std::vector<category_loss> sampler_feedback::take() const {
  return store_->take();
}

}  // namespace freshet
