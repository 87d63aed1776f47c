// Scripted sources do what their script says, to a job that runs in a thread of its own as well.
#include "pipeline/support.hpp"

#include <freshet/testing/contracts.hpp>
#include <freshet/testing/scripted_source.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using numbers = frt::script<int>;

/// Reads `split` from `position` until it has nothing more, with `limit` records at a time.
struct reading {
  std::vector<int> values;
  std::vector<std::size_t> sizes;
  std::vector<std::uint64_t> sequences;
  std::string position;
  fr::read_state last = fr::read_state::more;
  absl::Status status;
};

reading read_all(fr::source<int>& from, std::size_t split = 0,
                 std::optional<std::string_view> position = std::nullopt,
                 std::size_t limit = 1024) {
  reading found;
  auto reader = from.open(split, position);
  if (!reader.ok()) return {{}, {}, {}, {}, {}, reader.status()};
  while (found.last == fr::read_state::more) {
    fr::batch<int> rows;
    std::vector<fr::dead_letter> dead;
    const auto state = (*reader)->read(limit, rows, dead);
    found.position = (*reader)->position();
    if (!state.ok()) {
      found.status = state.status();
      break;
    }
    found.last = *state;
    found.sizes.push_back(rows.size());
    found.values.insert(found.values.end(), rows.values.begin(), rows.values.end());
    for (const fr::position& each : rows.positions) found.sequences.push_back(each.sequence);
  }
  return found;
}

std::unique_ptr<fr::source<int>> opened(const frt::scripted_source<int>& from) {
  auto source = from.open();
  REQUIRE(source.ok());
  return *std::move(source);
}

/// Waits until `condition()`, as long as the job runs.
template <class Condition>
void wait_until(fr::job& job, const Condition& condition) {
  while (!condition()) REQUIRE_FALSE(job.wait_for(1ms));
}

}  // namespace

TEST_CASE("a script plays its records per split, in order, and ends", "[testing][scripted]") {
  const frt::scripted_source<int> source(
      numbers().split("left").records({1, 2}).record(3).split().record(4));
  const auto open = opened(source);
  REQUIRE(open->splits() == std::vector<std::string>{"left", "1"});
  REQUIRE(open->replayable());
  REQUIRE(open->bounded());
  const reading left = read_all(*open);
  REQUIRE(left.values == std::vector<int>{1, 2, 3});
  REQUIRE(left.sequences == std::vector<std::uint64_t>{0, 1, 2});
  REQUIRE(left.last == fr::read_state::end);
  REQUIRE(left.position == "3");
  REQUIRE(read_all(*open, 1).values == std::vector<int>{4});
  REQUIRE(read_all(*open, 0, "2").values == std::vector<int>{3});
  REQUIRE(source.delivered() == 5);
}

TEST_CASE("chunks are as long as told, or as the seed decides", "[testing][scripted]") {
  const numbers plays({std::vector<int>(10, 1)});
  const auto sizes = [&](frt::script_options options) {
    return read_all(*opened(frt::scripted_source<int>(plays, std::move(options)))).sizes;
  };
  REQUIRE(sizes({}) == std::vector<std::size_t>{10});
  REQUIRE(sizes({.chunk_rows_max = 4}) == std::vector<std::size_t>{4, 4, 2});
  const auto drawn = sizes({.chunk_rows_max = 4, .chunk_seed = 1});
  REQUIRE(drawn == sizes({.chunk_rows_max = 4, .chunk_seed = 1}));
  REQUIRE(drawn != sizes({.chunk_rows_max = 4, .chunk_seed = 2}));
  REQUIRE(*std::max_element(drawn.begin(), drawn.end()) <= 4);
  REQUIRE_THROWS_WITH(sizes({.chunk_rows_max = 0}), "script: chunk_rows_max is 0; give at least 1");
}

TEST_CASE("a split is idle at a pause until it is resumed", "[testing][scripted]") {
  const frt::scripted_source<int> source(numbers().record(1).pause().record(2).pause().record(3));
  const auto open = opened(source);
  const reading before = read_all(*open);
  REQUIRE(before.values == std::vector<int>{1});
  REQUIRE(before.last == fr::read_state::idle);
  REQUIRE(source.paused(0));
  source.resume();
  const reading between = read_all(*open, 0, before.position);
  REQUIRE(between.values == std::vector<int>{2});
  REQUIRE(between.position == "2 1");
  source.resume(0);
  REQUIRE(read_all(*open, 0, between.position).values == std::vector<int>{3});
  // Pauses that were resumed once are past, also for a reader that begins anew.
  REQUIRE(read_all(*open).values == std::vector<int>{1, 2, 3});
}

TEST_CASE("a pause that is resumed before it comes is none", "[testing][scripted]") {
  const frt::scripted_source<int> source(numbers().record(1).pause().record(2));
  source.resume();
  REQUIRE(read_all(*opened(source)).values == std::vector<int>{1, 2});
  REQUIRE_FALSE(source.paused(0));
}

TEST_CASE("reads fail as often as told, and nothing is lost by it", "[testing][scripted]") {
  const absl::Status gone = absl::UnavailableError("gone");
  const frt::scripted_source<int> twice(numbers().record(1).fail(gone, 2).record(2));
  for (int i = 0; i < 2; ++i) {
    const reading failed = read_all(*opened(twice));
    REQUIRE(failed.status == gone);
    REQUIRE(failed.values == std::vector<int>{1});
    REQUIRE(failed.position == "1");
  }
  REQUIRE(read_all(*opened(twice)).values == std::vector<int>{1, 2});
  REQUIRE(twice.openings() == 3);
  const frt::scripted_source<int> always(numbers().fail(gone, frt::every_time));
  for (int i = 0; i < 5; ++i) REQUIRE(read_all(*opened(always)).status == gone);
  const frt::scripted_source<int> at_the_end(numbers().record(1).fail(gone));
  REQUIRE(read_all(*opened(at_the_end)).status == gone);
  REQUIRE(read_all(*opened(at_the_end)).last == fr::read_state::end);
}

TEST_CASE("a split that never ends has nothing more", "[testing][scripted]") {
  const reading found =
      read_all(*opened(frt::scripted_source<int>(numbers().record(1).never_ends())));
  REQUIRE(found.values == std::vector<int>{1});
  REQUIRE(found.last == fr::read_state::idle);
}

TEST_CASE("an opening fails or rests after so many records of all its splits",
          "[testing][scripted]") {
  const numbers plays({{1, 2, 3}, {4, 5, 6}});
  const frt::scripted_source<int> fails(plays, {.fail_after_records = 4});
  const auto first = opened(fails);
  REQUIRE(read_all(*first, 0).status.ok());
  const reading second = read_all(*first, 1);
  REQUIRE(second.values == std::vector<int>{4});
  REQUIRE(second.status.code() == absl::StatusCode::kAborted);
  REQUIRE(read_all(*opened(fails), 1).values == std::vector<int>{4, 5, 6});  // Counted anew.
  const frt::scripted_source<int> rests(plays, {.pause_after_records = 2});
  REQUIRE(read_all(*opened(rests)).last == fr::read_state::idle);
}

TEST_CASE("a position that the script does not have is refused", "[testing][scripted]") {
  const frt::scripted_source<int> source(numbers().record(1));
  const auto open = opened(source);
  for (const char* position : {"2", "1 1", "", "x", "1 ", "1 x", "-1", "1 0 0"}) {
    INFO(position);
    REQUIRE(read_all(*open, 0, position).status.code() == absl::StatusCode::kDataLoss);
  }
  REQUIRE_THROWS_WITH(source.paused(1),
                      "script: it has 1 splits and none of number 1; count from 0");
}

TEST_CASE("a scripted source keeps the source contract", "[testing][scripted][contract]") {
  fr::check_source(frt::scripted_source<int>(numbers({{1, 2, 3, 4}, {}, {5}})));
}

TEST_CASE("a job waits at a pause, goes on, and its commits are seen", "[testing][scripted]") {
  const frt::scripted_source<int> source(numbers().records({1, 2}).pause().record(3));
  const auto rows = keeper();
  fr::pipeline p("scripted");
  p.from("numbers", source) | fr::to("rows", keep_rows_in(rows));
  auto job = p.start(committing_to(std::make_shared<fr::memory_checkpoint>()));
  REQUIRE(job.ok());
  wait_until(*job, [&] { return source.paused(0) && source.committed(0) == 2; });
  REQUIRE_FALSE(job->wait_for(0us));
  source.resume();
  REQUIRE(job->wait().ok());
  REQUIRE(source.committed(0) == 3);
  REQUIRE(rows->visible() == rows_of_text{"1", "2", "3"});
}

TEST_CASE("a job that a script ended goes on where it had committed", "[testing][scripted]") {
  const frt::scripted_source<int> source(
      numbers().records({1, 2}).fail(absl::UnavailableError("gone")).record(3),
      {.description = "numbers"});
  const auto rows = keeper();
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline p("scripted");
  p.from("numbers", source) | fr::to("rows", keep_rows_in(rows));
  REQUIRE(p.run(committing_to(commits)) == absl::UnavailableError("gone"));
  REQUIRE(source.committed(0) == 2);
  REQUIRE(run_to_end(p, committing_to(commits)).resumed);
  REQUIRE(rows->visible() == rows_of_text{"1", "2", "3"});

  fr::pipeline other("scripted");
  const frt::scripted_source<int> changed(numbers().record(1), {.description = "others"});
  other.from("numbers", changed) | fr::to("rows", keep_rows_in(rows));
  REQUIRE_THAT(message_of(other.run(committing_to(commits))),
               Catch::Matchers::Contains("was read as [numbers], the pipeline reads [others]"));
}

TEST_CASE("what a source says of itself is the script's to say", "[testing][scripted]") {
  fr::pipeline p("scripted");
  p.from("numbers", frt::scripted_source<int>(numbers().record(1), {.replayable = false})) |
      fr::to("rows", keep_rows_in(keeper()));
  const fr::run_summary summary =
      run_to_end(p, committing_to(std::make_shared<fr::memory_checkpoint>()));
  REQUIRE_THAT(summary.guarantee, Catch::Matchers::StartsWith("at most once"));
  REQUIRE_FALSE(
      opened(frt::scripted_source<int>(numbers().record(1), {.bounded = false}))->bounded());
}
