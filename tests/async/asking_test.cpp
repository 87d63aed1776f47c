// async_map in real jobs: coroutines, futures, and threads of a client, with several tasks above.
#include "catch.hpp"

#include <freshet/connectors/asio.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/future.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/async_map.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/transform.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fr = freshet;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t records = 3'000;

std::uint64_t truth_about(std::uint64_t k) {
  return fr::mix_bits(k);
}

/// Asks `f` for each of the numbers from 0 on, and requires every answer, once. Without event times
/// rows of several tasks have no order.
template <class Function>
fr::run_summary ask_for_all(Function f, fr::async_options options) {
  std::vector<std::uint64_t> rows;
  fr::pipeline p("asking");
  const auto answers =
      p.from("numbers", fr::generate([](std::uint64_t k) { return k; }, {.count = records})) |
      fr::rebalance() | fr::map([](std::uint64_t k) { return k; }) |
      fr::async_map<std::uint64_t>("lookup", std::move(f), std::move(options));
  answers | fr::to("rows", fr::callback([&rows](std::uint64_t row) { rows.push_back(row); }));
  fr::run_summary summary;
  const absl::Status status = p.run({.parallelism = 3}, &summary);
  REQUIRE(status.ok());
  CHECK(rows.size() == records);
  std::multiset<std::uint64_t> wanted;
  for (std::uint64_t k = 0; k < records; ++k) wanted.insert(truth_about(k));
  const bool all = std::multiset<std::uint64_t>(rows.begin(), rows.end()) == wanted;
  CHECK(all);
  return summary;
}

asio::awaitable<std::uint64_t> answer_later(std::uint64_t k) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(fr::mix_bits(k) % 300));
  co_await timer.async_wait(asio::use_awaitable);
  if (k % 11 == 0) throw std::runtime_error("a quarrel");
  co_return truth_about(k);
}

}  // namespace

TEST_CASE("coroutines answer on the shared I/O thread", "[async]") {
  const auto order = GENERATE(fr::async_order::ordered, fr::async_order::unordered);
  // An eleventh fails each time, for good only where there is but one attempt.
  const auto asked = std::make_shared<std::set<std::uint64_t>>();  // Of one task alone.
  ask_for_all(fr::awaitable([asked](std::uint64_t k) -> asio::awaitable<std::uint64_t> {
                if (!asked->insert(k).second) co_return truth_about(k);
                co_return co_await answer_later(k);
              }),
              {.capacity = 50, .order = order, .retry_delay = 1ms});
}

TEST_CASE("coroutines answer on an executor of the application", "[async]") {
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::thread thread([&context] { context.run(); });
  ask_for_all(fr::awaitable(
                  [](const std::uint64_t& k) -> asio::awaitable<absl::StatusOr<std::uint64_t>> {
                    co_return truth_about(k);
                  },
                  context.get_executor()),
              {});
  work.reset();
  thread.join();
}

TEST_CASE("futures are looked at until they are ready", "[async]") {
  ask_for_all(fr::from_future([](std::uint64_t k) {
                std::promise<std::uint64_t> promise;
                std::future<std::uint64_t> answer = promise.get_future();
                if (k % 100 != 0) {
                  promise.set_value(truth_about(k));
                } else {
                  std::thread([k, promise = std::move(promise)]() mutable {
                    std::this_thread::sleep_for(1ms);
                    promise.set_value(truth_about(k));
                  }).detach();
                }
                return answer;
              }),
              {});
}

TEST_CASE("a client answers from threads of its own, some questions twice", "[async]") {
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, fr::reply<std::uint64_t>>> open;
  std::atomic<bool> done{false};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        std::vector<std::pair<std::uint64_t, fr::reply<std::uint64_t>>> mine;
        {
          const std::lock_guard lock(mutex);
          if (!open.empty()) {
            mine.push_back(std::move(open.back()));
            open.pop_back();
          }
        }
        for (const auto& [k, reply] : mine) {
          reply(truth_about(k));
          if (k % 7 == 0) reply(k);
        }
        if (mine.empty()) std::this_thread::yield();
      }
    });
  }
  const fr::run_summary summary = ask_for_all(
      [&](std::uint64_t k, const fr::reply<std::uint64_t>& reply) {
        const std::lock_guard lock(mutex);
        open.emplace_back(k, reply);
      },
      {.order = fr::async_order::unordered});
  done = true;
  CHECK(summary.metrics.of("async_map", "lookup").dead == 0);
}
