// The ends of parallel jobs: stop, drain, destruction and errors, at awkward moments.
#include "runtime/parallel_support.hpp"

#include <freshet/pipeline/transform.hpp>

#include <stdexcept>

using namespace freshet;
using namespace freshet::test;

namespace {

using row_function = std::function<reading(const reading&)>;

reading as_it_is(const reading& each) {
  return each;
}

run_options in_parallel(std::size_t parallelism) {
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = thread_pool(parallelism);
  options.channel_batches = 2;
  return options;
}

/// Four splits without end on their way to a sink that counts, once its gate is open.
struct endless_job {
  counter read = counts();
  std::atomic<std::uint64_t> rows{0};
  gate stands;

  pipeline compose(row_function function = as_it_is) {
    pipeline p("endless");
    p.from("in", counting_source(4, endless, read)) | map(function) | rebalance() |
        to("out", callback(sink_function([this](const reading&) {
             stands.pass();
             rows.fetch_add(1);
           })));
    return p;
  }
};

enum class ending { stop, drain };

void request(job& of, ending how) {
  if (how == ending::stop) {
    of.stop();
  } else {
    of.drain();
  }
}

/// All that was read has arrived, and nothing else was.
void require_complete(const endless_job& test, const job& ended, ending how) {
  CHECK(test.rows == *test.read);
  CHECK(ended.metrics().records() == *test.read);
  CHECK(ended.metrics().rows() == test.rows);
  CHECK(ended.summary().finished == (how == ending::drain));
}

absl::Status result_of(pipeline& p, std::size_t parallelism) {
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  const absl::Status done = job->wait();
  // Whoever asks again is told the same.
  CHECK(job->wait() == done);
  CHECK_FALSE(job->summary().finished);
  return done;
}

std::string text_of(const absl::Status& status) {
  return std::string(status.message());
}

}  // namespace

TEST_CASE("stop and drain end a job without end, and all that was read arrives",
          "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  const ending how = GENERATE(ending::stop, ending::drain);
  endless_job test;
  test.stands.open();
  pipeline p = test.compose();
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  wait_until([&] { return job->metrics().rows() > 10'000; });
  request(*job, how);
  REQUIRE(job->wait().ok());
  require_complete(test, *job, how);
}

TEST_CASE("stop and drain work right after the start", "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  const ending how = GENERATE(ending::stop, ending::drain);
  for (int i = 0; i < 20; ++i) {
    endless_job test;
    test.stands.open();
    pipeline p = test.compose();
    auto job = p.start(in_parallel(parallelism));
    REQUIRE(job.ok());
    request(*job, how);
    REQUIRE(job->wait().ok());
    require_complete(test, *job, how);
  }
}

TEST_CASE("stop and drain wait for a sink that stands still, and then end the job",
          "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  const ending how = GENERATE(ending::stop, ending::drain);
  endless_job test;
  pipeline p = test.compose();
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  {
    const opens_at_end lets_go(test.stands);
    test.stands.await_somebody();
    // Channels are full by now, whatever parallelism there is.
    const std::uint64_t read = at_rest([&] { return test.read->load(); });
    request(*job, how);
    CHECK_FALSE(job->wait_for(duration::zero()));
    CHECK(test.rows == 0);
    CHECK(test.read->load() >= read);
  }
  REQUIRE(job->wait().ok());
  require_complete(test, *job, how);
}

TEST_CASE("the first of stop and drain counts, however often either comes", "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  endless_job test;
  test.stands.open();
  pipeline p = test.compose();
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  job->drain();
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&] {
      job->stop();
      job->drain();
      (void)job->wait();
    });
  }
  for (std::thread& each : others) each.join();
  REQUIRE(job->wait().ok());
  require_complete(test, *job, ending::drain);
}

TEST_CASE("a job that nobody waits for ends where it is dropped", "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  const bool stands_still = GENERATE(false, true);
  endless_job test;
  pipeline p = test.compose();
  std::thread opener;
  {
    auto job = p.start(in_parallel(parallelism));
    REQUIRE(job.ok());
    if (stands_still) {
      test.stands.await_somebody();
      (void)at_rest([&] { return test.read->load(); });
    }
    opener = std::thread([&] { test.stands.open(); });
  }
  const std::uint64_t rows = test.rows;
  opener.join();
  // No thread of the job is left to write.
  CHECK(rows == *test.read);
  CHECK(rows == test.rows);
}

TEST_CASE("functions that throw in several tasks at once end a job with one of their messages",
          "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  for (int i = 0; i < 10; ++i) {
    endless_job test;
    test.stands.open();
    pipeline p = test.compose([](const reading& each) {
      if (each.number >= 3'000) {
        throw std::runtime_error("split " + std::to_string(each.key) + " is wet");
      }
      return each;
    });
    const absl::Status done = result_of(p, parallelism);
    INFO(done.ToString());
    CHECK(absl::IsUnknown(done));
    CHECK(text_of(done).find(" is wet) at record 3000 of split ") != std::string::npos);
  }
}

TEST_CASE("functions that throw while the sink stands still end the job when it goes on",
          "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  endless_job test;
  std::atomic<int> thrown{0};
  pipeline p = test.compose([&](const reading& each) {
    if (each.key == 0 && each.number == 1'500) {
      test.stands.await_somebody();
      ++thrown;
      throw std::runtime_error("wet");
    }
    return each;
  });
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  {
    const opens_at_end lets_go(test.stands);
    wait_until([&] { return thrown > 0; });
  }
  const absl::Status done = job->wait();
  CHECK(text_of(done).find("(wet)") != std::string::npos);
  CHECK(thrown == 1);
}

TEST_CASE("a reader that fails ends the job with its status", "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  function_source source = counting_source(4, endless);
  source.function = [counted = source.function](
                        std::size_t split, std::uint64_t from, std::size_t limit,
                        std::vector<reading>& rows) -> absl::StatusOr<read_state> {
    if (split == 3 || from > 100'000) return absl::DataLossError("split 3: torn");
    return counted(split, from, limit, rows);
  };
  pipeline p("torn");
  p.from("in", source) | map(row_function(as_it_is)) | rebalance() |
      to("out", callback(sink_function([](const reading&) {})));
  const absl::Status done = result_of(p, parallelism);
  CHECK(absl::IsDataLoss(done));
  CHECK(text_of(done) == "split 3: torn");
}

TEST_CASE("a sink that fails ends the job with its place", "[runtime][shutdown]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  pipeline p("full");
  p.from("in", counting_source(4, endless)) | map(row_function(as_it_is)) | rebalance() |
      to("out", callback(sink_function([rows = 0](const reading&) mutable {
           if (++rows > 5'000) throw std::runtime_error("disk is full");
         })));
  const absl::Status done = result_of(p, parallelism);
  INFO(done.ToString());
  CHECK(text_of(done).find("to 'out'") != std::string::npos);
  CHECK(text_of(done).find("disk is full") != std::string::npos);
}
