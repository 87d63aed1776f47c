// What operators have in common whose results are updated. Internal.
//
// They are process functions, one for each emission mode (rows_once.hpp, rows_changing.hpp), around
// a fold, which says what is kept of a key and which rows that makes:
//
//     struct fold {
//       using state;                                 // has `bool empty() const`: nothing stands
//       using row;
//       void add(state&, const T&, const placed&) const;
//       void merge(state& into, const state& from) const;             // for emit_complete
//       void rows(const Key&, state, emit(row)) const;                // what stands; may move it
//       void change(const Key&, state&, const T&, const placed&, change_writer&) const;
//     };
//
// Each function is a function of the log as far as emission.hpp says. A record's place in time is
// its turn: its event time, or the entry frontier that it is behind. At its turn every record with
// an earlier one has arrived, because no watermark passes a frontier before the records that were
// read before it.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/process_context.hpp>
#include <freshet/state/ttl.hpp>

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <utility>

namespace freshet::detail {

inline constexpr ttl no_ttl{};

/// Content of a key's state that decides itself when it holds nothing, so that the key goes.
template <class Content>
struct kept_state {
  Content content;

  void bind(const state_times&) {}
  void drop_expired() {}
  timestamp next_expiry() const { return timestamp_max; }
  const ttl& rule() const { return no_ttl; }
  bool holds_nothing() const { return content.empty(); }
};

template <class Content>
struct owned_rule<kept_state<Content>> {
  static std::uint64_t bytes(const kept_state<Content>& of) { return owned_bytes(of.content); }
};

/// A record's place in the log.
struct placed {
  order_key order;
  timestamp turn;

  bool behind() const { return order.at < turn; }
};

template <class Context>
placed place_of(const Context& context) {
  const order_key order = context.order();
  return {order, std::max(order.at, context.entry_frontier())};
}

/// The first multiple of `period` after `after`; the end of time, if there is none. \pre period > 0
timestamp next_moment(timestamp after, duration period);

/// When the watermark has passed `newest` by more than `forget_after`.
inline timestamp forgotten_at(timestamp newest, duration forget_after) {
  return saturating_add(saturating_add(newest, forget_after), duration{1});
}

template <class Row>
bool same_row(const Row& a, const Row& b) {
  if constexpr (std::equality_comparable<Row>) {
    return a == b;
  } else {
    return to_bytes(a) == to_bytes(b);
  }
}

/// A part of `of`, moved from there where `Of` may be moved from.
template <class Of, class Part>
auto part_of(Part& part) {
  if constexpr (std::is_lvalue_reference_v<Of>) {
    return std::remove_const_t<Part>(part);
  } else {
    return std::remove_const_t<Part>(std::move(part));
  }
}

/// Emits changes the way they were asked for.
template <class Row, class Context>
class change_writer {
 public:
  change_writer(Context& context, bool retract) : context_(context), retract_(retract) {}

  bool retracts() const { return retract_; }

  void insert(Row row) {
    put(std::move(row), retract_ ? change_kind::insert : change_kind::upsert);
  }
  /// `before`: returns the row that stood, if it is asked for.
  template <std::invocable Before>
  void update(Before&& before, Row after) {
    if (retract_) put(before(), change_kind::update_before);
    put(std::move(after), retract_ ? change_kind::update_after : change_kind::upsert);
  }
  void erase(Row row) { put(std::move(row), change_kind::erase); }

 private:
  void put(Row row, change_kind how) { context_.emit(change<Row>{std::move(row), how}); }

  Context& context_;
  bool retract_;
};

}  // namespace freshet::detail

namespace freshet {

template <class Content>
struct codec<detail::kept_state<Content>> {
  using parts = detail::type_list<Content>;
  static void encode(byte_writer& writer, const detail::kept_state<Content>& state) {
    freshet::encode(writer, state.content);
  }
  static bool decode(byte_reader& reader, detail::kept_state<Content>& state) {
    return freshet::decode(reader, state.content);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<Content>(context, "kept");
  }
};

}  // namespace freshet
