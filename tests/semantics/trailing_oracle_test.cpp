// Rows of trailing against the definition of their values, on seeded random streams of several
// splits, with crashes at any point.
//
// The definition (docs/reference/time.md): records have their turns in the order of event time,
// those behind their entry frontier where the log had reached it; with rows on arrival, in the
// order of arrival. At its turn a record sees those records of its key whose turns have been and
// whose event times lie in [at - length, at), or, where it sees itself, up to its own order key.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing.hpp>

#include <array>
#include <bit>
#include <tuple>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr std::int64_t time_min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t time_max = std::numeric_limits<std::int64_t>::max();

struct trailing_case {
  event_splits splits;
  fr::duration disorder{0};
  std::array<fr::trailing_span, 3> spans;
  fr::trailing_options options;
};

struct outcome {
  rows_of_text rows;
  rows_of_text late;

  friend bool operator==(const outcome&, const outcome&) = default;
};

/// A record of the log, with what the definition needs to know about it.
struct logged {
  event value;
  fr::order_key order;
  fr::timestamp entry = fr::timestamp_min;

  bool behind() const { return order.at < entry; }
  auto turn() const { return std::tuple(behind() ? entry : order.at, !behind(), order.where); }
};

/// All records in the order of their turns.
std::vector<logged> turns_of(const trailing_case& of) {
  std::vector<logged> all;
  for (std::uint32_t split = 0; split < of.splits.size(); ++split) {
    fr::timestamp frontier = fr::timestamp_min;
    for (std::uint64_t i = 0; i < of.splits[split].size(); ++i) {
      const event& each = of.splits[split][i];
      all.push_back({each, {each.at, {i, split, 0}}, frontier});
      frontier = std::max(frontier, std::min(fr::timestamp_max - fr::duration{1},
                                             fr::saturating_subtract(each.at, of.disorder)));
    }
  }
  if (of.options.emit == fr::emit::on_watermark) {
    std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.turn() < b.turn(); });
  }
  return all;
}

/// `of` in full: doubles by their bits.
template <class Cell>
std::string exact_text(const Cell& of) {
  if constexpr (std::is_same_v<Cell, double>) {
    return std::isnan(of) ? "nan" : cell_text(std::bit_cast<std::uint64_t>(of));
  } else {
    return cell_text(of);
  }
}

double quarters(const event& of) {
  return static_cast<double>(of.value) / 4;
}

/// Count, sum, mean (exact, because values are quarters), first, last, and, asked for, all values.
std::string naive_values(std::vector<logged> seen, bool collects) {
  std::sort(seen.begin(), seen.end(), [](auto& a, auto& b) { return a.order < b.order; });
  std::int64_t sum = 0;
  std::vector<std::int64_t> all;
  for (const logged& each : seen) {
    all.push_back(each.value.value);
    sum += each.value.value;
  }
  const double mean = static_cast<double>(sum) / 4 / static_cast<double>(all.size());
  return "|" + cell_text(all.size()) + "|" + cell_text(sum) + "|" + exact_text(mean) + "|" +
         cell_text(all.empty() ? 0 : all.front()) + "|" + cell_text(all.empty() ? 0 : all.back()) +
         (collects ? "|" + cell_text(all) : "");
}

outcome naive(const trailing_case& of, bool collects) {
  outcome result;
  std::vector<logged> been;
  for (const logged& each : turns_of(of)) {
    if (each.behind() &&
        fr::saturating_add(each.order.at, of.options.allowed_lateness) < each.entry) {
      result.late.push_back(row_text(each.value, each.value.at));
      continue;
    }
    been.push_back(each);
    std::string row = row_text(each.value);
    for (const fr::trailing_span& span : of.spans) {
      fr::timestamp begin = fr::saturating_subtract(each.order.at, span.length);
      while (span.resolution > fr::duration{0} && begin > fr::timestamp_min &&
             begin.time_since_epoch() % span.resolution != fr::duration{0}) {
        begin -= fr::duration{1};
      }
      std::vector<logged> seen;
      for (const logged& other : been) {
        if (other.value.key != each.value.key || other.order.at < begin) continue;
        const bool before = other.order.at < each.order.at;
        if (before || (of.options.include_self && other.order <= each.order)) {
          seen.push_back(other);
        }
      }
      row += naive_values(seen, collects);
    }
    result.rows.push_back(row + "@" + cell_text(each.order.at));
  }
  return {sorted(result.rows), sorted(result.late)};
}

/// One way of running a case.
struct way {
  std::size_t chunk = 256;
  std::optional<std::uint64_t> seed;  ///< Of chunks that vary.
  std::uint64_t crashes = 0;          ///< Seed of crashes; 0 for none.
};

/// The library's job over a case; `Aggregates` are those that keep folds, or those that cannot.
template <class... Aggregates>
fr::pipeline compose(const trailing_case& of, const script_handle<event>& from,
                     const kept_rows_handle& rows, const kept_rows_handle& late,
                     Aggregates... aggregates) {
  fr::pipeline p("oracle");
  const fr::trailing_span spans[] = {of.spans[0], of.spans[1], of.spans[2]};
  auto features = p.from("events", scripted<event>(from)) |
                  fr::event_time(&event::at, fr::bounded_disorder{of.disorder}) |
                  fr::key_by(&event::key) |
                  fr::trailing("features", spans, of.options, aggregates...);
  using row = typename decltype(features)::value_type;
  features | fr::map([](const row& each) {
    std::string text;
    fr::columns<row>::visit(
        each, [&](const auto& cell) { text += (text.empty() ? "" : "|") + exact_text(cell); });
    return text;
  }) | fr::to("rows", keep_rows_in(rows));
  features.late() | fr::to("late", keep_rows_in(late));
  return p;
}

template <class... Aggregates>
outcome computed(const trailing_case& of, const way& how, Aggregates... aggregates) {
  auto from = script_of(of.splits);
  from->chunk_max = how.chunk;
  from->chunks_vary = how.seed.has_value();
  from->seed = how.seed.value_or(0);
  const auto rows = keeper();
  const auto late = keeper();
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::mt19937_64 random(how.crashes);
  fr::run_options options;
  if (how.crashes != 0) options = committing_to(commits);
  for (int runs = 0;; ++runs) {
    REQUIRE(runs < 100);
    constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
    from->crash_after = how.crashes != 0 && runs < 6 ? random() % 30 : never;
    fr::pipeline p = compose(of, from, rows, late, aggregates...);
    fr::run_summary summary;
    const absl::Status done = p.run(options, &summary);
    if (from->crash_after != never && !done.ok()) continue;
    INFO(done.ToString());
    REQUIRE(done.ok());
    REQUIRE(summary.metrics.late() == late->rows.size());
    break;
  }
  return {sorted(rows->visible()), sorted(late->visible())};
}

std::int64_t pick(std::mt19937_64& random, std::initializer_list<std::int64_t> from) {
  return *(from.begin() + random() % from.size());
}

/// A time that wanders forward, with equal times, disorder and, now and then, a jump.
event_splits random_splits(std::mt19937_64& random, std::size_t splits_max) {
  const std::int64_t start = pick(random, {-100, -100, 0, 1000000, time_min, time_max - 60});
  const std::int64_t step = pick(random, {1, 1, 3, 10});
  const auto back = static_cast<std::uint64_t>(pick(random, {1, 5, 40, 200}));
  const std::uint64_t keys = 1 + random() % 3;
  const std::uint64_t jumps_one_in = random() % 2 == 0 ? 15 : 1000000;
  event_splits splits(1 + random() % splits_max);
  for (auto& split : splits) {
    fr::timestamp now = tick(start);
    const std::size_t count = random() % 60;
    for (std::size_t i = 0; i < count; ++i) {
      now = fr::saturating_add(now, fr::duration{static_cast<std::int64_t>(random() % 3) * step});
      if (random() % jumps_one_in == 0) now = fr::saturating_add(now, fr::duration{500});
      const fr::duration behind{static_cast<std::int64_t>(random() % back)};
      const std::string key(1, static_cast<char>('a' + random() % keys));
      const auto value = static_cast<std::int64_t>(random() % 100) - 50;
      split.push_back({key, value, fr::saturating_subtract(now, behind)});
    }
  }
  return splits;
}

trailing_case random_case(std::mt19937_64& random, std::size_t splits_max) {
  trailing_case of;
  of.splits = random_splits(random, splits_max);
  of.disorder = fr::duration{pick(random, {0, 0, 1, 7, 30, 1000})};
  of.options.allowed_lateness = fr::duration{pick(random, {0, 0, 1, 10, 60, time_max})};
  of.options.include_self = random() % 2 == 0;
  for (fr::trailing_span& span : of.spans) {
    span.length = fr::duration{pick(random, {1, 2, 7, 20, 50, 100, 300, time_max})};
    const fr::duration resolution{pick(random, {0, 0, 1, 2, 3, 10, 64})};
    if (resolution < span.length) span.resolution = resolution;
    span.name = std::to_string(&span - of.spans.data());
  }
  return of;
}

std::string described(const trailing_case& of) {
  std::string text = "disorder " + fr::to_text(of.disorder) + ", lateness " +
                     fr::to_text(of.options.allowed_lateness) +
                     (of.options.include_self ? ", with itself" : "");
  for (const auto& span : of.spans) {
    text += ", " + fr::to_text(span.length) + "/" + fr::to_text(span.resolution);
  }
  for (const auto& split : of.splits) {
    text += "\nsplit:";
    for (const event& each : split) text += " " + row_text(each);
  }
  return text;
}

/// Compares library and definition on `rounds` cases. `collected`: one more aggregate, or none.
template <class... Collected>
void compare_with_definition(std::uint64_t seed, int rounds, fr::emit emit, std::size_t splits_max,
                             Collected... collected) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    trailing_case of = random_case(random, splits_max);
    of.options.emit = emit;
    INFO("round " << round << ", " << described(of));
    const outcome wanted = naive(of, sizeof...(collected) > 0);
    const auto compare = [&](const way& how) {
      const outcome found = computed(of, how, fr::count("count"), fr::sum("sum", &event::value),
                                     fr::mean("mean", quarters), fr::first("first", &event::value),
                                     fr::last("last", &event::value), collected...);
      CHECK(found.rows == wanted.rows);
      REQUIRE(found == wanted);
    };
    for (const std::size_t chunk : {1U, 2U, 7U, 256U}) {
      INFO("chunks of " << chunk);
      compare({chunk, std::nullopt, 0});
    }
    INFO("with crashes");
    compare({1 + random() % 20, random(), 0});
    compare({1 + random() % 20, random(), 1 + random()});
  }
}

}  // namespace

TEST_CASE("rows of trailing are what their definition says, however the log is cut",
          "[semantics][trailing][oracle]") {
  compare_with_definition(41, 200, fr::emit::on_watermark, 4);
}

TEST_CASE("aggregates whose states grow have the rows of their definition, too",
          "[semantics][trailing][oracle]") {
  compare_with_definition(42, 50, fr::emit::on_watermark, 4, fr::collect("all", &event::value));
}

TEST_CASE("rows on arrival are what the log of a single split had told by then",
          "[semantics][trailing][oracle]") {
  compare_with_definition(43, 150, fr::emit::on_arrival, 1);
}
