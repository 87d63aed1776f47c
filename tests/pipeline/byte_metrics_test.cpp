// How many bytes operators say that they took and gave.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct number {
  std::int64_t key = 0;
  std::int64_t value = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(number, (), (key, value, at))

std::vector<number> numbers(std::int64_t count) {
  std::vector<number> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back({i % 100, i, tick(i)});
  return all;
}

const auto nothing = [](const auto&) {};

fr::run_summary summary_of(fr::pipeline& p, std::size_t parallelism) {
  fr::run_summary summary;
  REQUIRE(p.run({.parallelism = parallelism, .scheduler = fr::thread_pool(parallelism)}, &summary)
              .ok());
  return summary;
}

}  // namespace

TEST_CASE("rows of fixed size count exactly, in every operator", "[pipeline][metrics]") {
  const std::size_t parallelism = GENERATE(1U, 3U);
  constexpr std::int64_t count = 5000;
  fr::pipeline p("bytes");
  auto windows =
      p.from("in", fr::values(numbers(count))) | fr::event_time(&number::at, fr::ascending{}) |
      fr::filter([](const number& each) { return each.value % 5 != 0; }) |
      fr::key_by(&number::key) |
      fr::window(fr::tumbling{ticks_long(1000)}, {.pre_aggregate = fr::pre_aggregation::never}) |
      fr::aggregate("w", fr::count("n"));
  using row = decltype(windows)::value_type;
  windows | fr::to("out", fr::callback(nothing));
  const fr::job_metrics all = summary_of(p, parallelism).metrics;
  const auto kept = static_cast<std::uint64_t>(count) * 4 / 5;
  const std::uint64_t fired = all.of("window", "w").records_out;
  REQUIRE(fired == 5 * 80);
  for (const fr::operator_metrics& each : all.operators) {
    INFO(each.place);
    const bool source = each.kind == "from";
    const std::size_t in = each.kind == "to" ? sizeof(row) : source ? 0 : sizeof(number);
    const std::size_t out = each.kind == "window" ? sizeof(row)
                            : each.kind == "to"   ? 0
                                                  : sizeof(number);
    CHECK(each.bytes_in == in * each.records_in);
    CHECK(each.bytes_out == out * each.records_out);
  }
  CHECK(all.of("window", "w").bytes_in == kept * sizeof(number));
}

TEST_CASE("rows count with what they own", "[pipeline][metrics]") {
  std::vector<event> events;
  const std::string key(200, 'k');
  for (std::int64_t i = 0; i < 3000; ++i) events.push_back({key, i, tick(i)});
  fr::pipeline p("owned");
  p.from("in", fr::values(events)) | fr::map([](const event& each) { return each.key; }) |
      fr::to("out", fr::callback(nothing));
  const fr::job_metrics all = summary_of(p, 1).metrics;
  CHECK(all.of("from", "in").bytes_out == 3000 * (sizeof(event) + 201));
  CHECK(all.of("to", "out").bytes_in == 3000 * (sizeof(std::string) + 201));
}

TEST_CASE("partial aggregates count with their own size", "[pipeline][metrics]") {
  constexpr std::int64_t count = 100'000;
  fr::pipeline p("partials");
  p.from("in", fr::values(numbers(count))) | fr::event_time(&number::at, fr::ascending{}) |
      fr::key_by(&number::key) |
      fr::window(fr::tumbling{ticks_long(1000)}, {.pre_aggregate = fr::pre_aggregation::always}) |
      fr::aggregate("w", fr::count("n")) | fr::to("out", fr::callback(nothing));
  // A seed decides when the task above learns that it may aggregate.
  fr::run_summary summary;
  REQUIRE(p.run({.parallelism = 2, .scheduler = fr::simulation(1)}, &summary).ok());
  const fr::operator_metrics w = summary.metrics.of("window", "w");
  CHECK(w.records_in == count);
  CHECK(w.bytes_in > 0);
  CHECK(w.bytes_in < count * sizeof(number) / 2);
}

TEST_CASE("a source of files counts the bytes of its files", "[pipeline][metrics]") {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / "freshet_byte_metrics.csv";
  {
    std::ofstream file(path);
    file << "key,value,at\n";
    for (int i = 0; i < 1000; ++i) file << i << ',' << i << ",1970-01-01T00:00:00Z\n";
  }
  constexpr std::size_t header = 13;
  fr::pipeline p("files");
  p.from("in", fr::csv::read<number>(path.string())) | fr::to("out", fr::callback(nothing));
  const fr::operator_metrics in = summary_of(p, 1).metrics.of("from", "in");
  CHECK(in.records_in == 1000);
  CHECK(in.bytes_in == std::filesystem::file_size(path) - header);
  CHECK(in.bytes_out == 1000 * sizeof(number));
  std::filesystem::remove(path);
}
