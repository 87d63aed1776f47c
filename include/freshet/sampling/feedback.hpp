// Feedback for samplers: what a model lost on the records of a category, said from anywhere.
//
// A handle; copies speak to the same sampler. Thread-safe. Bounded: losses wait here, as one sum
// for each of at most `categories_max` categories, until the sampler's next epoch begins. Lossy:
// what is fed while there is no room, what is not a number of 0 or more, and what waits when the
// process ends, is forgotten. Live feedback makes the selection depend on when it came, so it is
// not reproducible; losses that come with the records are, see sampling/loss.hpp.
#pragma once

#include <freshet/sampling/sampler.hpp>
#include <freshet/sampling/score_sum.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {
class feedback_store;
}

/// The losses of a category since they were last taken.
struct category_loss {
  std::uint64_t category = 0;  ///< The stable hash.
  score_sum losses;
};

/// The way back from a model to the sampler of its training records: give it to
/// `rarity(...).with_loss(...)`, and call `loss` with what the model lost on each record.
/// \note One handle serves one sampler: what a sampler takes, another does not see.
class sampler_feedback {
 public:
  /// Throws `std::invalid_argument` when `categories_max` is 0.
  explicit sampler_feedback(std::size_t categories_max = 1000);

  /// Says that the model lost `value` (any unit, 0 or more; above 2^32 it counts as 2^32) on a
  /// record of `category`, which has the type that the sampler's category function returns.
  /// \return false when it was dropped.
  /// \cost   A lock, and a look-up in a hash table.
  template <category_value C>
  bool loss(const C& category, double value) const {
    return add(stable_hash(category), value);
  }

  /// How many losses were dropped so far.
  std::uint64_t dropped() const;

  /// For samplers: what waits, by ascending category. Nothing waits afterwards.
  std::vector<category_loss> take() const;

 private:
  bool add(std::uint64_t category, double value) const;

  std::shared_ptr<detail::feedback_store> store_;
};

}  // namespace freshet
