// Coroutines of Boost.Asio for async_map: the one public header that includes Asio.
//
//     namespace asio = boost::asio;
//     payments | fr::async_map<score>("model", fr::awaitable(
//         [pool](payment p) -> asio::awaitable<score> { co_return co_await pool->ask(p); }));
//
// A coroutine is begun for each attempt, with a copy of the record, which it may take by value or
// by reference. Its result is the answer; an exception, or a failed status, that of the attempt.
//
// Threads: an I/O thread, shared by all such functions of the process and there as long as one of
// them is; or the executor that is given, whose context the application runs. On either, code
// between two `co_await` must not block. A coroutine whose attempt has timed out is not cancelled:
// it runs on, and its answer is ignored. Give what it waits for time limits of its own.
#pragma once

#include <freshet/pipeline/async_options.hpp>
#include <freshet/pipeline/reply.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

/// The shared I/O thread. It ends with the last holder.
class io_thread {
 public:
  virtual ~io_thread() = default;
  virtual boost::asio::any_io_executor executor() = 0;
};
std::shared_ptr<io_thread> shared_io_thread();

// g++ 12 warns of the frames of coroutines that hold lambdas, or types of a single file; clang does
// not know the warning.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
template <class F, class T, class Out>
boost::asio::awaitable<void> answer_with(F f, T record, reply<Out> answer) {
  try {
    answer(co_await f(std::as_const(record)));
  } catch (...) {
    answer.fail(failure_of_exception());
  }
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <class F>
struct awaiting {
  F f;
  boost::asio::any_io_executor on;    ///< Unless the thread below is there.
  std::shared_ptr<io_thread> thread;  ///< Kept for as long as the function.

  template <class T, class Out>
    requires std::is_invocable_v<F&, const T&>
  void operator()(const T& record, reply<Out> answer) {
    boost::asio::co_spawn(thread ? thread->executor() : on,
                          answer_with<F, T, Out>(f, record, std::move(answer)),
                          boost::asio::detached);
  }
};

}  // namespace detail

/// What `async_map` takes, of a coroutine: `f(record)` returns `boost::asio::awaitable<Out>` or
/// `awaitable<absl::StatusOr<Out>>`. It runs on the shared I/O thread.
/// \cost A coroutine frame, and two hops between threads, per attempt.
template <class F>
auto awaitable(F f) {
  return detail::awaiting<F>{std::move(f), {}, detail::shared_io_thread()};
}

/// The same on an executor of the application. It must run, or attempts time out.
template <class F>
auto awaitable(F f, boost::asio::any_io_executor on) {
  return detail::awaiting<F>{std::move(f), std::move(on), nullptr};
}

}  // namespace freshet
