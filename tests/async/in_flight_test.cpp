// async_map beside what surrounds it: functions of the user that throw, branches, services that
// answer at once or never, and jobs that are gone when the answer comes.
#include "catch.hpp"

#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/async_map.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/testing/harness.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::int64_t id = 0;
  std::int64_t kind = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(reading, (), (id, kind, at))

using replies = std::vector<fr::reply<std::int64_t>>;

/// A service that answers within the call.
auto at_once() {
  return [](const reading& each, const fr::reply<std::int64_t>& answer) { answer(each.id); };
}
/// A service that keeps its questions.
auto later(const std::shared_ptr<replies>& open) {
  return [open](const reading&, const fr::reply<std::int64_t>& answer) { open->push_back(answer); };
}
constexpr auto itself = [](const reading& each, std::int64_t) { return each; };

std::vector<std::int64_t> ids_of(const frt::collected<fr::sampled<reading>>& rows) {
  std::vector<std::int64_t> ids;
  for (const fr::sampled<reading>& each : rows.take_values()) ids.push_back(each.value.id);
  return ids;
}

/// What a sampler below async_map takes, where another one stands beside it or not.
std::vector<std::int64_t> sampled_below(bool another_beside) {
  std::vector<reading> all;
  for (std::int64_t id = 0; id < 3000; ++id) {
    all.push_back({id, id % 7 == 0 ? id % 5 : 100, frt::at(std::chrono::milliseconds(37 * id))});
  }
  frt::harness h({.batch_rows = 256});
  const auto readings = h.pipeline().from("readings", fr::values(all)) |
                        fr::event_time(&reading::at, fr::ascending{});
  const auto sampler =
      fr::rarity(&reading::kind, {.rate = 0.3, .half_life = 4s, .epoch = 1s, .seed = 3});
  if (another_beside) h.collect(readings | fr::sample("beside", sampler));
  const auto rows = h.collect(readings | fr::async_map<std::int64_t>("lookup", at_once(), itself) |
                              fr::sample("below", sampler));
  return ids_of(rows);
}

}  // namespace

TEST_CASE("what a sampler below async_map takes does not depend on other branches", "[async]") {
  const std::vector<std::int64_t> alone = sampled_below(false);
  CHECK(alone.size() > 500);
  CHECK(alone == sampled_below(true));
}

TEST_CASE("functions given to async_map that throw end the job, and its status names both",
          "[async]") {
  const int which = GENERATE(0, 1, 2);
  CAPTURE(which);
  frt::harness h;
  const auto in = h.input<reading>("readings");
  const auto open = std::make_shared<replies>();
  fr::async_options options;
  if (which == 0) {
    options.retry_when = [](const absl::Status&) -> bool { throw std::runtime_error("thrown"); };
  }
  // The key is asked for before the question, and again for the answer.
  const auto key_of = [which, times = std::make_shared<int>(0)](const reading& each) {
    if (which == 1 && ++*times == 2) throw std::runtime_error("thrown");
    return each.kind;
  };
  const auto combine = [which](const reading& each, std::int64_t) {
    if (which == 2) throw std::runtime_error("thrown");
    return each;
  };
  const auto rows =
      h.collect(in.stream() | fr::async_map<std::int64_t>("lookup", later(open), combine, options,
                                                          fr::cached_by(key_of, 10, 1min)));
  in.push({1, 1, {}}, frt::at(1s));
  static_cast<void>(rows.size());
  REQUIRE(open->size() == 1);
  if (which == 0) {
    open->front().fail(absl::UnavailableError("down"));
  } else {
    open->front()(5);
  }
  const std::string said(h.status().message());
  CAPTURE(said);
  CHECK(said.find("async_map 'lookup': the function given to it threw (thrown) at record 0 of "
                  "split 0") != std::string::npos);
}

TEST_CASE("an input of async_map that is idle holds nothing up once its records have answers",
          "[async]") {
  const bool restart = GENERATE(false, true);
  CAPTURE(restart);
  frt::harness h;
  const auto open = std::make_shared<replies>();
  const auto slow = h.input<reading>("slow");
  const auto quick = h.input<reading>("quick");
  const auto answered = slow.stream() | fr::async_map<std::int64_t>("lookup", later(open), itself);
  const auto rows = h.collect(fr::merge(answered, quick.stream()) | fr::ordered("in order"));
  const auto came = [&rows] {
    std::vector<std::int64_t> ids;
    for (const reading& each : rows.take_values()) ids.push_back(each.id);
    return ids;
  };
  using ids = std::vector<std::int64_t>;
  slow.push({1, 0, {}}, frt::at(1s));
  slow.idle();
  quick.push({2, 0, {}}, frt::at(2s));
  quick.watermark(frt::at(10s));
  CHECK(came().empty());
  if (restart) h.snapshot_and_restore();
  CHECK(came().empty());
  open->back()(0);
  CHECK(came() == ids{1, 2});
  slow.push({3, 0, {}}, frt::at(20s));
  quick.watermark(frt::at(30s));
  slow.watermark(frt::at(60s));
  quick.watermark(frt::at(40s));
  CHECK(came().empty());
  open->back()(0);
  quick.watermark(frt::at(50s));  // It counts again, from what has been promised without it on.
  CHECK(came() == ids{3});
  h.finish();
  CHECK(h.status().ok());
}

TEST_CASE("at the end of the input a service that hangs costs its timeouts, and no row",
          "[async]") {
  const auto order = GENERATE(fr::async_order::ordered, fr::async_order::unordered);
  frt::harness h;
  const auto open = std::make_shared<replies>();
  const auto in = h.input<reading>("readings");
  const auto out =
      in.stream() |
      fr::async_map<std::int64_t>(
          "lookup", later(open), itself,
          {.capacity = 1, .order = order, .timeout = 5s, .attempts = 2, .retry_delay = 1s});
  const auto rows = h.collect(out);
  const auto dead = h.collect(out.dead());
  for (std::int64_t id = 0; id < 3; ++id) in.push({id, 0, {}}, frt::at(1s));
  in.end();
  for (int second = 0; second < 60 && rows.size() + dead.size() < 3; ++second) {
    if (open->size() == 3 && rows.empty()) open->back()(0);  // The second record's first attempt.
    h.clock().advance(1s);
  }
  CHECK(rows.size() == 1);
  CHECK(dead.size() == 2);
  CHECK(h.status().ok());
}

TEST_CASE("answers to a job that is gone reach nobody", "[async]") {
  const int end = GENERATE(0, 1, 2);
  CAPTURE(end);
  const auto open = std::make_shared<replies>();
  {
    frt::harness h;
    const auto in = h.input<reading>("readings");
    const auto rows =
        h.collect(in.stream() | fr::async_map<std::int64_t>("lookup", later(open), itself));
    for (std::int64_t id = 0; id < 4; ++id) in.push({id, 0, {}}, frt::at(1s));
    CHECK(rows.empty());
    if (end == 1) h.stop();
    if (end == 2) h.kill();
  }
  REQUIRE(open->size() == 4);
  (*open)[0](0);
  (*open)[0](0);
  (*open)[1].fail(absl::UnavailableError("down"));
  open->clear();
}
