// async_map against a service that the test plays: it answers when it wants, in any order, late,
// twice, or not at all. The clock is moved by hand.
#include "catch.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/pipeline/async_map.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/testing/harness.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace std::chrono_literals;

namespace {

struct question {
  std::int64_t id = 0;
  std::int64_t about = 0;
};
BOOST_DESCRIBE_STRUCT(question, (), (id, about))

struct answered {
  std::int64_t id = 0;
  std::int64_t found = 0;
};
BOOST_DESCRIBE_STRUCT(answered, (), (id, found))

std::int64_t truth_about(const question& q) {
  return 1000 + q.about;
}

struct call {
  question asked;
  fr::reply<answered> reply;

  void answer() const { reply(answered{asked.id, truth_about(asked)}); }
};

struct service {
  std::vector<call> calls;  ///< All that were ever asked.
  std::size_t looked = 0;

  /// Those asked since the last look.
  std::vector<call> fresh() {
    std::vector<call> since(calls.begin() + static_cast<std::ptrdiff_t>(looked), calls.end());
    looked = calls.size();
    return since;
  }
};
using service_handle = std::shared_ptr<service>;

auto asks(const service_handle& whom) {
  return [whom](const question& q, const fr::reply<answered>& reply) {
    whom->calls.push_back({q, reply});
  };
}

/// A harness around one async_map.
class rig {
 public:
  explicit rig(fr::async_options options = {}, frt::harness_options how = {})
      : h(how), in(h.input<question>("questions")) {
    const auto out = in.stream() | fr::async_map<answered>("lookup", asks(asked), options);
    rows = h.collect(out);
    dead = h.collect(out.dead());
  }

  void push(std::int64_t id, fr::timestamp at = frt::at(0s)) { in.push({id, id * 7}, at); }
  std::vector<std::int64_t> ids() {
    std::vector<std::int64_t> all;
    for (const answered& each : rows->take_values()) {
      CHECK(each.found == truth_about({each.id, each.id * 7}));
      all.push_back(each.id);
    }
    return all;
  }
  /// Lets everything in that was given, and tells what was asked since.
  std::vector<call> calls() {
    static_cast<void>(rows->size());
    return asked->fresh();
  }
  std::uint64_t counted(std::uint64_t fr::operator_metrics::* which) {
    return h.metrics().of("async_map", "lookup").*which;
  }

  service_handle asked = std::make_shared<service>();
  frt::harness h;
  frt::hand_input<question> in;
  std::optional<frt::collected<answered>> rows;
  std::optional<frt::collected<fr::dead_letter>> dead;
};

using ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("ordered rows come in the order of their records, whatever the order of answers",
          "[async]") {
  rig r;
  for (int id = 0; id < 4; ++id) r.push(id);
  const std::vector<call> calls = r.calls();
  REQUIRE(calls.size() == 4);
  calls[2].answer();
  calls[1].answer();
  CHECK(r.ids().empty());
  calls[0].answer();
  CHECK(r.ids() == ids{0, 1, 2});
  calls[3].answer();
  CHECK(r.ids() == ids{3});
}

TEST_CASE("unordered rows come as answers do, and none overtakes a watermark", "[async]") {
  rig r({.order = fr::async_order::unordered});
  r.push(0, frt::at(1s));
  r.push(1, frt::at(2s));
  r.in.watermark(frt::at(3s));
  r.push(2, frt::at(4s));
  r.push(3, frt::at(5s));
  const std::vector<call> calls = r.calls();
  REQUIRE(calls.size() == 4);
  calls[3].answer();
  calls[1].answer();
  CHECK(r.ids() == ids{1});
  calls[0].answer();
  CHECK(r.ids() == ids{0, 3});
  calls[2].answer();
  CHECK(r.ids() == ids{2});
  r.h.finish();
  REQUIRE(r.h.status().ok());
  const auto unpromised = r.h.summary().unpromised;
  CHECK(std::count(unpromised.begin(), unpromised.end(), "unordered async_map") == 1);
}

TEST_CASE("no more questions are open than the capacity allows", "[async]") {
  rig r({.capacity = 3});
  for (int id = 0; id < 10; ++id) r.push(id);
  std::vector<call> calls = r.calls();
  CHECK(calls.size() == 3);
  std::size_t asked = calls.size();
  for (int round = 0; round < 20 && asked < 10; ++round) {
    for (const call& each : calls) each.answer();
    calls = r.calls();
    CHECK(calls.size() <= 3);
    asked += calls.size();
  }
  CHECK(asked == 10);
  for (const call& each : calls) each.answer();
  CHECK(r.ids() == ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("a service that hangs is asked again after the timeout, then the record is a dead letter",
          "[async]") {
  rig r({.timeout = 2s, .attempts = 2, .retry_delay = 1s, .retry_delay_max = 1s});
  r.push(0);
  r.push(1);
  const std::vector<call> first = r.calls();
  REQUIRE(first.size() == 2);
  r.h.clock().advance(2s);
  CHECK(r.calls().empty());
  r.h.clock().advance(1s);
  const std::vector<call> second = r.calls();
  REQUIRE(second.size() == 2);
  CHECK(r.counted(&fr::operator_metrics::retried) == 2);
  // Too late for the first attempt, and the second is still open.
  for (const call& each : first) each.answer();
  CHECK(r.ids().empty());
  CHECK(r.counted(&fr::operator_metrics::ignored) == 2);
  for (const call& each : second) {
    if (each.asked.id == 1) each.answer();
  }
  r.h.clock().advance(2s);
  CHECK(r.ids() == ids{1});
  const std::vector<fr::dead_letter> dead = r.dead->take_values();
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].source == "async_map 'lookup'");
  CHECK(dead[0].reason == "no answer after 2 attempts (DEADLINE_EXCEEDED: no answer within 2s)");
  CHECK(r.counted(&fr::operator_metrics::dead) == 1);
}

TEST_CASE("an answer given twice counts once", "[async]") {
  rig r;
  r.push(0);
  const std::vector<call> calls = r.calls();
  REQUIRE(calls.size() == 1);
  calls[0].answer();
  calls[0].answer();
  CHECK(r.ids() == ids{0});
  calls[0].reply.fail(absl::InternalError("after the answer"));
  r.push(1);
  r.calls().at(0).answer();
  CHECK(r.ids() == ids{1});
  CHECK(r.counted(&fr::operator_metrics::ignored) == 2);
}

TEST_CASE("exceptions, refusals, and replies that are dropped are failures of an attempt",
          "[async]") {
  struct behaviour {
    int times = 0;
    bool dropped = false;
  };
  const auto seen = std::make_shared<behaviour>();
  frt::harness h;
  const auto in = h.input<question>("questions");
  const auto out = in.stream() | fr::async_map<answered>(
                                     "lookup",
                                     [seen](const question& q, const fr::reply<answered>& reply) {
                                       ++seen->times;
                                       if (q.id == 0) throw std::runtime_error("connection lost");
                                       if (q.id == 1)
                                         reply.fail(absl::InvalidArgumentError("no such id"));
                                       if (q.id == 4) reply.fail(absl::OkStatus());
                                       if (q.id == 3)
                                         reply(absl::StatusOr<answered>(answered{3, 3}));
                                     },
                                     {.attempts = 2, .retry_delay = 0s});
  const auto rows = h.collect(out);
  const auto dead = h.collect(out.dead());
  for (int id = 0; id < 5; ++id) in.push({id, 0}, frt::at(0s));
  CHECK(rows.size() == 1);
  std::vector<std::string> reasons;
  for (const fr::dead_letter& each : dead.take_values()) reasons.push_back(each.reason);
  std::sort(reasons.begin(), reasons.end());
  CHECK(reasons == std::vector<std::string>{
                       "no answer after 1 attempt (INVALID_ARGUMENT: no such id)",
                       "no answer after 2 attempts (INTERNAL: the reply was told to fail with an "
                       "OK status)",
                       "no answer after 2 attempts (UNAVAILABLE: the reply was dropped without an "
                       "answer)",
                       "no answer after 2 attempts (UNKNOWN: connection lost)"});
  CHECK(seen->times == 2 + 1 + 2 + 1 + 2);
}

TEST_CASE("a failure ends the job where that is asked for, and names the record", "[async]") {
  rig r({.attempts = 1, .on_failure = fr::async_failure::fail_job});
  r.push(0);
  r.push(1);
  r.calls().at(0).reply.fail(absl::NotFoundError("unknown"));
  const absl::Status status = r.h.status();
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(std::string(status.message()).find("async_map 'lookup': record 0 of split") !=
        std::string::npos);
}

TEST_CASE("after failures in a row nothing is asked for a while, then one question", "[async]") {
  rig r({.capacity = 4,
         .attempts = 10,
         .retry_delay = 1s,
         .retry_delay_max = 1s,
         .breaker_failures = 4,
         .breaker_open_for = 30s});
  for (int id = 0; id < 6; ++id) r.push(id);
  for (const call& each : r.calls()) each.reply.fail(absl::UnavailableError("down"));
  CHECK(r.calls().empty());
  r.h.clock().advance(20s);
  CHECK(r.calls().empty());
  r.h.clock().advance(10s);
  std::vector<call> trial = r.calls();
  REQUIRE(trial.size() == 1);
  trial[0].reply.fail(absl::UnavailableError("still down"));
  CHECK(r.calls().empty());
  r.h.clock().advance(30s);
  trial = r.calls();
  REQUIRE(trial.size() == 1);
  trial[0].answer();
  // It is back.
  for (int round = 0; round < 10; ++round) {
    for (const call& each : r.calls()) each.answer();
    r.h.clock().advance(1s);
  }
  CHECK(r.ids() == ids{0, 1, 2, 3, 4, 5});
  CHECK(r.counted(&fr::operator_metrics::dead) == 0);
}

TEST_CASE("answers are kept by key, the oldest go, and all do after their time", "[async]") {
  const auto asked = std::make_shared<service>();
  frt::harness h;
  const auto in = h.input<question>("questions");
  const auto out = in.stream() | fr::async_map<answered>(
                                     "lookup", asks(asked),
                                     [](const question& q, const answered& known) {
                                       return answered{q.id, known.found};
                                     },
                                     {}, fr::cached_by(&question::about, 2, 10s));
  const auto rows = h.collect(out);
  std::int64_t next = 0;
  const auto ask = [&](std::int64_t about) {
    in.push({next, about}, frt::at(0s));
    static_cast<void>(rows.size());
    const std::vector<call> calls = asked->fresh();
    for (const call& each : calls) each.answer();
    const answered row = rows.take_values().at(0);
    CHECK(row.id == next++);
    CHECK(row.found == 1000 + about);
    return calls.size();
  };
  CHECK(ask(1) == 1);
  CHECK(ask(1) == 0);
  CHECK(ask(2) == 1);
  CHECK(ask(1) == 0);
  CHECK(ask(3) == 1);  // 2 goes, which nobody has asked for the longest.
  CHECK(ask(1) == 0);
  CHECK(ask(2) == 1);
  h.clock().advance(10s);
  CHECK(ask(2) == 1);
}

TEST_CASE("records in flight are in the checkpoint, and asked for again", "[async]") {
  const auto order = GENERATE(fr::async_order::ordered, fr::async_order::unordered);
  rig r({.order = order});
  for (int id = 0; id < 3; ++id) r.push(id, frt::at(1s));
  std::vector<call> before = r.calls();
  before[0].answer();
  CHECK(r.ids() == ids{0});
  r.h.snapshot_and_restore();
  std::vector<call> again = r.calls();
  REQUIRE(again.size() == 2);
  // Those asked by the job that is gone reach nobody.
  before[1].answer();
  CHECK(r.ids().empty());
  for (const call& each : again) each.answer();
  CHECK(r.ids() == ids{1, 2});
  r.push(3, frt::at(2s));
  r.calls().at(0).answer();
  CHECK(r.ids() == ids{3});
}

TEST_CASE("the watermark waits for the records before it, also over a restart", "[async]") {
  frt::harness h;
  const auto asked = std::make_shared<service>();
  const auto in = h.input<question>("questions");
  const auto rows = h.collect(in.stream() | fr::async_map<answered>("lookup", asks(asked)) |
                              fr::map([](const answered& each) { return each; }));
  in.push({0, 0}, frt::at(1s));
  in.watermark(frt::at(5s));
  static_cast<void>(rows.size());
  h.snapshot_and_restore();
  static_cast<void>(rows.size());
  const std::vector<call> calls = asked->calls;
  REQUIRE(calls.size() == 2);
  calls[1].answer();
  CHECK(rows.take_text() == std::vector<std::string>{"0|1000@1000000"});
  h.finish();
  CHECK(h.status().ok());
}

TEST_CASE("rows are those of all records, whatever the service does and wherever the job dies",
          "[async]") {
  const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 13)));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto order = seed % 2 == 0 ? fr::async_order::ordered : fr::async_order::unordered;
  rig r({.capacity = 1 + random() % 7,
         .order = order,
         .timeout = 3s,
         .attempts = 1000,
         .retry_delay = 100ms,
         .breaker_failures = static_cast<std::uint32_t>(random() % 5)},
        {.batch_rows = 1 + random() % 5});
  constexpr std::int64_t records = 60;
  std::int64_t pushed = 0;
  std::vector<call> open;
  ids found;
  for (int step = 0; step < 20'000 && found.size() < records; ++step) {
    const std::uint64_t what = random() % 16;
    if (what < 4 && pushed < records) {
      r.push(pushed, frt::at(std::chrono::milliseconds(pushed)));
      ++pushed;
    } else if (what == 4) {
      r.in.watermark(frt::at(std::chrono::milliseconds(pushed)));
    } else if (what == 5) {
      r.h.clock().advance(std::chrono::milliseconds(random() % 4000));
    } else if (what == 6 || what == 7) {
      if (what == 6) r.h.snapshot_and_restore();
      if (what == 7) r.h.kill();
      if (what == 7) r.h.resume();
      // A few answer to a job that is gone.
      if (open.size() > 3) open.erase(open.begin(), open.end() - 3);
    } else if (!open.empty()) {
      const std::size_t which = random() % open.size();
      if (random() % 5 == 0) {
        open[which].reply.fail(absl::UnavailableError("by chance"));
      } else {
        open[which].answer();
      }
      if (random() % 8 != 0) open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
    }
    for (const call& each : r.calls()) open.push_back(each);
    // As `collected` shows them: each one once, whatever was rolled back.
    found.clear();
    for (const auto& each : r.rows->all()) found.push_back(each.value.id);
  }
  if (order == fr::async_order::unordered) std::sort(found.begin(), found.end());
  ids wanted;
  for (std::int64_t id = 0; id < records; ++id) wanted.push_back(id);
  CHECK(found == wanted);
  CHECK(r.dead->empty());
  r.h.finish();
  CHECK(r.h.status().ok());
}

TEST_CASE("options out of range are refused by name", "[async]") {
  const auto refused = [](const fr::async_options& options) {
    frt::harness h;
    const auto in = h.input<question>("questions");
    CHECK_THROWS_AS(
        in.stream() | fr::async_map<answered>("lookup", asks(std::make_shared<service>()), options),
        std::invalid_argument);
  };
  refused({.capacity = 0});
  refused({.timeout = 0s});
  refused({.attempts = 0});
  refused({.retry_delay = -1s});
  refused({.retry_delay = 2s, .retry_delay_max = 1s});
  refused({.breaker_failures = 1, .breaker_open_for = 0s});
  CHECK_THROWS_AS(fr::cached_by(&question::id, 0, 1s), std::invalid_argument);
}
