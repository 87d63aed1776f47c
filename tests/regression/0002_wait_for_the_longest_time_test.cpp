// What a user saw: `job.wait_for(freshet::duration::max())`, meant as "however long it takes",
// returned false at once. The wait was measured in nanoseconds, of which a duration has room for
// more than a clock does, and what overflowed lay in the past.
#include "catch.hpp"

#include <freshet/connectors/channel.hpp>
#include <freshet/pipeline/pipeline.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

namespace fr = freshet;

TEST_CASE("wait_for waits for the end of a job for the longest time there is", "[job]") {
  // Several rounds: in some of them the job ends before the other thread has begun to wait.
  for (int round = 0; round < 20; ++round) {
    fr::channel<std::int64_t> in;
    fr::pipeline p("endless");
    (void)p.from("numbers", in);
    auto job = p.start();
    REQUIRE(job.ok());
    std::atomic<bool> waits = false;
    std::atomic<bool> ended = false;
    std::thread waiting([&] {
      waits = true;
      ended = job->wait_for(fr::duration::max());
    });
    while (!waits) std::this_thread::yield();
    in.close();
    waiting.join();
    REQUIRE(ended);
    REQUIRE(job->wait_for(fr::duration::max()));
    REQUIRE(job->wait_for(fr::duration::min()));
  }
}
