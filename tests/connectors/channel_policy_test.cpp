// What a full push channel does: it drops by its policy, tells what it dropped, and never leaves a
// producer waiting for a job that is gone.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/testing/harness.hpp>

#include <deque>
#include <set>
#include <thread>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using numbers = fr::channel<std::int64_t>;
using values = std::vector<std::int64_t>;

constexpr auto all_policies = {fr::when_full::block, fr::when_full::drop_newest,
                               fr::when_full::drop_oldest};

/// Reads a channel without a job.
class reading {
 public:
  explicit reading(const numbers& in)
      : source_(*in.open()), reader_(*source_->open(0, std::nullopt)) {}

  fr::read_state read(std::size_t limit) { return *reader_->read(limit, rows, dead_); }
  std::vector<std::uint64_t> sequences() const {
    std::vector<std::uint64_t> all;
    for (const fr::position& each : rows.positions) all.push_back(each.sequence);
    return all;
  }
  fr::split_reader<std::int64_t>& reader() { return *reader_; }

  fr::batch<std::int64_t> rows;

 private:
  std::unique_ptr<fr::source<std::int64_t>> source_;
  std::unique_ptr<fr::split_reader<std::int64_t>> reader_;
  std::vector<fr::dead_letter> dead_;
};

/// A channel as a list: what is accepted, dropped and read, and in which order.
struct naive_channel {
  std::size_t capacity;
  fr::when_full policy;
  std::deque<std::pair<std::uint64_t, std::int64_t>> waiting = {};
  std::uint64_t accepted = 0;
  values dropped = {};
  std::vector<std::uint64_t> read_sequences = {};
  values read_values = {};

  bool push(std::int64_t value) {
    if (waiting.size() == capacity && policy != fr::when_full::drop_oldest) {
      if (policy == fr::when_full::drop_newest) dropped.push_back(value);
      return false;
    }
    if (waiting.size() == capacity) {
      dropped.push_back(waiting.front().second);
      waiting.pop_front();
    }
    waiting.emplace_back(accepted++, value);
    return true;
  }
  void read(std::size_t limit) {
    for (; limit > 0 && !waiting.empty(); --limit, waiting.pop_front()) {
      read_sequences.push_back(waiting.front().first);
      read_values.push_back(waiting.front().second);
    }
  }
};

/// A harness over a channel, which keeps what comes out of it.
struct channel_job {
  explicit channel_job(numbers in, frt::harness_options options = {})
      : harness(std::move(options)),
        rows(harness.collect(harness.pipeline().from("numbers", in))) {}

  void read_all() { harness.clock().advance(1us); }
  std::uint64_t shed() { return harness.metrics().of("from", "numbers").shed; }

  frt::harness harness;
  frt::collected<std::int64_t> rows;
};

}  // namespace

TEST_CASE("a channel that drops the newest refuses what does not fit, and goes on counting",
          "[channel]") {
  numbers in({.capacity = 2, .when_full = fr::when_full::drop_newest});
  REQUIRE(*in.push(10) == 0);
  REQUIRE(*in.push(11) == 1);
  const auto refused = in.push(12);
  REQUIRE(refused.status().code() == absl::StatusCode::kResourceExhausted);
  REQUIRE(message_of(refused.status()) ==
          "channel: it is full, and the record was dropped; push less, or choose another "
          "when_full");
  REQUIRE(in.dropped() == 1);
  REQUIRE(in.dropped_sample() == values{12});
  reading from(in);
  REQUIRE(from.read(1) == fr::read_state::more);
  REQUIRE(*in.push(13) == 2);
  REQUIRE(from.read(10) == fr::read_state::idle);
  REQUIRE(from.rows.values == values{10, 11, 13});
  REQUIRE(from.sequences() == std::vector<std::uint64_t>{0, 1, 2});
}

TEST_CASE("a channel that drops the oldest accepts everything, and sequences are missing",
          "[channel]") {
  numbers in({.capacity = 2, .when_full = fr::when_full::drop_oldest});
  for (std::int64_t i = 0; i < 5; ++i) REQUIRE(*in.push(10 + i) == static_cast<std::uint64_t>(i));
  REQUIRE(in.dropped() == 3);
  REQUIRE(in.dropped_sample() == values{10, 11, 12});
  reading from(in);
  REQUIRE(from.reader().position() == "3");
  REQUIRE(from.read(10) == fr::read_state::idle);
  REQUIRE(from.rows.values == values{13, 14});
  REQUIRE(from.sequences() == std::vector<std::uint64_t>{3, 4});
  REQUIRE(from.reader().position() == "5");
}

TEST_CASE("try_push never drops, whatever the policy", "[channel]") {
  for (const fr::when_full policy : all_policies) {
    numbers in({.capacity = 1, .when_full = policy});
    REQUIRE(in.try_push(1).ok());
    REQUIRE(in.try_push(2).status().code() == absl::StatusCode::kResourceExhausted);
    REQUIRE(in.dropped() == 0);
    reading from(in);
    REQUIRE(from.read(10) == fr::read_state::idle);
    REQUIRE(from.rows.values == values{1});
  }
}

TEST_CASE("a channel does what a list would do, under every policy", "[channel]") {
  for (const fr::when_full policy : all_policies) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      CAPTURE(static_cast<int>(policy), seed);
      std::mt19937_64 random(seed);
      const std::size_t capacity = 1 + random() % 5;
      numbers in({.capacity = capacity, .when_full = policy});
      naive_channel naive{capacity, policy};
      reading from(in);
      for (std::int64_t i = 0; i < 200; ++i) {
        if (random() % 4 == 0) {
          const std::size_t limit = random() % 8;
          (void)from.read(limit);
          naive.read(limit);
        }
        const bool blocks = policy == fr::when_full::block;
        const auto sequence = blocks ? in.try_push(i) : in.push(i);
        REQUIRE(sequence.ok() == naive.push(i));
        if (sequence.ok()) REQUIRE(*sequence + 1 == naive.accepted);
      }
      REQUIRE(from.rows.values == naive.read_values);
      REQUIRE(from.sequences() == naive.read_sequences);
      REQUIRE(from.reader().dropped() == naive.dropped.size());
      REQUIRE(in.dropped() == naive.dropped.size());
      const values sample = in.dropped_sample();
      if (naive.dropped.size() <= 64) {
        REQUIRE(sample == naive.dropped);
      } else {
        const std::set<std::int64_t> distinct(sample.begin(), sample.end());
        const std::set<std::int64_t> dropped(naive.dropped.begin(), naive.dropped.end());
        REQUIRE(distinct.size() == 64);
        for (const std::int64_t each : distinct) REQUIRE(dropped.contains(each));
      }
    }
  }
}

TEST_CASE("a closed channel with a drop policy refuses, and drops nothing", "[channel]") {
  for (const fr::when_full policy : {fr::when_full::drop_newest, fr::when_full::drop_oldest}) {
    numbers in({.capacity = 1, .when_full = policy});
    REQUIRE(in.push(1).ok());
    in.close();
    REQUIRE(message_of(in.push(2).status()) == "channel: it is closed; push before close()");
    REQUIRE(in.dropped() == 0);
    reading from(in);
    REQUIRE(from.read(10) == fr::read_state::end);
    REQUIRE(from.rows.values == values{1});
  }
}

TEST_CASE("a job counts what its channel drops, and names the policy", "[channel]") {
  for (const fr::when_full policy : all_policies) {
    numbers in({.capacity = 3, .when_full = policy});
    const auto rows = keeper();
    fr::pipeline p("sheds");
    p.from("numbers", in) | fr::to("out", keep_rows_in(rows));
    const bool blocks = policy == fr::when_full::block;
    for (std::int64_t i = 0; i < (blocks ? 3 : 10); ++i) (void)in.push(i);
    in.close();
    const fr::run_summary summary = run_to_end(p);
    REQUIRE(summary.metrics.of("from", "numbers").records_in == 3);
    REQUIRE(summary.metrics.of("from", "numbers").shed == (blocks ? 0 : 7));
    REQUIRE(summary.metrics.shed() == (blocks ? 0 : 7));
    REQUIRE(summary.metrics.dropped() == 0);
    REQUIRE(rows->rows.size() == 3);
    const std::string told = "7 records were dropped by the policy of their source\n";
    REQUIRE((summary.to_text().find(told) == std::string::npos) == blocks);
    REQUIRE(summary.unpromised == (blocks ? rows_of_text{} : rows_of_text{"drop policy"}));
  }
}

TEST_CASE("what a channel dropped is counted once over restarts, also of the same process",
          "[channel][resume]") {
  const auto checkpoint = std::make_shared<fr::memory_checkpoint>();
  {
    numbers in({.capacity = 2, .when_full = fr::when_full::drop_oldest});
    channel_job job(in, {.checkpoint = checkpoint});
    REQUIRE(job.shed() == 0);
    for (std::int64_t i = 0; i < 5; ++i) REQUIRE(in.push(i).ok());
    REQUIRE(job.shed() == 0);  // It has not looked at its channel since.
    job.read_all();
    REQUIRE(job.shed() == 3);
    for (std::int64_t i = 5; i < 10; ++i) REQUIRE(in.push(i).ok());
    job.harness.snapshot_and_restore();
    REQUIRE(job.shed() == 6);
    job.read_all();
    REQUIRE(job.shed() == 6);
    REQUIRE(job.rows.text() == rows_of_text{"3", "4", "8", "9"});
    for (std::int64_t i = 10; i < 13; ++i) REQUIRE(in.push(i).ok());
    job.harness.commit();  // Without another look at the channel.
    REQUIRE(in.dropped() == 7);
  }
  numbers in({.capacity = 2, .when_full = fr::when_full::drop_oldest});
  channel_job job(in, {.checkpoint = checkpoint});
  REQUIRE(job.shed() == 7);
  REQUIRE(in.dropped() == 0);
}

TEST_CASE(
    "a dropped record is settled: no position waits for it, and its sequence is not used again",
    "[channel][resume]") {
  // pushed    0 1 2 3 4          capacity 2: 0, 1 and 2 are dropped
  // commit    ^ position 3       3 and 4 wait: they must be pushed again after a crash, 0 .. 2 not
  numbers in({.capacity = 2, .when_full = fr::when_full::drop_oldest});
  channel_job job(in);
  REQUIRE(job.shed() == 0);
  for (std::int64_t i = 0; i < 5; ++i) REQUIRE(in.push(i).ok());
  job.harness.commit();
  REQUIRE(in.committed() == 3);
  job.read_all();
  REQUIRE(in.committed() == 3);
  job.harness.commit();
  REQUIRE(in.committed() == 5);

  numbers fresh({.capacity = 2, .when_full = fr::when_full::drop_oldest});
  channel_job again(fresh, {.checkpoint = job.harness.checkpoint()});
  REQUIRE(again.harness.status().ok());
  REQUIRE(*fresh.push(5) == 5);
  REQUIRE(fresh.committed() == 5);
}

TEST_CASE("no record is lost unseen when producers outrun a job, under every policy", "[channel]") {
  constexpr std::int64_t producers = 3;
  constexpr std::int64_t each = 2000;
  for (const fr::when_full policy : all_policies) {
    CAPTURE(static_cast<int>(policy));
    numbers in({.capacity = 4, .when_full = policy});
    std::size_t rows = 0;
    fr::pipeline p("outrun");
    p.from("numbers", in) | fr::to("out", fr::callback([&](std::int64_t) { ++rows; }));
    auto job = p.start();
    REQUIRE(job.ok());
    std::atomic<std::uint64_t> refused = 0;
    std::vector<std::thread> threads;
    for (std::int64_t producer = 0; producer < producers; ++producer) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < each; ++i) {
          if (!in.push(i).ok()) ++refused;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    in.close();
    REQUIRE(job->wait().ok());
    REQUIRE(rows + in.dropped() == producers * each);
    REQUIRE(refused == (policy == fr::when_full::drop_newest ? in.dropped() : 0));
    REQUIRE(job->summary().metrics.shed() == in.dropped());
  }
}

TEST_CASE("destroying a job releases the producers that wait for it", "[channel]") {
  for (const auto& end : std::vector<std::function<void(fr::job&)>>{
           [](fr::job&) {}, [](fr::job& job) { job.stop(); }, [](fr::job& job) { job.drain(); }}) {
    numbers in({.capacity = 1});
    fr::pipeline p("destroyed");
    (void)p.from("numbers", in);
    std::vector<std::thread> waiting;
    std::vector<absl::Status> ends(3);
    {
      auto job = p.start();
      REQUIRE(job.ok());
      for (absl::Status& last : ends) {
        waiting.emplace_back([&in, &last] {
          while (last.ok()) last = in.push(1).status();
        });
      }
      end(*job);
    }
    for (std::thread& each : waiting) each.join();
    for (const absl::Status& last : ends) {
      REQUIRE(message_of(last) == "channel: the job that read it has ended; start it again");
    }
    REQUIRE(in.dropped() == 0);
  }
}

TEST_CASE("a job that cannot start releases the producers that wait for its channel", "[channel]") {
  numbers in({.capacity = 1});
  REQUIRE(in.push(1).ok());
  absl::Status refused;
  std::thread producer([&] { refused = in.push(2).status(); });
  fr::pipeline p("cannot start");
  p.from("numbers", in) | fr::to("out", keep_rows_in(keeper()));
  // Opened after the channel, and it cannot be opened twice.
  (void)p.from("numbers again", in);
  const auto job = p.start();
  REQUIRE(message_of(job.status()) ==
          "channel: another job reads it; give every job a channel of its own");
  producer.join();
  REQUIRE(message_of(refused) == "channel: the job that read it has ended; start it again");
}

TEST_CASE("a job that had finished before releases producers, and takes nothing",
          "[channel][resume]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  const auto rows = keeper();
  const auto start = [&](const numbers& in) {
    fr::pipeline p("finished");
    p.from("numbers", in) | fr::to("out", keep_rows_in(rows));
    return p.start(committing_to(commits));
  };
  numbers first;
  REQUIRE(first.push(1).ok());
  first.close();
  REQUIRE(start(first)->wait().ok());

  numbers second({.capacity = 1});
  REQUIRE(second.push(2).ok());
  absl::Status refused;
  std::thread producer([&] { refused = second.push(3).status(); });
  const auto again = start(second);
  REQUIRE(again->summary().nothing_to_do);
  producer.join();
  REQUIRE(message_of(refused) ==
          "channel: its job had finished in an earlier run, and reads nothing; give the pipeline a "
          "new checkpoint directory");
  REQUIRE(second.try_push(4).status() == refused);
  REQUIRE(rows->visible() == rows_of_text{"1"});
}

TEST_CASE("one job reads a channel at a time, and the next one once that has ended", "[channel]") {
  numbers in;
  fr::pipeline p("one");
  (void)p.from("numbers", in);
  fr::pipeline q("two");
  const auto rows = keeper();
  q.from("numbers", in) | fr::to("out", keep_rows_in(rows));
  {
    const auto first = p.start();
    REQUIRE(first.ok());
    const auto second = q.start();
    REQUIRE(second.status().code() == absl::StatusCode::kFailedPrecondition);
    REQUIRE(in.push(1).ok());  // The refused job did not end the other's.
  }
  REQUIRE_FALSE(in.push(2).ok());
  auto second = q.start();
  REQUIRE(second.ok());
  const auto sequence = in.push(3);
  REQUIRE(sequence.ok());
  in.close();
  REQUIRE(second->wait().ok());
  REQUIRE(rows->rows.back() == "3");
}
