// Windows of processing time, by the numbers of the project's list of stream processing semantics.
// The clock is the harness's; every scenario runs in every mode.
#include "catch.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/freshet.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace std::chrono_literals;

namespace {

struct event {
  std::string key;
  std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, value))

using texts = std::vector<std::string>;

/// Counts over windows of the clock; `play(h, in)` is the scenario. What the clock has not reached
/// by the end of it is dropped.
template <class Assigner, class Play>
texts rows_of(const Assigner& windows, Play play) {
  return frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.untimed_input<event>("events");
    const auto counts = in.stream() | fr::key_by(&event::key) |
                        fr::window(fr::processing_time(windows)) |
                        fr::aggregate("w", fr::count("n"), fr::sum("sum", &event::value));
    const auto rows = h.collect(counts);
    play(h, in);
    return rows.text();
  });
}

}  // namespace

TEST_CASE("case 47: windows of processing time go by the clock, and rows stand at end - 1",
          "[semantics][processing_time]") {
  const texts rows = rows_of(fr::tumbling{3000us}, [](auto& h, const auto& in) {
    h.clock().move_to(frt::at(3us));
    in.push({"a", 1});
    in.push({"a", 2});
    in.push({"b", 5});
    h.clock().move_to(frt::at(5000us));
    in.push({"a", 4});
    h.clock().move_to(frt::at(6000us));
  });
  REQUIRE(std::vector(rows.begin() + 2, rows.end()) == texts{"a|3000|6000|1|4@5999"});
  REQUIRE((rows[0] + rows[1] == "a|0|3000|2|3@2999b|0|3000|1|5@2999" ||
           rows[0] + rows[1] == "b|0|3000|1|5@2999a|0|3000|2|3@2999"));
}

TEST_CASE("case 48: when the clock jumps over several ends, each window fires once, in order",
          "[semantics][processing_time]") {
  const texts rows = rows_of(fr::sliding{10us, 5us}, [](auto& h, const auto& in) {
    h.clock().move_to(frt::at(12us));
    in.push({"a", 1});
    h.clock().move_to(frt::at(17us));
    in.push({"a", 2});
    h.clock().move_to(frt::at(1000us));
    h.clock().move_to(frt::at(2000us));
  });
  REQUIRE(rows == texts{"a|5|15|1|1@14", "a|10|20|2|3@19", "a|15|25|1|2@24"});
}

TEST_CASE("sessions of processing time end a gap of the clock after their last record",
          "[semantics][processing_time]") {
  const texts rows = rows_of(fr::session{10us}, [](auto& h, const auto& in) {
    in.push({"a", 1});
    h.clock().move_to(frt::at(9us));
    in.push({"a", 2});
    h.clock().move_to(frt::at(19us));
    in.push({"a", 4});
    h.clock().move_to(frt::at(40us));
  });
  REQUIRE(rows == texts{"a|0|19|2|3@18", "a|19|29|1|4@28"});
}

TEST_CASE(
    "case 34: what is overdue fires at once after a restart, and what is pending at the end is "
    "dropped and counted",
    "[semantics][processing_time]") {
  const auto compose = [](frt::harness& h) {
    const auto in = h.untimed_input<event>("events");
    const auto counts = in.stream() | fr::key_by(&event::key) |
                        fr::window(fr::processing_time(fr::tumbling{10us})) |
                        fr::aggregate("w", fr::count("n"));
    return std::pair{in, h.collect(counts)};
  };
  frt::harness h;
  const auto [in, rows] = compose(h);
  in.push({"a", 1});
  h.stop();
  REQUIRE(rows.empty());

  frt::harness_options later;
  later.checkpoint = h.checkpoint();
  later.clock_start = frt::at(500us);
  frt::harness again(later);
  const auto [more, found] = compose(again);
  REQUIRE(found.text() == texts{"a|0|10|1@9"});
  more.push({"b", 1});
  more.push({"c", 1});
  again.drain();
  REQUIRE(found.size() == 1);
  REQUIRE(again.metrics().dropped() == 2);
  REQUIRE(again.summary().unpromised == texts{"processing time"});
  REQUIRE(again.summary().to_text().find("2 windows of processing time were still open") !=
          std::string::npos);
}

TEST_CASE("below windows of processing time, event time is processing time",
          "[semantics][processing_time]") {
  const texts rows = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto counts = in.stream() | fr::key_by(&event::key) |
                        fr::window(fr::processing_time(fr::tumbling{10us})) |
                        fr::aggregate("first", fr::count("n")) |
                        fr::key_by([](const auto& row) { return row.key; }) |
                        fr::window(fr::tumbling{20us}) | fr::aggregate("second", fr::count("n"));
    const auto found = h.collect(counts);
    in.push({"a", 1}, frt::at(5h));
    in.watermark(frt::at(6h));
    h.clock().move_to(frt::at(12us));
    in.push({"a", 1}, frt::at(1h));  // Late in event time, which plays no part.
    h.clock().move_to(frt::at(20us));
    return found.text();
  });
  REQUIRE(rows == texts{"a|0|20|2@19"});
}
