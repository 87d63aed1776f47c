// What the stateless queries do to one bid: the code of the benchmark's user, which loops and
// pipelines share. The tests' own evaluation does not.
#pragma once

#include "model.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nexmark {

/// Of dollar cents, in thousandths of a euro cent: exact.
constexpr std::int64_t euros(std::int64_t price) {
  return price * 908;
}

inline std::int64_t day_of(fr::timestamp at) {
  return std::chrono::floor<std::chrono::days>(at).time_since_epoch().count();
}
inline std::int64_t minute_of_day(fr::timestamp at) {
  return std::chrono::floor<std::chrono::minutes>(at - std::chrono::floor<std::chrono::days>(at))
      .count();
}

/// 0 below 100.00, 1 below 10,000.00, else 2.
constexpr std::size_t rank_of(std::int64_t price) {
  return price < 10'000 ? 0 : price < 1'000'000 ? 1 : 2;
}

inline const text& time_of_day(const pools& words, fr::timestamp at) {
  const std::int64_t hour = minute_of_day(at) / 60;
  if (hour >= 8 && hour <= 18) return words.day_time;
  return hour <= 6 || hour >= 20 ? words.night_time : words.other_time;
}

inline std::int64_t count_of(char wanted, const text& in) {
  const std::string_view all = in.view();
  return std::count(all.begin(), all.end(), wanted);
}

/// Whether two words are the same but for the case of ASCII letters. \pre `lower` is lower case.
constexpr bool is_word(std::string_view word, std::string_view lower) {
  return std::equal(word.begin(), word.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

/// The number of one of the four large channels, else the parameter `channel_id` of the url.
inline std::optional<text> channel_id(const pools& words, const bid& b) {
  const std::string_view channel = b.channel.view();
  if (is_word(channel, "apple")) return words.numbers[0];
  if (is_word(channel, "google")) return words.numbers[1];
  if (is_word(channel, "facebook")) return words.numbers[2];
  if (is_word(channel, "baidu")) return words.numbers[3];
  constexpr std::string_view name = "channel_id=";
  const std::string_view url = b.url.view();
  for (std::size_t at = 0;; ++at) {
    if (url.substr(at, name.size()) == name) {
      const std::size_t begin = at + name.size();
      return b.url.slice(begin, std::min(url.find('&', begin), url.size()) - begin);
    }
    at = url.find('&', at);
    if (at == std::string_view::npos) return std::nullopt;
  }
}

/// Part `index` of a text split at every '/', counted from 0; empty beyond the last.
inline text part_of(const text& whole, std::size_t index) {
  const std::string_view all = whole.view();
  std::size_t begin = 0;
  for (; index > 0; --index) {
    begin = all.find('/', begin);
    if (begin == std::string_view::npos) return {};
    ++begin;
  }
  return whole.slice(begin, std::min(all.find('/', begin), all.size()) - begin);
}

}  // namespace nexmark
