// Drawing cases. Only `%` and shifts are used: the distributions of the standard library differ
// between platforms.
#include "csv_windows/random_logs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string_view>
#include <utility>

namespace csv_windows_test {

namespace {

using random_bits = std::mt19937_64;

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t hour = 3'600 * second;
constexpr std::int64_t day = 24 * hour;

/// A number in [0, bound); bound > 0.
std::int64_t below(random_bits& random, std::int64_t bound) {
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bound));
}

bool once_in(random_bits& random, std::int64_t times) {
  return below(random, times) == 0;
}

template <class Choices>
const auto& one_of(random_bits& random, const Choices& choices) {
  return choices[static_cast<std::size_t>(
      below(random, static_cast<std::int64_t>(choices.size())))];
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

std::string field(random_bits& random, const std::string& text) {
  const bool must = text.find_first_of(",\"\r\n") != std::string::npos;
  return must || once_in(random, 10) ? quoted(text) : text;
}

// --- times and numbers as texts ------------------------------------------------------------------

/// `number / 10^places`, as short as it goes or with decimals that must be floored away.
std::string decimal_text(random_bits& random, std::int64_t number, std::size_t places) {
  std::string digits = std::to_string(number < 0 ? -number : number);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  std::string decimals = digits.substr(digits.size() - places);
  digits.resize(digits.size() - places);
  if (once_in(random, 8)) decimals += "7";
  while (decimals.ends_with('0') && !once_in(random, 8)) decimals.pop_back();
  if (!decimals.empty()) digits += "." + decimals;
  return (number < 0 ? "-" : once_in(random, 20) ? "+" : "") + digits;
}

std::string iso_text(random_bits& random, std::int64_t at) {
  static constexpr std::array<std::string_view, 6> zones = {"", "Z", "z", "+02:00", "-0930", "+01"};
  static constexpr std::array<std::int64_t, 6> zone_minutes = {0, 0, 0, 120, -570, 60};
  const auto zone = static_cast<std::size_t>(below(random, 6));
  using namespace std::chrono;
  const sys_time<microseconds> local{microseconds(at) + minutes(zone_minutes[zone])};
  const auto midnight = floor<days>(local);
  const year_month_day date(midnight);
  const std::int64_t of_day = (local - midnight).count();
  std::string text =
      fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  if (of_day == 0 && zone == 0 && once_in(random, 2)) return text;
  text += once_in(random, 3) ? " " : "T";
  text += fmt::format("{:02}:{:02}", of_day / hour, of_day / (60 * second) % 60);
  const std::int64_t within_minute = of_day % (60 * second);
  if (within_minute != 0 || !once_in(random, 4)) {
    text += fmt::format(":{:02}", within_minute / second);
    const std::int64_t within_second = within_minute % second;
    if (within_second != 0) {
      text += fmt::format("{}{:06}", once_in(random, 4) ? "," : ".", within_second);
    }
    if (within_second != 0 && once_in(random, 5)) text += "999";
  }
  return text + std::string(zones[zone]);
}

std::string time_cell(random_bits& random, std::int64_t at, time_text format) {
  static constexpr std::array<std::string_view, 6> garbage = {
      "", "yesterday", "2013-02-30", "2013-01-01T25:00:00", "12:30", "1.2.3"};
  if (once_in(random, 40)) return std::string(one_of(random, garbage));
  std::string text;
  switch (format) {
    case time_text::iso:
      text = iso_text(random, at);
      break;
    case time_text::epoch_s:
      text = decimal_text(random, at, 6);
      break;
    case time_text::epoch_ms:
      text = decimal_text(random, at, 3);
      break;
    case time_text::epoch_us:
      text = decimal_text(random, at, 0);
      break;
  }
  if (once_in(random, 30)) text = " " + text + "\t";
  return field(random, text);
}

std::string value_cell(random_bits& random) {
  static constexpr std::array<std::string_view, 6> garbage = {"",      "x",   "1.2.3",
                                                              "12abc", "--5", "-"};
  if (once_in(random, 40)) return std::string(one_of(random, garbage));
  const std::int64_t number = below(random, 20'001) - 10'000;
  switch (below(random, 8)) {
    case 0:
      return fmt::format("{}e{}", number, below(random, 30) - 15);
    case 1:
      return fmt::format(" {}\t", number);
    case 2:
      return number < 0 ? fmt::format("{}.0", number) : fmt::format("+{}", number);
    case 3:
      return fmt::format("\"{}.5\"", number);
    case 4:
      return fmt::format("{}", static_cast<double>(number) / 7);
    case 5:
      return "-0.0";
    default:
      return fmt::format("{}.{:02}", number, below(random, 100));
  }
}

// --- files ---------------------------------------------------------------------------------------

/// What the rows of one case have in common.
struct drawing {
  std::int64_t tick = 1;  ///< Times lie about this far apart.
  std::int64_t begin = 0;
  std::int64_t disorder = 0;  ///< In ticks.
  std::vector<std::string> keys;
};

std::string file_text(random_bits& random, const drawing& of, const columns_wanted& columns,
                      std::vector<std::string> names) {
  const std::string line_end = once_in(random, 3) ? "\r\n" : "\n";
  std::string text = once_in(random, 6) ? "\xEF\xBB\xBF" : "";
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : ",") +
            (names[i].find(',') == std::string::npos ? names[i] : quoted(names[i]));
  }
  text += line_end;
  std::int64_t now = of.begin + below(random, 20) * of.tick;
  for (std::int64_t row = below(random, 6) == 0 ? 250 : below(random, 251); row > 0; --row) {
    now += below(random, 4) * of.tick;
    if (once_in(random, 80)) now += (1'000 + below(random, 20'000)) * of.tick;
    std::int64_t at = now;
    if (once_in(random, 2)) at -= below(random, of.disorder + 1) * of.tick;
    if (once_in(random, 4)) at += below(random, of.tick);
    std::vector<std::string> cells;
    for (const std::string& name : names) {
      cells.push_back(name == columns.time    ? time_cell(random, at, columns.format)
                      : name == columns.key   ? field(random, one_of(random, of.keys))
                      : name == columns.value ? value_cell(random)
                                              : field(random, "note " + std::to_string(row)));
    }
    if (once_in(random, 60)) cells.emplace_back("too many");
    if (once_in(random, 60)) cells.resize(cells.size() - 1);
    for (std::size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : ",") + cells[i];
    text += line_end;
    if (once_in(random, 60)) text += line_end;
  }
  if (once_in(random, 4)) text.resize(text.size() - line_end.size());
  return text;
}

window_definition draw_windows(random_bits& random, const drawing& of) {
  window_definition windows;
  const auto ticks = [&](std::int64_t most) { return (1 + below(random, most)) * of.tick; };
  windows.size = ticks(40);
  windows.slide = windows.size;
  switch (below(random, 6)) {
    case 0:
      break;
    case 1:  // The slide divides the size.
      windows.slide = ticks(5);
      windows.size = windows.slide * (1 + below(random, 12));
      break;
    case 2:  // In general it does not.
      windows.slide = std::max<std::int64_t>(windows.size / (1 + below(random, 9)), 1);
      break;
    case 3:  // Some rows are in no window.
      windows.slide = windows.size + ticks(30);
      break;
    default:
      windows.sessions = true;
      windows.size = ticks(12);
      break;
  }
  if (!windows.sessions && once_in(random, 2)) {
    windows.offset = below(random, 4 * windows.size + 1) - 2 * windows.size;
  }
  if (!once_in(random, 3)) windows.disorder = below(random, of.disorder + 2) * of.tick;
  if (!once_in(random, 3)) windows.lateness = ticks(40);
  return windows;
}

}  // namespace

std::string duration_text(std::int64_t microseconds) {
  static constexpr std::array<std::pair<std::int64_t, std::string_view>, 5> units = {
      {{day, "d"}, {hour, "h"}, {60 * second, "min"}, {second, "s"}, {1'000, "ms"}}};
  for (const auto& [unit, name] : units) {
    if (microseconds % unit == 0) return fmt::format("{}{}", microseconds / unit, name);
  }
  return fmt::format("{}us", microseconds);
}

arguments window_options(const window_definition& of) {
  std::string window = "tumbling:" + duration_text(of.size);
  if (of.slide != of.size) {
    window = "sliding:" + duration_text(of.size) + "/" + duration_text(of.slide);
  }
  if (of.sessions) window = "session:" + duration_text(of.size);
  return {"--window",
          window,
          "--offset=" + duration_text(of.offset),
          "--max-disorder",
          duration_text(of.disorder),
          "--lateness",
          duration_text(of.lateness)};
}

arguments column_options(const columns_wanted& of) {
  static constexpr std::array<std::string_view, 4> formats = {"iso", "epoch_s", "epoch_ms",
                                                              "epoch_us"};
  const std::string format(formats[static_cast<std::size_t>(of.format)]);
  return {"--time", of.time, "--time-format", format, "--key", of.key, "--value", of.value};
}

random_case draw_case(std::uint64_t seed) {
  random_bits random(seed);
  drawing of;
  of.tick = one_of(random, std::array<std::int64_t, 5>{1, 1'000, second, 90 * second, hour});
  of.begin = one_of(random,
                    std::array<std::int64_t, 4>{0, -60 * of.tick, -14'000 * day + 5, 15'706 * day});
  of.disorder = 1 + below(random, 30);
  std::vector<std::string> keys = {"a",           "b",
                                   "key c",       " blank ",
                                   "with,comma",  "with \"quotes\"",
                                   "two\nlines",  "",
                                   "gr\xC3\xBCn", std::string(300, 'k')};
  std::shuffle(keys.begin(), keys.end(), random);
  keys.resize(static_cast<std::size_t>(1 + below(random, 9)));
  of.keys = std::move(keys);

  random_case drawn;
  drawn.columns = {once_in(random, 2) ? "at" : "when, exactly", "who", "amount",
                   static_cast<time_text>(below(random, 4))};
  drawn.windows = draw_windows(random, of);
  drawn.one_header = !once_in(random, 5);
  std::vector<std::string> names = {drawn.columns.time, "who", "amount", "note"};
  for (std::int64_t file = 1 + below(random, 4); file > 0; --file) {
    if (drawn.texts.empty() || !drawn.one_header) {
      std::shuffle(names.begin(), names.end(), random);
    }
    drawn.texts.push_back(file_text(random, of, drawn.columns, names));
  }
  return drawn;
}

std::string large_log(std::uint64_t seed, std::size_t rows) {
  random_bits random(seed);
  std::string text = "at,key,value\n";
  std::int64_t now = 1'700'000'000'000;
  for (std::size_t row = 0; row < rows; ++row) {
    now += below(random, 3);
    const std::int64_t at = now - below(random, once_in(random, 50) ? 8'000 : 2'000);
    const std::int64_t key = once_in(random, 2) ? below(random, 10) : below(random, 3'000);
    text += once_in(random, 1'000) ? fmt::format("{},key {},unknown\n", at, key)
                                   : fmt::format("{},key {},{}.{:02}\n", at, key,
                                                 below(random, 500), below(random, 100));
  }
  return text;
}

}  // namespace csv_windows_test
