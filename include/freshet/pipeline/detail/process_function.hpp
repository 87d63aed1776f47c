// What a process function may look like, and how it is called. Internal.
//
// Types and calls only; see pipeline/process.hpp for what a user writes.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/fields.hpp>

#include <boost/describe/class.hpp>

#include <type_traits>
#include <utility>

namespace freshet {

struct timer;
struct broadcast_context;

namespace detail {

/// The state of a function that has none.
struct no_state {};
BOOST_DESCRIBE_STRUCT(no_state, (), ())

template <class F>
struct state_rule {
  using type = no_state;
};
template <class F>
  requires requires { typename F::state; }
struct state_rule<F> {
  using type = typename F::state;
};
/// What a function keeps per key: its `state`.
template <class F>
using state_of = typename state_rule<F>::type;

template <class F, class Broadcast>
struct shared_rule {
  using type = no_state;
};
template <class F, class Broadcast>
  requires(!std::is_void_v<Broadcast>) && requires { typename F::shared; }
struct shared_rule<F, Broadcast> {
  using type = typename F::shared;
};
/// What a function keeps of a broadcast stream: its `shared`.
template <class F, class Broadcast>
using shared_of = typename shared_rule<F, Broadcast>::type;

/// The rows of a second input; of no use where there is none.
template <class Broadcast>
using row_of = std::conditional_t<std::is_void_v<Broadcast>, no_state, Broadcast>;

template <class F>
concept has_state_type = requires { typename F::state; };

// The calls of a function: without a state where it has none, with what is shared where it takes
// it.

template <class F, class T, class State, class Context>
concept processes_alone =
    (has_state_type<F> && requires(F& f, const T& record, State& state, Context& context) {
      f.process(record, state, context);
    }) || (!has_state_type<F> && requires(F& f, const T& record, Context& context) {
      f.process(record, context);
    });
/// The same for a function that wants the record as its own: one that nobody else wants is moved
/// from, of others it gets a copy.
template <class F, class T, class State, class Context>
concept processes_own = !processes_alone<F, T, State, Context> && has_state_type<F> &&
                        requires(F& f, T&& record, State& state, Context& context) {
                          f.process(std::move(record), state, context);
                        };
template <class F, class T, class State, class Shared, class Context>
concept processes_with_shared =
    (has_state_type<F> &&
     requires(F& f, const T& record, State& state, const Shared& shared, Context& context) {
       f.process(record, state, shared, context);
     }) ||
    (!has_state_type<F> && requires(F& f, const T& record, const Shared& shared, Context& context) {
      f.process(record, shared, context);
    });
template <class F, class State, class Context>
concept times_alone =
    (has_state_type<F> && requires(F& f, const timer& due, State& state, Context& context) {
      f.on_timer(due, state, context);
    }) || (!has_state_type<F> && requires(F& f, const timer& due, Context& context) {
      f.on_timer(due, context);
    });
template <class F, class State, class Shared, class Context>
concept times_with_shared =
    (has_state_type<F> &&
     requires(F& f, const timer& due, State& state, const Shared& shared, Context& context) {
       f.on_timer(due, state, shared, context);
     }) ||
    (!has_state_type<F> && requires(F& f, const timer& due, const Shared& shared,
                                    Context& context) { f.on_timer(due, shared, context); });
template <class F, class B, class Shared>
concept takes_broadcast =
    requires(F& f, const B& record, Shared& shared, const broadcast_context& now) {
      f.on_broadcast(record, shared, now);
    };

template <class F, class State, class Shared, class Context>
inline constexpr bool has_timer_function =
    times_alone<F, State, Context> || times_with_shared<F, State, Shared, Context>;

/// A function, called in whichever of its forms it has.
template <class F, class State, class Shared>
class function_calls {
 public:
  explicit function_calls(F f) : f_(std::move(f)) {}

  State initial_state() const {
    if constexpr (requires { f_.initial_state(); }) {
      return f_.initial_state();
    } else {
      return State{};
    }
  }
  template <class T, class Context>
  void process(const T& record, State& state, const Shared& shared, Context& context) {
    call([&](auto&... known) { f_.process(record, known..., context); },
         std::bool_constant<processes_with_shared<F, T, State, Shared, Context>>{}, state, shared);
  }
  /// For a function that `processes_own`.
  template <class T, class Context>
  void process_own(T&& record, State& state, Context& context) {
    f_.process(std::move(record), state, context);
  }
  template <class Context>
  void on_timer(const timer& due, State& state, const Shared& shared, Context& context) {
    if constexpr (has_timer_function<F, State, Shared, Context>) {
      call([&](auto&... known) { f_.on_timer(due, known..., context); },
           std::bool_constant<times_with_shared<F, State, Shared, Context>>{}, state, shared);
    }
  }
  template <class B>
  void on_broadcast(const B& record, Shared& shared, const broadcast_context& now) {
    f_.on_broadcast(record, shared, now);
  }

 private:
  template <class Call, bool WithShared>
  static void call(Call&& with, std::bool_constant<WithShared>, State& state,
                   const Shared& shared) {
    if constexpr (has_state_type<F> && WithShared) {
      with(state, shared);
    } else if constexpr (has_state_type<F>) {
      with(state);
    } else if constexpr (WithShared) {
      with(shared);
    } else {
      with();
    }
  }

  F f_;
};

}  // namespace detail

}  // namespace freshet
