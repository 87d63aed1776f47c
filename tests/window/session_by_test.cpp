// Sessions with a gap per record: which spans records get.
#include "window/spans.hpp"

#include <freshet/testing/window_contract.hpp>
#include <freshet/window/session_by.hpp>

#include <boost/describe/class.hpp>

#include <optional>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

struct call {
  std::chrono::seconds length{0};
  std::optional<fr::duration> pause = {};
};
BOOST_DESCRIBE_STRUCT(call, (), (length, pause))

template <class Assigner>
std::vector<fr::window_span> spans_for(const Assigner& assigner, fr::timestamp at, call record) {
  std::vector<fr::window_span> out;
  assigner.assign(at, record, out);
  return out;
}

constexpr fr::timestamp second(std::int64_t count) {
  return fr::timestamp{std::chrono::seconds(count)};
}
using spans = std::vector<fr::window_span>;

}  // namespace

TEST_CASE("session_by opens a span as long as the record says, in any unit of time",
          "[window][session]") {
  const auto windows = fr::session_by(&call::length);
  STATIC_REQUIRE(fr::window_assigner_of<decltype(windows), call>);
  STATIC_REQUIRE_FALSE(fr::window_assigner_of<decltype(windows), int>);
  STATIC_REQUIRE_FALSE(fr::window_assigner<decltype(windows)>);
  REQUIRE(spans_for(windows, second(5), {.length = 7s}) == spans{{second(5), second(12)}});
  REQUIRE(spans_for(fr::session_by([](const call&) { return 2h; }), second(-1), {}) ==
          spans{{second(-1), second(7199)}});
}

TEST_CASE("session_by gives no span to a record whose gap is absent, zero or negative",
          "[window][session]") {
  const auto by_length = fr::session_by(&call::length);
  REQUIRE(spans_for(by_length, second(5), {.length = 0s}).empty());
  REQUIRE(spans_for(by_length, second(5), {.length = -3s}).empty());
  const auto by_pause = fr::session_by(&call::pause);
  REQUIRE(spans_for(by_pause, second(5), {}).empty());
  REQUIRE(spans_for(by_pause, second(5), {.pause = 1s}) == spans{{second(5), second(6)}});
}

TEST_CASE("session_by saturates: gaps longer than time itself end with it", "[window][session]") {
  const auto by_length = fr::session_by(&call::length);
  REQUIRE(spans_for(by_length, second(5), {.length = std::chrono::seconds::max()}) ==
          spans{{second(5), fr::timestamp_max}});
  REQUIRE(spans_for(by_length, second(5), {.length = std::chrono::seconds::min()}).empty());
  REQUIRE(fr::saturating_duration(std::chrono::hours::max()) == fr::duration::max());
  REQUIRE(fr::saturating_duration(std::chrono::hours::min()) == fr::duration::min());
  REQUIRE(fr::saturating_duration(-90min) == -90min);
}

TEST_CASE("session_by describes itself by the member it reads", "[window][session]") {
  REQUIRE(fr::session_by(&call::length).describe() == "session by length");
  REQUIRE(fr::session_by([](const call&) { return 1s; }).describe() == "session by a function");
}

TEST_CASE("session_by keeps the window assigner contract", "[window][contract]") {
  fr::check_window_assigner(fr::session_by(&call::length), [](fr::contract_random& random) {
    const auto ticks = static_cast<std::int64_t>(random());
    return call{.length = std::chrono::seconds{ticks >> (random() % 64)}};
  });
}
