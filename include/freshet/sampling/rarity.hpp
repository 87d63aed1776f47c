// Rarity sampling: rare categories first, within a rate or a budget per second of event time.
//
// A category that makes up a share f of the recent records is kept with probability
// clip(kappa * f^-alpha, floor, 1): with alpha = 1 every category gets the same number of kept
// records, as far as it has them. Time: frequencies halve every `half_life` of event time, and
// probabilities change at epoch boundaries only (see sampler.hpp). Order of records inside an
// epoch, batches, and workers change nothing. Memory: at most `max_categories` categories of 48
// bytes, and a sample of the remaining records, 16 bytes for each of 4 * `max_categories` (256 at
// least). Descriptions are immutable and safe to share; a state belongs to one thread at a time.
// Example: `payments | sample("training", rarity(&payment::fraud, {.rate = 0.4}))`.
#pragma once

#include <freshet/sampling/sampler.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How much `rarity` keeps, and how fast it learns. Give `.rate` or `.per_second`, not both.
struct rarity_options {
  /// Keep this share of the records, in (0, 1].
  std::optional<double> rate = std::nullopt;

  /// Keep this many records per second of event time, > 0; all of them while fewer come. A budget
  /// can be enforced only once the traffic is known: see `start_rate`, and the note at `rarity`.
  std::optional<double> per_second = std::nullopt;

  /// How strongly rarity counts, in [0, 4]: 0 keeps all categories alike, 1 evens them out.
  double alpha = 1;

  /// No record is kept with a smaller probability, so no weight exceeds 1 / floor; in [0, rate].
  /// It wins over the budget. Default: a tenth of the rate; with `.per_second` a tenth of the share
  /// of the records that the budget allows at the time.
  std::optional<double> floor = std::nullopt;

  /// In event time: how long until a record counts half; > 0. Shorter follows changes faster,
  /// longer knows rare categories better. Popularity that changes is back on budget within two
  /// epochs, and evened out again within about three half-lives.
  duration half_life = std::chrono::minutes{10};

  /// The length of an epoch; in (0, half_life]. Default: a twentieth of `half_life`. Records wait
  /// at the sampler until the watermark has entered their epoch.
  std::optional<duration> epoch = std::nullopt;

  /// How many categories are counted one by one, 1 .. 1,000,000; the others are pooled.
  std::uint32_t max_categories = 1000;

  /// With `.per_second` only, in (0, 1]: the probability until a whole epoch has been counted.
  double start_rate = 0.1;

  std::uint64_t seed = 0;

  duration epoch_length() const;
};

/// The records of one category, or of the pooled bucket, until the last epoch with records ended.
struct rarity_share {
  double frequency = 0;    ///< Records, halved every half-life until then.
  double recent = 0;       ///< Records, halved every epoch until then.
  double probability = 1;  ///< Of being kept in the current epoch.
  double log_odds = 0;     ///< See `sampled::log_odds`.
};
BOOST_DESCRIBE_STRUCT(rarity_share, (), (frequency, recent, probability, log_odds))

/// What all workers know in the current epoch; fixed until the next one.
struct rarity_table {
  std::int64_t epoch = epoch_before_all;          ///< The current one.
  std::int64_t counted_until = epoch_before_all;  ///< The epoch after the last one with records.
  std::vector<std::uint64_t> categories;          ///< Stable hashes, ascending.
  std::vector<rarity_share> shares;               ///< Of `categories`, in the same order.
  rarity_share pool;   ///< Of all records whose category is not in `categories`.
  double kappa = 0;    ///< The factor in front of f^-alpha, f relative to the largest.
  double floor = 0;    ///< The smallest probability of this epoch.
  double carry = 0;    ///< Records kept beyond the budget so far (less: negative).
  double traffic = 0;  ///< Records in whole epochs, halved every epoch until `counted_until`.
  double traffic_epochs = 0;  ///< Whole epochs, halved in the same way: their ratio is a mean.
  bool adapted = false;       ///< Whether probabilities depend on the category yet.
};
BOOST_DESCRIBE_STRUCT(rarity_table, (),
                      (epoch, counted_until, categories, shares, pool, kappa, floor, carry, traffic,
                       traffic_epochs, adapted))

/// One record of the pooled bucket that was picked to find out what is in there.
struct rarity_pick {
  std::uint64_t priority = 0;  ///< A hash of the record's position: smaller ones stay.
  std::uint64_t category = 0;

  friend constexpr auto operator<=>(const rarity_pick&, const rarity_pick&) = default;
};
BOOST_DESCRIBE_STRUCT(rarity_pick, (), (priority, category))

/// What one worker counted in the current epoch. Integers only, so that merging is exact.
struct rarity_counts {
  std::vector<std::uint64_t> seen;  ///< Records of each category of the table, in its order.
  std::uint64_t pooled = 0;         ///< Records of all other categories.
  std::uint64_t kept = 0;           ///< Records kept, of any category.
  std::vector<rarity_pick> picks;   ///< The pooled records of smallest priority; a heap.
};
BOOST_DESCRIBE_STRUCT(rarity_counts, (), (seen, pooled, kept, picks))

/// The whole state of a rarity sampler.
struct rarity_state {
  rarity_table table;
  rarity_counts counts;
};
BOOST_DESCRIBE_STRUCT(rarity_state, (), (table, counts))

namespace detail {

// The sampler on category hashes; sampling/rarity.cpp explains each step.
std::string check_rarity(const rarity_options& options);
std::string describe_rarity(const rarity_options& options);
rarity_table start_rarity(const rarity_options& options);
bool valid_rarity(const rarity_options& options, const rarity_table& table,
                  const rarity_counts& counts);
void enter_rarity(const rarity_options& options, rarity_table& table, rarity_counts& counts,
                  std::int64_t epoch);

/// Factors on the shares of the table's categories, each >= 1 and finite; none stands for 1.
struct rarity_emphasis {
  std::vector<double> factors;  ///< In the order of the table, or empty.
  double pool = 1;

  double of(std::size_t row) const { return row < factors.size() ? factors[row] : 1; }
};

/// The two halves of `enter_rarity`: the first adds the counts of the epoch that ends to the table,
/// and says whether there were any; the second sets the probabilities, and starts counting anew.
/// \pre `epoch` is later than the table's.
bool grow_rarity(const rarity_options& options, rarity_table& table, const rarity_counts& counts,
                 std::int64_t epoch);
void set_rarity(const rarity_options& options, rarity_table& table, rarity_counts& counts,
                const rarity_emphasis& emphasis);

void merge_rarity(const rarity_options& options, rarity_counts& into, const rarity_counts& from);

/// By what frequencies shrink when the counts of the table's epoch are added to them.
double rarity_decay(const rarity_options& options, const rarity_table& table);

/// The row of a category in the table; the number of rows where it is in the pool.
std::size_t rarity_row(const rarity_table& table, std::uint64_t category);

/// Counts a record, whose position and seed have this hash. \return `rarity_row` its category.
std::size_t count_rarity(const rarity_options& options, const rarity_table& table,
                         rarity_counts& counts, std::uint64_t category, std::uint64_t hash);

/// Judges a counted record: with its row's probability times `factor`, at most 1.
sample_decision decide_rarity(const rarity_table& table, rarity_counts& counts, std::size_t row,
                              std::uint64_t hash, double factor);

/// One term of the budget: `load` records are expected, of which clip(kappa * shape, floor, 1) are
/// kept.
struct rarity_term {
  double load = 0;
  double shape = 0;
};

/// The kappa in [0, 1] with which the expected number of kept records is `target`; 0 when even the
/// floor keeps as many, and the smallest at which everything is kept when that is not enough.
/// \pre    Shapes are >= 1 and loads >= 0, both finite.
/// \cost   About 60 passes over `terms`.
double solve_kappa(const std::vector<rarity_term>& terms, double floor, double target);

}  // namespace detail

class sampler_feedback;
struct loss_options;
template <class Category, class Loss>
class loss_sampler;

/// The description that `rarity(...)` makes: a sampler, as sampler.hpp defines it, for every record
/// type that `Category` can be called with.
template <class Category>
class rarity_sampler {
 public:
  using state = rarity_state;
  using counts = rarity_counts;

  rarity_sampler(Category category, rarity_options options)
      : category_(std::move(category)), options_(std::move(options)) {}

  const rarity_options& options() const { return options_; }

  /// The same, and categories with a high loss first; defined and explained in sampling/loss.hpp,
  /// which is to be included. `loss` is a `sampler_feedback`, or a member pointer or function of
  /// the record.
  template <class Loss>
  loss_sampler<Category, Loss> with_loss(Loss loss, loss_options how) const;
  template <class Loss>
  loss_sampler<Category, Loss> with_loss(Loss loss) const;

  state start() const { return {detail::start_rarity(options_), {}}; }
  bool valid(const state& restored) const {
    return detail::valid_rarity(options_, restored.table, restored.counts);
  }
  std::int64_t epoch_of(timestamp entry_frontier) const {
    return epoch_number(entry_frontier, options_.epoch_length());
  }
  timestamp epoch_end(std::int64_t epoch) const {
    return freshet::epoch_end(epoch, options_.epoch_length());
  }
  /// \cost O(categories * log categories).
  void enter(state& known, std::int64_t epoch) const {
    detail::enter_rarity(options_, known.table, known.counts, epoch);
  }
  /// \cost O(log categories).
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>>
  sample_decision decide(state& known, const T& value, const position& where) const {
    const std::uint64_t hash = record_hash(options_.seed, where);
    const std::size_t row = detail::count_rarity(options_, known.table, known.counts,
                                                 stable_hash(std::invoke(category_, value)), hash);
    return detail::decide_rarity(known.table, known.counts, row, hash, 1);
  }
  counts& counts_of(state& known) const { return known.counts; }
  /// \pre Both were counted against equal tables.
  void merge(counts& into, const counts& from) const { detail::merge_rarity(options_, into, from); }
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>>
  std::string category_of(const T& value) const {
    return category_text<std::remove_cvref_t<std::invoke_result_t<const Category&, const T&>>>(
        std::invoke(category_, value));
  }
  std::string check() const { return detail::check_rarity(options_); }
  std::string describe() const { return detail::describe_rarity(options_); }

 private:
  Category category_;
  rarity_options options_;
};

/// Keeps rare categories first. `category` is a member pointer or a function of the record that
/// returns a `category_value`; it must depend on the record alone, and one copy is used per task.
///
/// How probabilities come about, at the beginning of each epoch:
/// - The frequency f of a category is its number of records, halved every half-life, epochs without
///   records included. kappa is found by bisection such that the records to be expected, each kept
///   with clip(kappa * f^-alpha, floor, 1), keep the budget. What is to be expected is measured
///   with a half-life of one epoch only, so that a change of popularity is off budget for two
///   epochs and not for half-lives; in a steady stream it is f itself.
/// - What was kept beyond the budget is saved later, at most 15 % of the budget at a time, and a
///   shortfall is made up for in the same way. So the rate is right in the long run.
/// - Categories that were not counted one by one, or that have fewer than 3 records in f, share one
///   pooled bucket and its frequency. A stream of unique keys is one category to this sampler.
/// - While f sums up to less than 64 records, every category is kept with the same probability.
/// \note   `.per_second`: when the traffic jumps by a factor of 8, any half-life still keeps at
/// most
///         1.8 times the budget; a jump by a factor of x keeps about x times the budget for one
///         epoch. It cannot be less: an epoch's probabilities depend on earlier epochs only.
/// \source dynsampler-go's exponential-moving-average sampler, with probabilities instead of
///         intervals; the pooled bucket is the idea of SpaceSaving (Metwally et al. 2005), done
///         with a bottom-k record sample (Cohen and Kaplan 2007), because a merged SpaceSaving
///         summary depends on which worker saw which record, and a bottom-k sample does not.
template <class Category>
auto rarity(Category category, rarity_options options) {
  return rarity_sampler<Category>(std::move(category), std::move(options));
}

}  // namespace freshet
