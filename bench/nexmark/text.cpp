#include "text.hpp"

#include "random.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cstdlib>
#include <iterator>
#include <memory>

namespace nexmark {

alignas(64) std::array<char, arena_bytes> arena;

namespace {

constexpr std::string_view first_names[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                            "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
constexpr std::string_view last_names[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                           "Walton", "Smith",  "Jones",   "Noris"};
constexpr std::string_view city_names[] = {"Phoenix",  "Los Angeles", "San Francisco", "Boise",
                                           "Portland", "Bend",        "Redmond",       "Seattle",
                                           "Kent",     "Cheyenne"};
constexpr std::string_view state_names[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
constexpr std::string_view hot_channel_names[] = {"Google", "Facebook", "Baidu", "Apple"};

/// The number whose 32 bits are those of `bits`, last first, without its sign.
std::int64_t reversed_without_sign(std::uint32_t bits) {
  std::uint32_t reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= (bits >> bit & 1U) << (31 - bit);
  return std::abs(static_cast<std::int64_t>(static_cast<std::int32_t>(reversed)));
}

/// Lays strings into the arena, one behind the other.
class arena_writer {
 public:
  text put(std::string_view what) {
    assert(what.size() <= arena_bytes - used_);
    what.copy(arena.data() + used_, what.size());
    const text written{used_, static_cast<std::uint32_t>(what.size())};
    used_ += written.size;
    return written;
  }

 private:
  std::uint32_t used_ = 0;
};

/// 3 to `limit` - 1 letters, now and then a `gap` between them.
std::string letters(random_numbers& random, std::uint32_t limit, char gap) {
  std::string made(3 + random.below(limit - 3), '\0');
  for (char& each : made) {
    each = random.below(13) == 0 ? gap : static_cast<char>('a' + random.below(26));
  }
  return made;
}

std::string trimmed(const std::string& whole) {
  const std::size_t begin = whole.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return whole.substr(begin, whole.find_last_not_of(' ') + 1 - begin);
}

std::string url(random_numbers& random) {
  std::string made = "https://www.nexmark.com/";
  for (int part = 0; part < 3; ++part) made += letters(random, 5, '_') + '/';
  return made + "item.htm?query=1";
}

void make_fixed_names(pools& all, arena_writer& to) {
  std::size_t name = 0;
  for (const std::string_view first : first_names) {
    for (const std::string_view last : last_names) {
      all.names[name++] = to.put(fmt::format("{} {}", first, last));
    }
  }
  for (std::size_t i = 0; i < std::size(city_names); ++i) all.cities[i] = to.put(city_names[i]);
  for (std::size_t i = 0; i < std::size(state_names); ++i) all.states[i] = to.put(state_names[i]);
}

void make_channels(pools& all, arena_writer& to, random_numbers& random) {
  for (std::size_t i = 0; i < hot_channel_count; ++i) {
    all.hot_channels[i] = to.put(hot_channel_names[i]);
    all.hot_urls[i] = to.put(url(random));
  }
  for (std::uint32_t i = 0; i < cold_channel_count; ++i) {
    all.cold_channels[i] = to.put(fmt::format("channel-{}", i));
    std::string made = url(random);
    if (random.below(10) > 0) made += fmt::format("&channel_id={}", reversed_without_sign(i));
    all.cold_urls[i] = to.put(made);
  }
}

std::unique_ptr<const pools> make_pools() {
  auto all = std::make_unique<pools>();
  arena_writer to;
  random_numbers random{0x4E45584D41524B};  // The order of the draws is part of the definition.
  std::string letters_only(pool_bytes, '\0');
  for (char& each : letters_only) each = static_cast<char>('a' + random.below(26));
  all->extra = to.put(letters_only).offset;
  std::string words(pool_bytes, '\0');
  for (char& each : words) {
    each = random.below(13) == 0 ? ' ' : static_cast<char>('a' + random.below(26));
  }
  all->words = to.put(words).offset;
  for (text& each : all->mails) {
    const std::string user = trimmed(letters(random, 7, ' '));
    each = to.put(user + '@' + trimmed(letters(random, 5, ' ')) + ".com");
  }
  for (text& each : all->cards) {
    std::string card;
    for (int part = 0; part < 4; ++part) {
      card += fmt::format("{}{:04}", part == 0 ? "" : " ", random.below(10'000));
    }
    each = to.put(card);
  }
  make_channels(*all, to, random);
  make_fixed_names(*all, to);
  for (std::uint32_t i = 0; i < number_count; ++i) all->numbers[i] = to.put(fmt::format("{}", i));
  all->day_time = to.put("dayTime");
  all->night_time = to.put("nightTime");
  all->other_time = to.put("otherTime");
  return all;
}

}  // namespace

const pools& prepare_pools() {
  static const std::unique_ptr<const pools> all = make_pools();
  return *all;
}

}  // namespace nexmark
