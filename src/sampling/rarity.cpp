// The rarity sampler on category hashes: what happens to a record, and what happens between epochs.
//
// Everything that decides is computed from exact integer counts, category by category in the order
// of their hashes, so that equal counts give equal probabilities to the last bit.
#include <freshet/sampling/rarity.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace freshet {

duration rarity_options::epoch_length() const {
  if (epoch) return *epoch;
  return std::max(duration{1}, half_life / 20);
}

namespace detail {
namespace {

// A category needs this many records (decayed) for a frequency of its own, and is forgotten below
// `forgotten_below`; in between it is counted, but judged as part of the pooled bucket.
constexpr double heavy_from = 3;
constexpr double forgotten_below = 0.5;
// Frequencies of fewer records than this say nothing yet.
constexpr double known_from = 64;
// What is expected next is what came recently, plus this many records with the long-term mix:
// without them, an epoch of few records would make kappa jump.
constexpr double prior_records = 64;
// One record of the pool says nothing about its category's share; this many of one category do.
constexpr std::uint64_t picks_for_estimate = 4;
// Budget errors are paid back at most this fast, so that the rate stays near the budget meanwhile.
constexpr double repayment_max = 0.15;
// How much more a category in the table counts than a newcomer when there is no room for both: a
// stream of unique keys would otherwise replace the whole table in every epoch, and no rare
// category could ever grow in it.
constexpr double incumbent_advantage = 4;
constexpr std::uint64_t pick_salt = 0x7261726974790001U;

double seconds(duration length) {
  return std::chrono::duration<double>(length).count();
}

double half_lives(const rarity_options& options, double epochs) {
  return epochs * (seconds(options.epoch_length()) / seconds(options.half_life));
}

std::size_t picks_max(const rarity_options& options) {
  return std::max<std::size_t>(256, std::size_t{4} * options.max_categories);
}

/// A category on its way through the end of an epoch.
struct tracked {
  std::uint64_t category = 0;
  double frequency = 0;
  double recent = 0;
  bool incumbent = false;
};

/// The old table's categories with their counts of the epoch that ends.
std::vector<tracked> count_in(const rarity_table& table, const rarity_counts& counts, double decay,
                              double recent_decay) {
  std::vector<tracked> all;
  all.reserve(table.categories.size() + counts.picks.size());
  for (std::size_t i = 0; i < table.categories.size(); ++i) {
    const auto seen = static_cast<double>(counts.seen[i]);
    all.push_back({table.categories[i], table.shares[i].frequency * decay + seen,
                   table.shares[i].recent * recent_decay + seen, true});
  }
  return all;
}

/// Appends the categories found among the picked records, and takes their records out of the pool.
void find_newcomers(const rarity_counts& counts, rarity_share& pool, std::vector<tracked>& all) {
  std::vector<std::uint64_t> categories;
  categories.reserve(counts.picks.size());
  for (const rarity_pick& pick : counts.picks) categories.push_back(pick.category);
  std::sort(categories.begin(), categories.end());
  const double records_per_pick =
      static_cast<double>(counts.pooled) /
      static_cast<double>(std::max<std::size_t>(1, counts.picks.size()));
  for (auto run = categories.begin(); run != categories.end();) {
    const auto run_end = std::upper_bound(run, categories.end(), *run);
    const auto picks = static_cast<std::uint64_t>(run_end - run);
    // Below the bar only the picked records themselves are certain, so only they change hands.
    const double records =
        static_cast<double>(picks) * (picks >= picks_for_estimate ? records_per_pick : 1.0);
    all.push_back({*run, records, records, false});
    pool.frequency = std::max(0.0, pool.frequency - records);
    pool.recent = std::max(0.0, pool.recent - records);
    run = run_end;
  }
}

/// Forgets faded categories, and the lightest beyond `max_categories`. Their records are pooled.
void drop_light(const rarity_options& options, std::int64_t epoch, rarity_share& pool,
                std::vector<tracked>& all) {
  const auto to_pool = [&pool](const tracked& dropped) {
    pool.frequency += dropped.frequency;
    pool.recent += dropped.recent;
  };
  std::erase_if(all, [&](const tracked& each) {
    if (each.frequency >= forgotten_below) return false;
    to_pool(each);
    return true;
  });
  if (all.size() > options.max_categories) {
    // Ties are broken by a hash that changes with the epoch, so that no category is always unlucky.
    const std::uint64_t turn = mix_bits(static_cast<std::uint64_t>(epoch));
    const auto rank = [](const tracked& each) {
      return each.frequency * (each.incumbent ? incumbent_advantage : 1.0);
    };
    std::sort(all.begin(), all.end(), [&](const tracked& a, const tracked& b) {
      const double rank_a = rank(a);
      const double rank_b = rank(b);
      if (rank_a != rank_b) return rank_a > rank_b;
      return mix_bits(a.category ^ turn) < mix_bits(b.category ^ turn);
    });
    for (std::size_t i = options.max_categories; i < all.size(); ++i) to_pool(all[i]);
    all.resize(options.max_categories);
  }
  std::sort(all.begin(), all.end(),
            [](const tracked& a, const tracked& b) { return a.category < b.category; });
}

/// What the budget allowed to keep of the epoch that ends.
double budget_of(const rarity_options& options, double records) {
  if (options.rate) return *options.rate * records;
  return std::min(records, *options.per_second * seconds(options.epoch_length()));
}

/// How many epochs lie between the counts in the table and the beginning of `epoch`: none before
/// the first counts with a time.
double age_of(const rarity_table& table, std::int64_t epoch) {
  if (table.counted_until == epoch_before_all) return 0;
  // Subtracting as unsigned numbers is exact for any two epochs.
  return static_cast<double>(static_cast<std::uint64_t>(epoch) -
                             static_cast<std::uint64_t>(table.counted_until));
}

/// The records of an epoch to come, or 0 while no whole epoch was counted.
double expected_records(const rarity_table& table) {
  if (table.traffic_epochs <= 0) return 0;
  // Epochs without records since then count too: 1 + 1/2 + 1/4 + ... of them.
  const double decay = std::exp2(-age_of(table, table.epoch));
  return table.traffic * decay / (table.traffic_epochs * decay + 2 * (1 - decay));
}

/// The carry, but not more of it than a half-life's budget: a budget that cannot be met (a floor
/// above it) would pile up otherwise.
double bounded_carry(const rarity_options& options, const rarity_table& table) {
  if (table.traffic_epochs <= 0) return table.carry;
  const double limit = budget_of(options, expected_records(table)) / half_lives(options, 1);
  return std::clamp(table.carry, -limit, limit);
}

/// The factor on the budget that pays the carry back, over half a half-life.
double repayment(const rarity_options& options, const rarity_table& table) {
  const double epochs = std::max(4.0, 0.5 / half_lives(options, 1));
  const double budget = epochs * budget_of(options, expected_records(table));
  if (!(budget > 0)) return 1;
  return 1 - std::clamp(bounded_carry(options, table) / budget, -repayment_max, repayment_max);
}

/// ln(p / q) for each category, q being the mean probability of all other records.
void set_log_odds(rarity_table& table) {
  // Sums of what lies left and right of each category: subtracting it from the total instead would
  // cancel where one category makes up nearly everything.
  const std::size_t count = table.shares.size();
  std::vector<double> records_right(count + 1, table.pool.frequency);
  std::vector<double> kept_right(count + 1, table.pool.frequency * table.pool.probability);
  for (std::size_t i = count; i-- > 0;) {
    const rarity_share& share = table.shares[i];
    records_right[i] = records_right[i + 1] + share.frequency;
    kept_right[i] = kept_right[i + 1] + share.frequency * share.probability;
  }
  const auto ratio = [](double probability, double records, double kept) {
    return records > 0 ? std::log(probability * records / kept) : 0.0;
  };
  double records_left = 0;
  double kept_left = 0;
  for (std::size_t i = 0; i < count; ++i) {
    rarity_share& share = table.shares[i];
    share.log_odds = ratio(share.probability, records_left + records_right[i + 1],
                           kept_left + kept_right[i + 1]);
    records_left += share.frequency;
    kept_left += share.frequency * share.probability;
  }
  // One category of the pool makes up next to nothing of it: the rest is everything.
  table.pool.log_odds = ratio(table.pool.probability, records_right[0], kept_right[0]);
}

/// The share of the records that the budget allows in the current epoch; may exceed 1.
/// \pre `rate` is given, or the traffic is known.
double rate_allowed(const rarity_options& options, const rarity_table& table) {
  if (options.rate) return *options.rate;
  const double expected = expected_records(table);
  return expected > 0 ? *options.per_second * seconds(options.epoch_length()) / expected : 1;
}

/// Everything is kept with one probability while there is too little to tell categories apart.
void set_uniform(const rarity_options& options, rarity_table& table) {
  const bool budget_known = options.rate || table.traffic_epochs > 0;
  const double allowed = budget_known ? rate_allowed(options, table) : options.start_rate;
  const double probability = std::clamp(allowed, options.floor.value_or(0), 1.0);
  for (rarity_share& share : table.shares) {
    share.probability = probability;
    share.log_odds = 0;
  }
  table.pool.probability = probability;
  table.pool.log_odds = 0;
  table.kappa = 0;
  table.floor = probability;
  table.adapted = false;
}

/// The probabilities of the epoch that begins.
void set_probabilities(const rarity_options& options, rarity_table& table,
                       const rarity_emphasis& emphasis) {
  const double decay = std::exp2(-half_lives(options, age_of(table, table.epoch)));
  const double recent_decay = std::exp2(-age_of(table, table.epoch));
  const auto aged = [&](const rarity_share& share) {
    return rarity_share{share.frequency * decay, share.recent * recent_decay, 1, 0};
  };
  const auto heavy = [&](const rarity_share& share) { return aged(share).frequency >= heavy_from; };
  rarity_share bucket = aged(table.pool);  // The pool, and the categories too light to leave it.
  double frequency_total = bucket.frequency;
  double recent_total = bucket.recent;
  double largest = 0;
  for (const rarity_share& share : table.shares) {
    const rarity_share now = aged(share);
    frequency_total += now.frequency;
    recent_total += now.recent;
    if (heavy(share)) {
      largest = std::max(largest, now.frequency);
    } else {
      bucket.frequency += now.frequency;
      bucket.recent += now.recent;
    }
  }
  if (frequency_total < known_from || (!options.rate && table.traffic_epochs <= 0)) {
    return set_uniform(options, table);
  }
  largest = std::max(largest, bucket.frequency);

  const auto term_of = [&](const rarity_share& share, double factor) {
    const double expected_here = share.recent + prior_records * share.frequency / frequency_total;
    // An empty pool is as rare as what is about to be forgotten.
    const double frequency = std::max(share.frequency, forgotten_below);
    return rarity_term{expected_here / (recent_total + prior_records),
                       std::pow(largest / frequency, options.alpha) * factor};
  };
  std::vector<rarity_term> terms;
  terms.reserve(table.shares.size() + 1);
  for (std::size_t i = 0; i < table.shares.size(); ++i) {
    const rarity_share& share = table.shares[i];
    if (heavy(share)) terms.push_back(term_of(aged(share), emphasis.of(i)));
  }
  terms.push_back(term_of(bucket, emphasis.pool));

  const double rate = rate_allowed(options, table);
  table.floor = options.floor.value_or(std::min(1.0, rate) / 10);
  table.kappa = solve_kappa(terms, table.floor, rate * repayment(options, table));
  const auto probability_of = [&table](const rarity_term& term) {
    return std::clamp(table.kappa * term.shape, table.floor, 1.0);
  };
  table.pool.probability = probability_of(terms.back());
  std::size_t next = 0;
  for (rarity_share& share : table.shares) {
    share.probability = heavy(share) ? probability_of(terms[next++]) : table.pool.probability;
  }
  set_log_odds(table);
  table.adapted = true;
}

double records_of(const rarity_counts& counts) {
  auto records = static_cast<double>(counts.pooled);
  for (const std::uint64_t seen : counts.seen) records += static_cast<double>(seen);
  return records;
}

/// Turns the counts of the epoch that ends into frequencies, traffic, and carry.
void add_counts(const rarity_options& options, rarity_table& table, const rarity_counts& counts,
                double records) {
  const std::int64_t ended = table.epoch;
  const double epochs = age_of(table, ended) + 1;
  const double decay = rarity_decay(options, table);
  const double recent_decay = std::exp2(-epochs);

  std::vector<tracked> all = count_in(table, counts, decay, recent_decay);
  const auto pooled = static_cast<double>(counts.pooled);
  table.pool.frequency = table.pool.frequency * decay + pooled;
  table.pool.recent = table.pool.recent * recent_decay + pooled;
  find_newcomers(counts, table.pool, all);
  drop_light(options, ended, table.pool, all);
  table.categories.clear();
  table.shares.clear();
  for (const tracked& each : all) {
    table.categories.push_back(each.category);
    table.shares.push_back({each.frequency, each.recent, 1, 0});
  }

  // Without knowledge of the traffic there was no budget to keep to.
  const bool had_budget = options.rate || table.traffic_epochs > 0;
  if (table.counted_until != epoch_before_all) {
    // Between the last counts and these lie epochs without records: 1/2 + 1/4 + ... of them.
    table.traffic = table.traffic * recent_decay + records;
    table.traffic_epochs = table.traffic_epochs * recent_decay + 2 * (1 - recent_decay);
  }
  if (ended != epoch_before_all) table.counted_until = ended + 1;
  table.epoch = ended + 1;
  if (had_budget) {
    table.carry += static_cast<double>(counts.kept) - budget_of(options, records);
    table.carry = bounded_carry(options, table);
  }
}

/// The index of the first of the ascending `numbers` not below `wanted`; their count if none is.
std::size_t first_not_below(const std::vector<std::uint64_t>& numbers, std::uint64_t wanted) {
  // std::lower_bound branches on every comparison, and with hashes each is a coin toss to the
  // processor. Adding instead of branching keeps its pipeline full.
  const std::uint64_t* const begin = numbers.data();
  std::size_t low = 0;
  std::size_t length = numbers.size();
  while (length > 1) {
    const std::size_t half = length / 2;
    low += static_cast<std::size_t>(begin[low + half - 1] < wanted) * half;
    length -= half;
  }
  return low + (length == 1 && begin[low] < wanted ? 1 : 0);
}

void add_pick(const rarity_options& options, std::vector<rarity_pick>& picks,
              const rarity_pick& pick) {
  if (picks.size() < picks_max(options)) {
    picks.push_back(pick);
    std::push_heap(picks.begin(), picks.end());
  } else if (pick < picks.front()) {
    std::pop_heap(picks.begin(), picks.end());
    picks.back() = pick;
    std::push_heap(picks.begin(), picks.end());
  }
}

}  // namespace

std::size_t rarity_row(const rarity_table& table, std::uint64_t category) {
  const std::size_t row = first_not_below(table.categories, category);
  return row < table.categories.size() && table.categories[row] == category
             ? row
             : table.categories.size();
}

double solve_kappa(const std::vector<rarity_term>& terms, double floor, double target) {
  const auto kept = [&](double kappa) {
    double sum = 0;
    for (const rarity_term& term : terms) {
      sum += term.load * std::clamp(kappa * term.shape, floor, 1.0);
    }
    return sum;
  };
  if (kept(0) >= target) return 0;
  if (kept(1) <= target) return 1;
  double low = 0;
  double high = 1;
  // To 2^-50 of kappa itself, however small it is: the smallest shape decides over most records.
  while (high - low > high * 0x1p-50) {
    const double middle = low + (high - low) / 2;
    (kept(middle) < target ? low : high) = middle;
  }
  return high;
}

rarity_table start_rarity(const rarity_options& options) {
  rarity_table table;
  set_uniform(options, table);
  return table;
}

double rarity_decay(const rarity_options& options, const rarity_table& table) {
  return std::exp2(-half_lives(options, age_of(table, table.epoch) + 1));
}

bool grow_rarity(const rarity_options& options, rarity_table& table, const rarity_counts& counts,
                 std::int64_t epoch) {
  assert(epoch > table.epoch);
  // Counts are only aged when there are new ones to add, always from where they stood: so it makes
  // no difference, not even in the last bit, which of the epochs without records were entered.
  const double records = records_of(counts);
  if (records > 0) add_counts(options, table, counts, records);
  table.epoch = epoch;
  return records > 0;
}

void set_rarity(const rarity_options& options, rarity_table& table, rarity_counts& counts,
                const rarity_emphasis& emphasis) {
  set_probabilities(options, table, emphasis);
  counts = rarity_counts{};
  counts.seen.resize(table.categories.size());
}

void enter_rarity(const rarity_options& options, rarity_table& table, rarity_counts& counts,
                  std::int64_t epoch) {
  if (epoch <= table.epoch) return;
  grow_rarity(options, table, counts, epoch);
  set_rarity(options, table, counts, {});
}

std::size_t count_rarity(const rarity_options& options, const rarity_table& table,
                         rarity_counts& counts, std::uint64_t category, std::uint64_t hash) {
  const std::size_t row = rarity_row(table, category);
  if (row < table.categories.size()) {
    ++counts.seen[row];
  } else {
    ++counts.pooled;
    // A hash of its own, so that the records picked are not the records kept.
    add_pick(options, counts.picks, {mix_bits(hash ^ pick_salt), category});
  }
  return row;
}

sample_decision decide_rarity(const rarity_table& table, rarity_counts& counts, std::size_t row,
                              std::uint64_t hash, double factor) {
  const rarity_share& share = row < table.shares.size() ? table.shares[row] : table.pool;
  sample_decision decision;
  decision.probability = std::min(1.0, share.probability * factor);
  decision.log_odds = share.log_odds;
  decision.keep = unit_interval(hash) < decision.probability;
  counts.kept += decision.keep ? 1 : 0;
  return decision;
}

void merge_rarity(const rarity_options& options, rarity_counts& into, const rarity_counts& from) {
  assert(into.seen.size() == from.seen.size());
  for (std::size_t i = 0; i < into.seen.size(); ++i) into.seen[i] += from.seen[i];
  into.pooled += from.pooled;
  into.kept += from.kept;
  for (const rarity_pick& pick : from.picks) add_pick(options, into.picks, pick);
}

bool valid_rarity(const rarity_options& options, const rarity_table& table,
                  const rarity_counts& counts) {
  const auto amount = [](double number) { return std::isfinite(number) && number >= 0; };
  const auto share = [&](const rarity_share& each) {
    return amount(each.frequency) && amount(each.recent) && each.probability > 0 &&
           each.probability <= 1 && std::isfinite(each.log_odds);
  };
  return table.categories.size() <= options.max_categories &&
         table.shares.size() == table.categories.size() &&
         counts.seen.size() == table.categories.size() &&
         std::is_sorted(table.categories.begin(), table.categories.end(),
                        [](std::uint64_t a, std::uint64_t b) { return a <= b; }) &&
         std::all_of(table.shares.begin(), table.shares.end(), share) && share(table.pool) &&
         amount(table.kappa) && amount(table.floor) && std::isfinite(table.carry) &&
         amount(table.traffic) && amount(table.traffic_epochs) &&
         counts.picks.size() <= picks_max(options) && counts.picks.size() <= counts.pooled &&
         std::is_heap(counts.picks.begin(), counts.picks.end());
}

std::string check_rarity(const rarity_options& options) {
  // Written so that a NaN fails every test.
  const auto share = [](double number) { return number > 0 && number <= 1; };
  if (options.rate && options.per_second) {
    return "both .rate and .per_second are given, but one decides; leave one of them out";
  }
  if (!options.rate && !options.per_second) {
    return "neither .rate nor .per_second is given, but one must decide; give .rate a share of the "
           "records such as 0.4, or .per_second a number of records";
  }
  if (options.rate && !check_rate(*options.rate).empty()) return check_rate(*options.rate);
  if (options.per_second && !(*options.per_second > 0 && std::isfinite(*options.per_second))) {
    return fmt::format(
        "per_second {} is not a positive number; give .per_second the records to "
        "keep per second of event time",
        *options.per_second);
  }
  if (!(options.alpha >= 0 && options.alpha <= 4)) {
    return fmt::format(
        "alpha {} is not in [0, 4]; give .alpha 1 to even the categories out, 0 to "
        "ignore them",
        options.alpha);
  }
  const double floor_max = options.rate.value_or(1);
  if (options.floor && !(*options.floor >= 0 && *options.floor <= floor_max)) {
    return fmt::format("floor {} is not in [0, {}]; give .floor at most the rate, or leave it out",
                       *options.floor, floor_max);
  }
  if (options.half_life <= duration::zero()) {
    return fmt::format("half_life {} is not positive; give .half_life a positive duration",
                       to_text(options.half_life));
  }
  const duration length = options.epoch_length();
  if (length <= duration::zero() || length > options.half_life) {
    return fmt::format(
        "epoch {} is not in (0, {}]; give .epoch a positive duration up to the "
        "half-life, or leave it out",
        to_text(length), to_text(options.half_life));
  }
  if (options.max_categories < 1 || options.max_categories > 1'000'000) {
    return fmt::format(
        "max_categories {} is not in [1, 1000000]; give .max_categories how many "
        "categories to count one by one",
        options.max_categories);
  }
  if (!share(options.start_rate)) {
    return fmt::format(
        "start_rate {} is not in (0, 1]; give .start_rate the probability to begin "
        "with, such as 0.1",
        options.start_rate);
  }
  return {};
}

std::string describe_rarity(const rarity_options& options) {
  std::string text = options.rate ? fmt::format("rarity rate {}", *options.rate)
                                  : fmt::format("rarity per_second {} start_rate {}",
                                                options.per_second.value_or(0), options.start_rate);
  text += fmt::format(" alpha {}", options.alpha);
  if (options.floor) text += fmt::format(" floor {}", *options.floor);
  text +=
      fmt::format(" half_life {} epoch {} max_categories {} seed {}", to_text(options.half_life),
                  to_text(options.epoch_length()), options.max_categories, options.seed);
  return text;
}

}  // namespace detail
}  // namespace freshet
