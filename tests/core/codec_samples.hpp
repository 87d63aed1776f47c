// Sample types of every kind a codec knows, and seeded random values of them.
//
// Shared by the codec's tests and its fuzzer. The same seed gives the same values on every
// platform. One generator belongs to one thread; event time and order play no part.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace samples {

enum class channel : std::uint8_t { web, terminal };

struct event {
  freshet::timestamp at;
  std::uint32_t sequence = 0;
  bool operator==(const event&) const = default;
};
BOOST_DESCRIBE_STRUCT(event, (), (at, sequence))

/// Everything whose bytes have but one spelling.
struct payment : event {
  std::string card;
  double amount = 0;
  float discount = 0;
  bool fraud = false;
  channel via = channel::web;
  std::optional<std::int16_t> region;
  std::vector<std::int64_t> items;
  std::array<std::uint16_t, 3> address{};
  std::pair<char, std::chrono::milliseconds> note{};
  std::variant<std::monostate, std::string, double> extra;
  bool operator==(const payment&) const = default;
};
BOOST_DESCRIBE_STRUCT(payment, (event),
                      (card, amount, discount, fraud, via, region, items, address, note, extra))

/// With a map, whose entries are accepted in any order.
struct order : payment {
  std::map<std::string, std::int32_t> tags;
  bool operator==(const order&) const = default;
};
BOOST_DESCRIBE_STRUCT(order, (payment), (tags))

/// What an aggregate may hold: containers in containers, hashed ones too.
struct state {
  std::deque<std::pair<freshet::timestamp, double>> panes;
  std::unordered_map<std::string, std::vector<bool>> seen;
  std::set<std::int8_t> levels;
  std::tuple<std::uint64_t, std::vector<std::string>, std::array<bool, 2>> rest;
  bool operator==(const state&) const = default;
};
BOOST_DESCRIBE_STRUCT(state, (), (panes, seen, levels, rest))

/// Contains itself, twice over.
struct tree {
  std::int16_t value = 0;
  std::vector<tree> children;
  std::map<std::string, tree> named;
  bool operator==(const tree&) const = default;
};
BOOST_DESCRIBE_STRUCT(tree, (), (value, children, named))

template <class T>
concept container = requires(T& value) {
  value.clear();
  value.begin();
} && !std::same_as<T, std::string>;

/// Draws values that make trouble more often than chance would: extremes, zeros, empties.
class generator {
 public:
  explicit generator(std::uint64_t seed) : random_(seed) {}

  /// A number in [0, bound). \pre bound > 0.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  template <class T>
  T value() {
    T drawn{};
    draw(drawn);
    return drawn;
  }

 private:
  void draw(bool& value) { value = below(2) == 1; }
  void draw(std::monostate&) {}
  template <std::integral T>
  void draw(T& value) {
    constexpr auto highest = std::numeric_limits<T>::max();
    constexpr auto lowest = std::numeric_limits<T>::min();
    const std::array<T, 4> choices{static_cast<T>(random_()), static_cast<T>(below(4)), highest,
                                   lowest};
    value = choices[below(choices.size())];
  }
  // Never a NaN, so that values can be compared.
  template <std::floating_point T>
  void draw(T& value) {
    using limits = std::numeric_limits<T>;
    const T fraction = static_cast<T>(static_cast<double>(random_()) / 1e15);
    const std::array<T, 6> choices{fraction,         -fraction,          T{0},
                                   limits::lowest(), limits::infinity(), limits::denorm_min()};
    value = choices[below(choices.size())];
  }
  template <class T>
    requires std::is_enum_v<T>
  void draw(T& drawn) {
    drawn = static_cast<T>(value<std::underlying_type_t<T>>());
  }
  void draw(std::string& value) {
    value.resize(below(3) == 0 ? below(300) : below(8));
    for (char& each : value) each = static_cast<char>(random_());
  }
  template <class Rep, class Period>
  void draw(std::chrono::duration<Rep, Period>& drawn) {
    drawn = std::chrono::duration<Rep, Period>(value<Rep>());
  }
  template <class Clock, class Duration>
  void draw(std::chrono::time_point<Clock, Duration>& drawn) {
    drawn = std::chrono::time_point<Clock, Duration>(value<Duration>());
  }
  template <class T>
  void draw(std::optional<T>& drawn) {
    if (below(2) == 1) drawn = value<T>();
  }
  template <class T, std::size_t Size>
  void draw(std::array<T, Size>& drawn) {
    for (T& each : drawn) draw(each);
  }
  template <class First, class Second>
  void draw(std::pair<First, Second>& drawn) {
    draw(drawn.first);
    draw(drawn.second);
  }
  template <class... Elements>
  void draw(std::tuple<Elements...>& drawn) {
    std::apply([&](auto&... each) { (draw(each), ...); }, drawn);
  }
  template <class... Alternatives>
  void draw(std::variant<Alternatives...>& drawn) {
    const std::size_t chosen = below(sizeof...(Alternatives));
    std::size_t index = 0;
    ((index++ == chosen ? void(drawn = value<Alternatives>()) : void()), ...);
  }
  // Each level draws fewer elements, or a tree would have no end.
  template <container T>
    requires(!freshet::described<T>)
  void draw(T& drawn) {
    constexpr std::array<std::size_t, 4> count_max{6, 3, 2, 1};
    if (depth_ >= count_max.size()) return;
    const std::size_t count = below(count_max[depth_++]);
    for (std::size_t index = 0; index < count; ++index) insert(drawn);
    --depth_;
  }
  template <container T>
  void insert(T& drawn) {
    if constexpr (requires { typename T::mapped_type; }) {
      auto key = value<typename T::key_type>();
      drawn.emplace(std::move(key), value<typename T::mapped_type>());
    } else if constexpr (requires { typename T::key_type; }) {
      drawn.emplace(value<typename T::key_type>());
    } else {
      drawn.push_back(value<typename T::value_type>());
    }
  }
  template <freshet::described T>
  void draw(T& drawn) {
    freshet::for_each_field(drawn, [&](std::string_view, auto& member) { draw(member); });
  }

  std::mt19937_64 random_;
  std::size_t depth_ = 0;
};

}  // namespace samples
