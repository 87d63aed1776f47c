// A function as a sink.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>

#include <set>
#include <thread>

namespace fr = freshet;
using namespace freshet::test;

TEST_CASE("a callback sees every row once, in order, in the thread that runs the pipeline",
          "[callback]") {
  std::vector<int> all(3000);
  for (int i = 0; i < 3000; ++i) all[static_cast<std::size_t>(i)] = i;
  std::vector<int> seen;
  std::set<std::thread::id> threads;
  fr::pipeline p("callback");
  p.from("numbers", fr::values(all)) | fr::to("out", fr::callback([&](int n) {
                                                seen.push_back(n);
                                                threads.insert(std::this_thread::get_id());
                                              }));
  const fr::run_summary summary = run_to_end(p);
  REQUIRE(seen == all);
  REQUIRE(threads == std::set{std::this_thread::get_id()});
  REQUIRE(summary.metrics.rows() == 3000);
}

TEST_CASE("a callback with state of its own starts afresh in every run", "[callback]") {
  std::vector<int> seen;
  fr::pipeline p("callback");
  p.from("numbers", fr::values(std::vector{1, 1})) |
      fr::to("out",
             fr::callback([&seen, count = 0](int n) mutable { seen.push_back(count += n); }));
  (void)run_to_end(p);
  (void)run_to_end(p);
  REQUIRE(seen == std::vector{1, 2, 1, 2});
}

TEST_CASE("after a crash a callback sees the rows since the last commit again, and the job says so",
          "[callback][resume]") {
  auto from = script_of({events_at({1, 2, 3, 4, 5, 6})});
  from->chunk_max = 2;
  from->chunks_vary = false;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::vector<std::int64_t> seen;
  bool crash = true;
  const auto compose = [&] {
    fr::pipeline p("callback");
    p.from("events", scripted<event>(from)) | fr::to("out", fr::callback([&](const event& each) {
                                                       if (each.value == 4 && crash)
                                                         throw std::runtime_error("crash");
                                                       seen.push_back(each.value);
                                                     }));
    return p;
  };
  fr::pipeline first = compose();
  REQUIRE_FALSE(first.run(committing_to(commits)).ok());
  crash = false;
  fr::pipeline second = compose();
  const fr::run_summary summary = run_to_end(second, committing_to(commits));
  REQUIRE(seen == std::vector<std::int64_t>{1, 2, 3, 3, 4, 5, 6});
  REQUIRE(summary.guarantee == "at least once: sink 'out' cannot take rows back");
}
