// What a user saw: after a restart, windows below a merge fired nothing until the idle timeout of
// an input that had been idle before the restart had passed once more; and what that input then
// sent was taken for on time although its windows had fired, so that only windows noticed: they
// counted it as realigned themselves, and other operators got it unmarked. A merge kept no state,
// and so forgot what it had promised.
#include "catch.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
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

/// Windows of 10 s over two inputs, of which the first falls idle after a minute.
struct merged {
  fr::testing::harness h;
  fr::testing::hand_input<reading> sleeper = h.input<reading>("sleeper", {.idle_after = 1min});
  fr::testing::hand_input<reading> worker = h.input<reading>("worker");
  fr::aggregated_stream<reading, fr::window_row<std::string, std::uint64_t>> windows =
      fr::merge(sleeper.stream(), worker.stream()) | fr::key_by(&reading::key) |
      fr::window(fr::tumbling{10s}) | fr::aggregate("w", fr::count("n"));
  fr::testing::collected<fr::window_row<std::string, std::uint64_t>> rows = h.collect(windows);
  fr::testing::collected<reading> late = h.collect(windows.late());

  /// Until the first window has fired without the sleeper, and over a restart.
  void until_restarted() {
    sleeper.push({"a"}, at(1s));
    sleeper.watermark(at(1s));
    worker.push({"a"}, at(2s));
    worker.watermark(at(12s));
    REQUIRE(rows.take().empty());
    h.clock().advance(61s);
    h.clock().advance(61s);
    REQUIRE(rows.take().size() == 1);
    h.snapshot_and_restore();
  }
};

}  // namespace

TEST_CASE("0001: a merge does not wait again for an input that was idle before a restart",
          "[regression][merge][idle]") {
  merged test;
  test.until_restarted();
  test.worker.push({"a"}, at(13s));
  test.worker.watermark(at(20s));
  REQUIRE(test.rows.take().size() == 1);
}

TEST_CASE("0001: what such an input sends enters at what the merge had promised",
          "[regression][merge][idle]") {
  merged test;
  test.until_restarted();
  test.sleeper.push({"a"}, at(3s));
  test.sleeper.push({"a"}, at(14s));
  test.worker.watermark(at(20s));
  test.sleeper.watermark(at(20s));
  REQUIRE(test.late.take().size() == 1);
  REQUIRE(test.rows.take().size() == 1);
  REQUIRE(test.h.metrics().of("merge", "").realigned == 1);
  REQUIRE(test.h.metrics().of("window", "w").realigned == 0);
}
