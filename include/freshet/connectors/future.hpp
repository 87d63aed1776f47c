// Futures for async_map: what to do with a client that returns `std::future`.
//
//     payments | fr::async_map<score>("model", fr::from_future([client](const payment& p) {
//       return client->ask(p);  // A std::future<score>.
//     }));
//
// A `std::future` tells nobody when it is ready, so that a thread looks at all of them each
// millisecond: answers come up to that much later. A client with callbacks, or coroutines, has no
// such delay. Futures must not be deferred ones, nor block when they are destroyed.
//
// Threads: one, shared by all such functions of the process, from the first future on.
#pragma once

#include <freshet/pipeline/async_options.hpp>
#include <freshet/pipeline/reply.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

/// Calls `is_done` each millisecond until it returns true.
void look_until(std::function<bool()> is_done);

template <class F>
struct asking_futures {
  F f;

  template <class T, class Out>
    requires std::is_invocable_v<F&, const T&>
  void operator()(const T& record, reply<Out> answer) {
    using future = std::invoke_result_t<F&, const T&>;
    const auto open = std::make_shared<future>(f(record));
    look_until([open, answer = std::move(answer)] {
      try {
        if (open->wait_for(std::chrono::seconds(0)) == std::future_status::timeout) return false;
        answer(open->get());
      } catch (...) {
        answer.fail(failure_of_exception());
      }
      return true;
    });
  }
};

}  // namespace detail

/// What `async_map` takes, of a function that returns `std::future<Out>` or
/// `std::future<absl::StatusOr<Out>>`.
template <class F>
auto from_future(F f) {
  return detail::asking_futures<F>{std::move(f)};
}

}  // namespace freshet
