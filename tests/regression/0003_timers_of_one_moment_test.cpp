// What a user saw: of the rows that the timers of several keys emitted for one moment, windows
// below counted the first alone and took the others for late. The watermark of the first timer was
// taken for a promise to whoever is below, although none had been made yet.
#include "catch.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/window/tumbling.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using fr::testing::at;

namespace {

struct reading {
  std::string key;
};
BOOST_DESCRIBE_STRUCT(reading, (), (key))

/// Reports each key at the tenth second.
struct reporting {
  void process(const reading&, auto& context) { context.set_event_timer(at(10s)); }
  void on_timer(const fr::timer&, auto& context) { context.emit(context.key()); }
};

}  // namespace

TEST_CASE("0003: rows of timers of one moment are all on time", "[regression][process]") {
  fr::testing::harness h;
  const auto in = h.input<reading>("readings");
  const auto reports =
      in.stream() | fr::key_by(&reading::key) | fr::process<std::string>("reports", reporting{});
  const auto windows = reports | fr::key_by([](const std::string&) { return 0; }) |
                       fr::window(fr::tumbling{10s}) | fr::aggregate("w", fr::count("n"));
  const auto rows = h.collect(windows);
  const auto late = h.collect(windows.late());
  for (const char* key : {"a", "b", "c"}) in.push({key}, at(1s));
  in.watermark(at(20s));
  REQUIRE(late.text() == std::vector<std::string>{});
  REQUIRE(rows.size() == 1);
  REQUIRE(std::get<0>(rows.all().at(0).value.values) == 3);
}
