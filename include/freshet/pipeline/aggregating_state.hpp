// An aggregate as the state of a process function: what windows compute, kept per key by hand.
//
//     struct state {
//       fr::aggregating_state<payment, decltype(fr::mean("", &payment::amount))> mean{
//           fr::mean("", &payment::amount)};
//     };
//
// Time, threads, checkpoints: as for the states in state/keyed_state.hpp; the time to live is that
// of the aggregate as a whole. Memory: one state of the aggregate.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/state/keyed_state.hpp>

#include <utility>

namespace freshet {

/// The aggregate `A` over values of type `T`.
template <class T, class A>
  requires aggregate_of<A, T>
class aggregating_state {
 public:
  aggregating_state() = default;
  explicit aggregating_state(A aggregate, const ttl& rule = {})
      : aggregate_(std::move(aggregate)), expiry_(rule) {}

  /// `order` settles ties of aggregates that depend on order: `context.order()`.
  void add(const T& value, const order_key& order = {}) {
    forget_hidden();
    aggregate_add(aggregate_, state_, value, order);
    holds_nothing_ = false;
    expiry_.write(stamp_);
  }
  /// The result so far; of no values, when there are none.
  aggregate_result<A, T> result() {
    forget_hidden();
    if (!holds_nothing_) expiry_.read(stamp_);
    return aggregate_.result(state_);
  }
  bool empty() {
    forget_hidden();
    return holds_nothing_;
  }
  void clear() {
    state_ = {};
    stamp_ = timestamp_min;
    holds_nothing_ = true;
  }

  void bind(const state_times& times) { expiry_.bind(times); }
  void drop_expired() {
    if (!holds_nothing_ && expiry_.expired(stamp_)) clear();
  }
  timestamp next_expiry() const {
    return holds_nothing_ ? timestamp_max : expiry_.expires_at(stamp_);
  }
  const ttl& rule() const { return expiry_.rule(); }
  bool holds_nothing() const { return holds_nothing_; }

 private:
  friend struct codec<aggregating_state>;
  void forget_hidden() {
    if (!holds_nothing_ && expiry_.hidden(stamp_)) clear();
  }

  A aggregate_{};
  aggregate_state<A, T> state_{};
  timestamp stamp_ = timestamp_min;
  bool holds_nothing_ = true;
  detail::expiry expiry_;
};

template <class T, class A>
struct codec<aggregating_state<T, A>> {
  using parts = detail::type_list<aggregate_state<A, T>>;
  static void encode(byte_writer& writer, const aggregating_state<T, A>& state) {
    freshet::encode(writer, state.holds_nothing_);
    freshet::encode(writer, state.state_);
    freshet::encode(writer, state.stamp_);
  }
  static bool decode(byte_reader& reader, aggregating_state<T, A>& state) {
    return freshet::decode(reader, state.holds_nothing_) && freshet::decode(reader, state.state_) &&
           freshet::decode(reader, state.stamp_);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<bool, aggregate_state<A, T>, timestamp>(context,
                                                                           "aggregating_state");
  }
};

}  // namespace freshet
