// The push channel: backpressure, closing, who may push and when, and what is committed.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/transform.hpp>

#include <map>
#include <set>
#include <thread>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using numbers = fr::channel<std::int64_t>;

/// Waits until `condition()`, as long as the job runs.
void wait_until(fr::job& job, const std::function<bool()>& condition) {
  while (!condition()) REQUIRE_FALSE(job.wait_for(1ms));
}

}  // namespace

TEST_CASE("a channel is bounded: try_push is refused when it is full, until something is read",
          "[channel]") {
  numbers in({.capacity = 2});
  REQUIRE(*in.try_push(10) == 0);
  REQUIRE(*in.try_push(11) == 1);
  const auto refused = in.try_push(12);
  REQUIRE(refused.status().code() == absl::StatusCode::kResourceExhausted);
  REQUIRE(message_of(refused.status()) == "channel: it is full; try again, or use push to wait");

  auto source = in.open();
  auto reader = (*source)->open(0, std::nullopt);
  fr::batch<std::int64_t> rows;
  std::vector<fr::dead_letter> dead;
  REQUIRE(*(*reader)->read(1, rows, dead) == fr::read_state::more);
  REQUIRE(*in.try_push(12) == 2);
  REQUIRE(*(*reader)->read(10, rows, dead) == fr::read_state::idle);
  REQUIRE(rows.values == std::vector<std::int64_t>{10, 11, 12});
  REQUIRE(rows.positions.back().sequence == 2);
}

TEST_CASE("a capacity of zero means one", "[channel]") {
  numbers in({.capacity = 0});
  REQUIRE(in.try_push(1).ok());
  REQUIRE_FALSE(in.try_push(2).ok());
}

TEST_CASE("push waits while the channel is full and goes on when it is read", "[channel]") {
  numbers in({.capacity = 1});
  REQUIRE(in.push(1).ok());
  std::atomic<bool> accepted = false;
  std::thread producer([&] {
    const bool ok = in.push(2).ok();
    accepted = ok;
  });
  auto source = in.open();
  auto reader = (*source)->open(0, std::nullopt);
  REQUIRE_FALSE(accepted);
  fr::batch<std::int64_t> rows;
  std::vector<fr::dead_letter> dead;
  while (rows.size() < 2) REQUIRE((*reader)->read(10, rows, dead).ok());
  producer.join();
  REQUIRE(accepted);
  REQUIRE(rows.values == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("records of many producers all arrive, in order per producer, at any capacity",
          "[channel]") {
  for (const std::size_t capacity : {1U, 7U, 4096U}) {
    constexpr std::int64_t producers = 4;
    constexpr std::int64_t each = 500;
    numbers in({.capacity = capacity});
    std::vector<std::int64_t> got;
    fr::pipeline p("many");
    p.from("numbers", in) | fr::to("out", fr::callback([&](std::int64_t n) { got.push_back(n); }));
    auto job = p.start();
    REQUIRE(job.ok());
    std::vector<std::vector<std::uint64_t>> sequences(producers);
    std::vector<std::thread> threads;
    for (std::int64_t producer = 0; producer < producers; ++producer) {
      threads.emplace_back([&, producer] {
        for (std::int64_t i = 0; i < each; ++i) {
          const auto sequence = in.push(producer * 1000 + i);
          if (sequence.ok()) sequences[static_cast<std::size_t>(producer)].push_back(*sequence);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    in.close();
    REQUIRE(job->wait().ok());
    REQUIRE(got.size() == producers * each);
    std::map<std::int64_t, std::int64_t> last;
    for (const std::int64_t n : got) {
      REQUIRE(n % 1000 == (last.contains(n / 1000) ? last[n / 1000] + 1 : 0));
      last[n / 1000] = n % 1000;
    }
    // A record's sequence is its place in the order of acceptance.
    std::set<std::uint64_t> all;
    for (std::size_t producer = 0; producer < producers; ++producer) {
      for (std::size_t i = 0; i < each; ++i) {
        const std::uint64_t sequence = sequences[producer][i];
        REQUIRE(all.insert(sequence).second);
        REQUIRE(got[sequence] == static_cast<std::int64_t>(producer * 1000 + i));
      }
    }
  }
}

TEST_CASE("a closed channel accepts nothing, and what it had accepted is read", "[channel]") {
  numbers in;
  const auto rows = keeper();
  fr::pipeline p("closed");
  p.from("numbers", in) | fr::to("out", keep_rows_in(rows));
  REQUIRE(in.push(1).ok());
  in.close();
  in.close();
  const auto refused = in.push(2);
  REQUIRE(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(message_of(refused.status()) == "channel: it is closed; push before close()");
  REQUIRE(in.try_push(2).status() == refused.status());
  REQUIRE(run_to_end(p).finished);
  REQUIRE(rows->rows == rows_of_text{"1"});
}

TEST_CASE("push from inside a pipeline is refused instead of waiting for itself", "[channel]") {
  numbers in({.capacity = 1});
  absl::Status inside;
  absl::Status inside_try;
  fr::pipeline p("inside");
  p.from("numbers", in) | fr::to("out", fr::callback([&](std::int64_t) {
                                   inside = in.push(7).status();
                                   inside_try = in.try_push(7).status();
                                 }));
  REQUIRE(in.push(1).ok());
  in.close();
  (void)run_to_end(p);
  REQUIRE(
      message_of(inside) ==
      "channel: push was called from inside a pipeline, which could wait for itself; push from a "
      "thread of your own");
  REQUIRE(inside_try == inside);
}

TEST_CASE("when the job ends, waiting producers are released and later ones refused", "[channel]") {
  numbers in({.capacity = 1});
  fr::pipeline p("ends");
  (void)p.from("numbers", in);
  auto job = p.start();
  REQUIRE(job.ok());
  std::thread producer([&] {
    while (in.push(1).ok()) {
    }
  });
  wait_until(*job, [&] { return job->metrics().records() > 10; });
  job->stop();
  REQUIRE(job->wait().ok());
  producer.join();
  const auto refused = in.push(1);
  REQUIRE(message_of(refused.status()) ==
          "channel: the job that read it has ended; start it again");
}

TEST_CASE("a failing job releases waiting producers", "[channel]") {
  numbers in({.capacity = 1});
  fr::pipeline p("fails");
  p.from("numbers", in) | fr::map([](std::int64_t) -> int { throw std::runtime_error("boom"); });
  auto job = p.start();
  REQUIRE(job.ok());
  std::thread producer([&] {
    while (in.push(1).ok()) {
    }
  });
  REQUIRE(job->wait().code() == absl::StatusCode::kUnknown);
  producer.join();
}

TEST_CASE("committed tells what a checkpoint holds, also after the channel was closed",
          "[channel]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  numbers in;
  fr::pipeline p("committed");
  p.from("numbers", in) | fr::to("out", keep_rows_in(keeper()));
  auto job = p.start(committing_to(commits));
  REQUIRE(job.ok());
  REQUIRE(in.committed() == 0);
  for (std::int64_t i = 0; i < 3; ++i) REQUIRE(in.push(i).ok());
  wait_until(*job, [&] { return in.committed() == 3; });
  REQUIRE(in.push(4).ok());
  in.close();
  REQUIRE(job->wait().ok());
  REQUIRE(in.committed() == 4);
  REQUIRE(job->summary().guarantee ==
          "at most once unless the application replays: source 'numbers' cannot go back");
}

TEST_CASE("without checkpoints nothing is committed", "[channel]") {
  numbers in;
  fr::pipeline p("committed");
  p.from("numbers", in) | fr::to("out", keep_rows_in(keeper()));
  REQUIRE(in.push(1).ok());
  in.close();
  (void)run_to_end(p);
  REQUIRE(in.committed() == 0);
}

TEST_CASE("after a restart sequences go on where the checkpoint is", "[channel]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  const auto rows = keeper();
  const auto run = [&](std::int64_t first, std::int64_t count) {
    numbers in;
    fr::pipeline p("restarted");
    p.from("numbers", in) | fr::to("out", keep_rows_in(rows));
    auto job = p.start(committing_to(commits));
    REQUIRE(job.ok());
    std::uint64_t sequence = 0;
    for (std::int64_t i = 0; i < count; ++i) sequence = *in.push(first + i);
    wait_until(*job, [&] { return job->metrics().rows() == sequence + 1; });
    job->stop();
    REQUIRE(job->wait().ok());
    REQUIRE(in.committed() == sequence + 1);
    return sequence;
  };
  REQUIRE(run(100, 3) == 2);
  REQUIRE(run(200, 2) == 4);
  REQUIRE(rows->visible() == rows_of_text{"100", "101", "102", "200", "201"});
}
