// Several aggregates over the same records, kept side by side. Internal.
//
// An immutable value; the states are tuples in the order of the aggregates.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/record.hpp>

#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace freshet::detail {

/// Whether an aggregate says, with `static constexpr bool honours_weight = true`, that it counts a
/// sampled row `weight` times.
template <class A>
inline constexpr bool honours_weight = false;
template <class A>
  requires requires { A::honours_weight; }
inline constexpr bool honours_weight<A> = A::honours_weight;

template <class T, class... Aggregates>
class aggregate_set {
 public:
  using state = std::tuple<aggregate_state<Aggregates, T>...>;
  using results = std::tuple<aggregate_result<Aggregates, T>...>;

  explicit aggregate_set(Aggregates... parts) : parts_(std::move(parts)...) {}

  void add(state& to, const T& value, const order_key& key) const {
    each([&](auto index) {
      aggregate_add(std::get<index>(parts_), std::get<index>(to), value, key);
    });
  }

  /// For retractable aggregates.
  void subtract(state& from, const T& value) const {
    each([&](auto index) { std::get<index>(parts_).subtract(std::get<index>(from), value); });
  }

  void merge(state& into, const state& from) const {
    each([&](auto index) {
      std::get<index>(parts_).merge(std::get<index>(into), std::get<index>(from));
    });
  }

  /// Whether `unmerge` is there.
  static constexpr bool invertible = (invertible_aggregate<Aggregates, T> && ...);

  /// Takes back what was merged.
  void unmerge(state& from, const state& part) const
    requires invertible
  {
    each([&](auto index) {
      std::get<index>(parts_).unmerge(std::get<index>(from), std::get<index>(part));
    });
  }

  results result(const state& of) const {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return results{std::get<I>(parts_).result(std::get<I>(of))...};
    }(indices{});
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    each([&](auto index) { all.push_back(std::get<index>(parts_).name); });
    return all;
  }

  /// Names and kinds, for the fingerprint: two aggregates may have states that look alike. A kind
  /// holds the options that the state depends on. Those of applications have no kind.
  std::string format() const {
    std::string text;
    each([&](auto index) {
      using part = std::tuple_element_t<index, std::tuple<Aggregates...>>;
      if (!text.empty()) text += ", ";
      text += std::get<index>(parts_).name;
      if constexpr (requires(const part& each) { each.kind; }) {
        text.append(":").append(std::get<index>(parts_).kind);
      }
    });
    return text;
  }

 private:
  using indices = std::index_sequence_for<Aggregates...>;

  /// Always inline: the compiler is mean in large translation units, and every record comes here.
  template <class F>
  [[gnu::always_inline]] static void each(F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::integral_constant<std::size_t, I>{}), ...);
    }(indices{});
  }

  std::tuple<Aggregates...> parts_;
};

}  // namespace freshet::detail
