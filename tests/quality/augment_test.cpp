// Records that are made: as many as asked, between records of their class, the same in every run.
#include "pipeline/support.hpp"

#include <freshet/pipeline/augment.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/transform.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct sale {
  std::string kind;
  double x = 0;
  double y = 0;
  std::int64_t number = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(sale, (), (kind, x, y, number, at))

using sale_splits = std::vector<std::vector<sale>>;

/// One in a hundred is rare; those lie on the line y = 2 x, so that what is between does, too.
sale_splits random_sales(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  sale_splits splits(2);
  for (std::size_t i = 0; i < count; ++i) {
    sale each{"common", normal(random), normal(random), static_cast<std::int64_t>(i),
              tick(static_cast<std::int64_t>(i))};
    if (random() % 100 == 0) each = {"rare", each.x, 2 * each.x, each.number, each.at};
    if (random() % 200 == 0) each.x = std::numeric_limits<double>::quiet_NaN();
    splits[random() % 2].push_back(each);
  }
  return splits;
}

struct made_rows {
  rows_of_text interpolated;
  rows_of_text copied;
  friend bool operator==(const made_rows&, const made_rows&) = default;
};

made_rows run(const sale_splits& log, std::size_t parallelism, std::size_t chunk, bool crashing,
              std::vector<fr::synthesized<sale>>* out = nullptr) {
  auto from = std::make_shared<script<sale>>();
  from->splits = log;
  from->chunk_max = chunk;
  const auto interpolated = keeper();
  const auto copied = keeper();
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::mt19937_64 random(chunk);
  for (int runs = 0;; ++runs) {
    const bool crashes = crashing && runs < 6;
    from->crash_after = crashes ? 200 + random() % 2000 : std::numeric_limits<std::size_t>::max();
    fr::pipeline p("augment");
    const auto sales =
        p.from("sales", scripted<sale>(from)) | fr::event_time(&sale::at, fr::bounded_disorder{});
    sales | fr::ordered("o") |
        fr::interpolate_minority("more", {.share = 0.05}, &sale::kind, &sale::x, &sale::y) |
        fr::map([out](const fr::synthesized<sale>& each) {
          if (out != nullptr) out->push_back(each);
          return each;
        }) |
        fr::to("interpolated", keep_rows_in(interpolated));
    sales | fr::augment(2, [](const sale& each, std::uint64_t drawn) {
      return sale{each.kind, each.x, static_cast<double>(drawn >> 40), each.number, each.at};
    }) | fr::to("copied", keep_rows_in(copied));
    fr::run_options options;
    if (crashing) options = committing_to(commits);
    options.parallelism = parallelism;
    const absl::Status done = p.run(options);
    if (crashes && !done.ok()) continue;
    INFO(done.ToString());
    REQUIRE(done.ok());
    return {sorted(interpolated->rows), sorted(copied->rows)};
  }
}

}  // namespace

TEST_CASE("a rare class is filled up to its share with rows between its records",
          "[quality][augment]") {
  const sale_splits log = random_sales(1, 8000);
  std::vector<fr::synthesized<sale>> rows;
  (void)run(log, 1, 256, false, &rows);
  std::size_t real = 0;
  std::size_t rare = 0;
  std::map<std::int64_t, const sale*> by_number;
  for (const auto& each : rows) {
    if (each.synthetic) continue;
    ++real;
    by_number[each.value.number] = &each.value;
  }
  REQUIRE(real == 8000);
  double lowest = 0;
  double highest = 0;
  std::set<double> made;
  for (const auto& each : rows) {
    if (each.value.kind != "rare") {
      REQUIRE(!each.synthetic);
      continue;
    }
    ++rare;
    if (!each.synthetic) {
      lowest = std::fmin(lowest, each.value.x);
      highest = std::fmax(highest, each.value.x);
      continue;
    }
    REQUIRE(each.value.y == Approx(2 * each.value.x).margin(1e-9));
    REQUIRE(each.value.x >= lowest);
    REQUIRE(each.value.x <= highest);
    // It has the rest from its record, which it follows.
    REQUIRE(by_number.at(each.value.number)->kind == "rare");
    REQUIRE(by_number.at(each.value.number)->at == each.value.at);
    made.insert(each.value.x);
  }
  // 5 % of 8,000, less what the first rare records, and those without a number, could not make.
  CHECK(rare > 320);
  CHECK(rare < 440);
  CHECK(made.size() > 200);  // Not the same one again and again.
}

TEST_CASE("rows that are made are a function of the log", "[quality][augment]") {
  const sale_splits log = random_sales(2, 2500);
  const made_rows wanted = run(log, 1, 256, false);
  REQUIRE(wanted.copied.size() == 3 * 2500);
  REQUIRE(std::set<std::string>(wanted.copied.begin(), wanted.copied.end()).size() == 3 * 2500);
  REQUIRE(wanted.interpolated.size() > 2520);
  for (const std::size_t parallelism : {1U, 3U}) {
    for (const bool crashing : {false, true}) {
      CAPTURE(parallelism, crashing);
      const bool same = run(log, parallelism, 13, crashing) == wanted;
      REQUIRE(same);
    }
  }
}

TEST_CASE("the partner is one of the nearest, as the draw says", "[quality][augment]") {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 200; ++round) {
    fr::interpolate_options how;
    how.neighbours = static_cast<std::uint32_t>(1 + random() % 7);
    std::vector<std::vector<double>> remembered(1 + random() % 30);
    for (auto& each : remembered) each = {normal(random), normal(random)};
    const std::vector<double> from{normal(random), normal(random)};
    const double draw = fr::unit_interval(random());
    const auto square = [&](const std::vector<double>& of) {
      return (of[0] - from[0]) * (of[0] - from[0]) + (of[1] - from[1]) * (of[1] - from[1]);
    };
    const std::size_t found = fr::detail::choose_neighbour(how, remembered, from, draw);
    const auto nearer = std::count_if(remembered.begin(), remembered.end(), [&](const auto& each) {
      return square(each) < square(remembered[found]);
    });
    const double among =
        static_cast<double>(std::min<std::size_t>(how.neighbours, remembered.size()));
    REQUIRE(nearer == static_cast<std::ptrdiff_t>(draw * among));
  }
}

TEST_CASE("options of augmenting that cannot be meant are named", "[quality][augment]") {
  CHECK(fr::interpolate_options{}.check().empty());
  CHECK(!fr::interpolate_options{.share = 0}.check().empty());
  CHECK(!fr::interpolate_options{.copies_max = 0}.check().empty());
  CHECK(!fr::interpolate_options{.neighbours = 0}.check().empty());
  CHECK(fr::interpolate_options{.remembered = 1}.check() ==
        "remembered 1 is not in [2, 1000]; give .remembered a number in there");
  CHECK(!fr::interpolate_options{.classes_max = 0}.check().empty());
  CHECK(!fr::interpolate_options{.half_life = 0}.check().empty());
  CHECK(refusal_of([] { (void)fr::augment(1001, [](int each, std::uint64_t) { return each; }); }) ==
        "augment: 1001 copies are more than 1000; give fewer");
}
