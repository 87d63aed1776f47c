// process: the general keyed operator, with state, timers and side outputs of one's own.
//
// A function is an object with some of these members; `state` and the calls are found by name:
//
//     struct scoring {
//       struct state {                                        // per key, checkpointed
//         fr::value_state<double> last{fr::ttl{.after = 24h}};
//         std::int64_t count = 0;                             // plain members are state, too
//       };
//       void process(const payment& p, state& mine, auto& context);          // every record
//       void on_timer(const fr::timer& due, state& mine, auto& context);     // timers it has set
//       void on_end(state& mine, auto& context);          // every key, at the end of the input
//     };
//     BOOST_DESCRIBE_STRUCT(scoring::state, (), (last, count))
//
// A function without a struct `state` is called without it. One whose `process` takes the record as
// `payment&&` may move from it. One that says `static constexpr bool any_order = true` promises
// that its rows and late records are the same in whatever order records arrive, and is not named by
// `run_summary::unpromised`. After `on_end` the key's state goes; `on_end` needs event times, a
// state, and no second stream.
//
//     auto scores = payments | fr::key_by(&payment::card) | fr::process<score>("scoring",
//     scoring{});
//
// Members of the function itself that change are not state: they are one copy per task and are not
// in checkpoints.
//
// Time and order: records come in the order of arrival; over one split that is the order of its
// log, timers included, whatever the batches; over several, put `ordered(name)` above. Threads: one
// task calls one function at a time. Memory: a slot per key that holds state or timers; a key whose
// state consists of keyed states alone goes when they are empty. Between two calls, for records or
// timers, it waits for room below; what a single call emits cannot be held back.
// \source Flink's KeyedProcessFunction, whose timer t is our t + 1 us.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/process_function.hpp>
#include <freshet/pipeline/detail/process_operator.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process_context.hpp>
#include <freshet/pipeline/side_output.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/state/keyed_state.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

template <class State, class OnRecord, class OnTimer>
struct stateful_function {
  using state = State;
  OnRecord on_record;
  OnTimer when_due;

  template <class T, class Context>
    requires std::is_invocable_v<OnRecord&, const T&, State&, Context&>
  void process(const T& record, State& mine, Context& context) {
    on_record(record, mine, context);
  }
  template <class Context>
    requires std::is_invocable_v<OnTimer&, const timer&, State&, Context&>
  void on_timer(const timer& due, State& mine, Context& context) {
    when_due(due, mine, context);
  }
};

}  // namespace detail

/// A process function made of lambdas: `stateful<S>([](const payment& p, S& mine, auto& context) {
/// ... })`, and for timers a second one, `[](const timer& due, S& mine, auto& context) { ... }`.
template <class State, class OnRecord, class OnTimer = detail::no_state>
auto stateful(OnRecord on_record, OnTimer on_timer = {}) {
  return detail::stateful_function<State, OnRecord, OnTimer>{std::move(on_record),
                                                             std::move(on_timer)};
}

/// A keyed stream and a control stream, on their way to `process`.
template <class T, class KeyOf, class B>
class connected_stream {
 public:
  connected_stream(keyed_stream<T, KeyOf> records, stream<B> control)
      : records_(std::move(records)), control_(std::move(control)) {}

  const keyed_stream<T, KeyOf>& records() const { return records_; }
  const stream<B>& control() const { return control_; }

  template <class Operator>
    requires std::is_invocable_v<const Operator&, const connected_stream&>
  friend auto operator|(const connected_stream& upstream, const Operator& operation) {
    return operation(upstream);
  }

 private:
  keyed_stream<T, KeyOf> records_;
  stream<B> control_;
};

/// Lets a process function see the rows of `control`, such as rules and models that change while
/// the job runs, beside the keyed records: `connect(payments | key_by(&payment::card), rules) |
/// process<alert>("rules", checking{})`. The function then has
///
///     struct shared { std::map<std::string, double> limits; };         // checkpointed
///     void on_broadcast(const rule& r, shared& all, const fr::broadcast_context& now);
///     void process(const payment& p, state& mine, const shared& all, auto& context);
///
/// and every task a copy of `shared`. Control rows apply as they arrive and do not hold the
/// watermark back, so that results depend on when they came: `run_summary::unpromised` says
/// "broadcast". Throws `std::invalid_argument` when the streams belong to different pipelines.
template <class T, class KeyOf, stream_handle Control>
auto connect(const keyed_stream<T, KeyOf>& records, const Control& control) {
  if (records.records().graph() != control.graph()) {
    throw std::invalid_argument(
        "connect: the streams belong to different pipelines; connect streams of one pipeline");
  }
  using row = typename Control::value_type;
  return connected_stream<T, KeyOf, row>(records, static_cast<const stream<row>&>(control));
}

namespace detail {

/// What is refused while composing: rules of expiry that cannot be meant.
template <class State>
void require_usable_state(const std::string& place, const State& initial) {
  for_each_keyed_state(initial,
                       [&](const auto& each) { require_usable(place, each.rule().check()); });
}

template <class State>
bool expires_by_processing_time(const State& initial) {
  bool found = false;
  for_each_keyed_state(initial, [&](const auto& each) {
    found |= each.rule().expires() && each.rule().time == time_domain::processing_time;
  });
  return found;
}

/// How a process operator presents itself.
struct process_look {
  std::string kind = "process";
  std::string name;
  std::string options = {};  ///< What its state depends on, beside keys and types.
  /// What takes it out of the promise where the log does not decide the order in which it receives
  /// records. Empty: its rows do not depend on that order.
  std::string order = "process in the order of arrival";
};

/// Whether a function says that its rows do not depend on the order of arrival.
template <class F>
inline constexpr bool takes_any_order = false;
template <class F>
  requires requires { F::any_order; }
inline constexpr bool takes_any_order<F> = F::any_order;

template <class Out, class Broadcast, class T, class KeyOf, class F, class... Tags>
auto add_process(const process_look& look, const F& f, const keyed_stream<T, KeyOf>& keyed,
                 std::vector<port_of> inputs) {
  using key = key_of_t<KeyOf, T>;
  using state = state_of<F>;
  using shared = shared_of<F, Broadcast>;
  using context = process_context<key, Out, Tags...>;
  static_assert(
      processes_alone<F, T, state, context> || processes_own<F, T, state, context> ||
          processes_with_shared<F, T, state, shared, context>,
      "freshet: process needs an object with a member process(const record&, state&, auto& "
      "context), and const shared& before the context where it is connected");
  static_assert(checkpointable<state> && checkpointable<shared> && checkpointable<key>,
                "freshet: the state of a process function must be checkpointable, and so must its "
                "keys; describe it with BOOST_DESCRIBE_STRUCT");
  if constexpr (!std::is_void_v<Broadcast>) {
    static_assert(takes_broadcast<F, Broadcast, shared>,
                  "freshet: a connected function needs a member on_broadcast(const row&, shared&, "
                  "const freshet::broadcast_context&), and a struct shared for what it keeps");
  }
  const stream<T>& records = keyed.records();
  const std::string place = look.kind + " '" + look.name + "'";
  if constexpr (has_end_function<F, state, context>) {
    records.graph()->require_timed(records.from(), place);
  }
  const state initial = function_calls<F, state, shared>(f).initial_state();
  require_usable_state(place, initial);
  node fresh;
  fresh.kind = look.kind;
  fresh.name = look.name;
  fresh.named = true;
  fresh.timed = records.graph()->timed(records.from());
  fresh.timed_sides = fresh.timed;
  fresh.reorders = true;
  fresh.inputs = std::move(inputs);
  fresh.takes = distribution::by_key;
  // At the end of the input all keys are looked at, which have to be there.
  fresh.limits_memory = !has_end_function<F, state, context>;
  fresh.sides_take = distribution::all_to_all;
  fresh.format = "key " + format_of<key>() + look.options;
  fresh.layout = &process_operator<T, KeyOf, Broadcast, Out, F, Tags...>::layout;
  if constexpr (std::is_void_v<Broadcast>) {
    if (!takes_any_order<F> && !look.order.empty()) {
      // Timers keep their place in the log only where rows know what had been promised before them.
      const bool know = !fresh.timed || records.graph()->want_entry_frontiers(records.from());
      (know ? fresh.unpromised_by_arrival : fresh.unpromised).push_back(look.order);
    }
    fresh.has_timers = fresh.timed;
  } else {
    fresh.unpromised.emplace_back("broadcast");
  }
  if (expires_by_processing_time(initial)) fresh.unpromised.emplace_back("processing time");
  fresh.make = [key_of = keyed.key_of(), f, timed = fresh.timed] {
    return std::make_unique<process_operator<T, KeyOf, Broadcast, Out, F, Tags...>>(key_of, f,
                                                                                    timed);
  };
  const graph_handle graph = records.graph();
  const node_id id = graph->add(std::move(fresh));
  if constexpr (sizeof...(Tags) == 0) {
    return stream<Out>(graph, {id, 0});
  } else {
    std::size_t port = 0;
    return std::tuple<stream<Out>, stream<typename Tags::value_type>...>{
        stream<Out>(graph, {id, 0}), stream<typename Tags::value_type>(graph, {id, ++port})...};
  }
}

}  // namespace detail

/// Calls `f` for every record of a keyed (or connected) stream, and for the timers it sets. `Out`:
/// type of the rows it emits. `name` identifies the state across restarts.
/// \return a stream; with side outputs a tuple of the stream and one stream for each tag:
///         `auto [scores, alerts] = payments | key_by(...) | process<score>("s", f{}, alerts_tag)`.
/// Throws `std::invalid_argument` when a time to live is out of range, or another one has the name.
template <class Out, class F, class... Tags>
auto process(std::string name, F f, Tags...) {
  return [name = std::move(name), f = std::move(f)]<class Upstream>(const Upstream& upstream) {
    if constexpr (requires { upstream.control(); }) {
      using control = typename std::remove_cvref_t<decltype(upstream.control())>::value_type;
      return [&]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
        return detail::add_process<Out, control, T, KeyOf, F, Tags...>(
            {.name = name}, f, keyed, {keyed.records().from(), upstream.control().from()});
      }(upstream.records());
    } else if constexpr (requires { upstream.key_of(); }) {
      return [&]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
        return detail::add_process<Out, void, T, KeyOf, F, Tags...>({.name = name}, f, keyed,
                                                                    {keyed.records().from()});
      }(upstream);
    } else {
      static_assert(!std::is_same_v<Upstream, Upstream>,
                    "freshet: process needs to know which records belong together; put "
                    "key_by(&record::key) before it");
    }
  };
}

}  // namespace freshet
