// The definition, word by word.
#include "csv_windows/evaluator.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <system_error>

namespace csv_windows_test {

namespace {

struct row {
  std::string key;
  std::string text;
  double value = 0;
  std::int64_t at = 0;
  std::optional<std::int64_t> frontier;  ///< Of its file, before it.
  std::uint64_t byte = 0;
  std::size_t file = 0;

  bool on_time() const { return !frontier || at >= *frontier; }
};

struct session_values {
  std::int64_t begin;
  std::int64_t end;
  window_values values;
};

// --- texts ---------------------------------------------------------------------------------------

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::string take_digits(std::string_view& text, std::size_t at_most) {
  std::string digits;
  while (digits.size() < at_most && !text.empty() && text[0] >= '0' && text[0] <= '9') {
    digits += text[0];
    text.remove_prefix(1);
  }
  return digits;
}

/// Exactly `count` digits as a number; -1 when there are fewer.
int take_number(std::string_view& text, std::size_t count) {
  const std::string digits = take_digits(text, count);
  return digits.size() == count ? std::stoi(digits) : -1;
}

/// The first `places` decimals as a whole number, floored. Anything but decimals is no number.
std::optional<std::int64_t> take_decimals(std::string_view& text, std::size_t places,
                                          bool& something_left) {
  std::string digits = take_digits(text, 100);
  if (digits.empty()) return std::nullopt;
  digits.resize(std::max(digits.size(), places), '0');
  something_left = digits.find_first_not_of('0', places) != std::string::npos;
  return places == 0 ? 0 : std::stoll(digits.substr(0, places));
}

std::optional<std::int64_t> epoch_time(std::string_view text, std::size_t places) {
  const bool negative = take(text, "-");
  if (!negative) take(text, "+");
  const std::string whole = take_digits(text, 100);
  if (whole.empty() || whole.size() > 18) return std::nullopt;
  std::optional<std::int64_t> decimals = 0;
  bool something_left = false;
  if (take(text, ".")) decimals = take_decimals(text, places, something_left);
  if (!decimals || !text.empty()) return std::nullopt;
  const auto scale = static_cast<std::int64_t>(std::llround(std::pow(10, places)));
  const std::int64_t size = std::stoll(whole) * scale + *decimals;
  return negative ? -size - (something_left ? 1 : 0) : size;
}

std::optional<std::int64_t> iso_time(std::string_view text) {
  using namespace std::chrono;
  const int year_number = take_number(text, 4);
  if (!take(text, "-")) return std::nullopt;
  const int month_number = take_number(text, 2);
  if (!take(text, "-")) return std::nullopt;
  const int day_number = take_number(text, 2);
  if (year_number < 0 || month_number < 0 || day_number < 0) return std::nullopt;
  const year_month_day date{year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t midnight = microseconds(sys_days(date).time_since_epoch()).count();
  if (text.empty()) return midnight;
  if (!take(text, "Tt ")) return std::nullopt;
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ":")) return std::nullopt;
  const int minute = take_number(text, 2);
  int second = 0;
  std::optional<std::int64_t> decimals = 0;
  if (take(text, ":")) {
    second = take_number(text, 2);
    bool ignored = false;
    if (take(text, ".,")) decimals = take_decimals(text, 6, ignored);
  }
  if (minute < 0 || minute > 59 || second < 0 || second > 59 || !decimals) return std::nullopt;
  std::int64_t zone_minutes = 0;
  if (!take(text, "Zz") && !text.empty()) {
    const bool west = text[0] == '-';
    if (!take(text, "+-")) return std::nullopt;
    const int zone_hours = take_number(text, 2);
    take(text, ":");
    const int rest = text.empty() ? 0 : take_number(text, 2);
    if (zone_hours < 0 || rest < 0) return std::nullopt;
    zone_minutes = (zone_hours * 60 + rest) * (west ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;
  return midnight + ((hour * 60 + minute - zone_minutes) * 60 + second) * 1'000'000 + *decimals;
}

std::optional<std::int64_t> time_of(std::string_view text, time_text format) {
  text = without_blanks(text);
  if (format == time_text::iso) return iso_time(text);
  return epoch_time(text, format == time_text::epoch_s ? 6 : format == time_text::epoch_ms ? 3 : 0);
}

std::optional<double> number_of(std::string_view text) {
  text = without_blanks(text);
  if (!text.starts_with("+-")) take(text, "+");
  double value = 0;
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || after != text.data() + text.size()) return std::nullopt;
  return value;
}

// --- rows ----------------------------------------------------------------------------------------

/// Reads one file: good rows to `rows`, the others to `result`.
void read_file(std::size_t file, std::string_view text, const columns_wanted& columns,
               std::int64_t disorder, std::vector<row>& rows, evaluation& result) {
  const std::vector<parsed_record> records = parse_csv(text);
  const std::vector<std::string>& header = records.at(0).fields;
  const auto column = [&](const std::string& name) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end()) throw std::runtime_error("the evaluator finds no column " + name);
    return static_cast<std::size_t>(found - header.begin());
  };
  const std::size_t time = column(columns.time);
  const std::size_t key = column(columns.key);
  const std::size_t value = column(columns.value);
  std::optional<std::int64_t> largest;
  for (std::size_t number = 1; number < records.size(); ++number) {
    const parsed_record& record = records[number];
    ++result.records;
    std::optional<std::int64_t> at;
    std::optional<double> measured;
    if (record.fields.size() == header.size()) {
      at = time_of(record.fields[time], columns.format);
      measured = number_of(record.fields[value]);
    }
    if (!at || !measured) {
      result.dead.emplace_back(file, record.line);
      continue;
    }
    std::optional<std::int64_t> frontier;
    if (largest) frontier = *largest - disorder;
    rows.push_back({record.fields[key], record.text, *measured, *at, frontier, record.byte, file});
    largest = std::max(largest.value_or(*at), *at);
  }
}

// --- windows -------------------------------------------------------------------------------------

window_values merged(const window_values& a, const window_values& b) {
  if (a.count == 0) return b;
  return {a.count + b.count, a.sum + b.sum, a.magnitude + b.magnitude, std::min(a.min, b.min),
          std::max(a.max, b.max)};
}

window_values only(double value) {
  return {1, value, std::abs(value), value, value};
}

std::int64_t floor_to(std::int64_t number, std::int64_t multiple_of) {
  const std::int64_t rest = number % multiple_of;
  return number - (rest < 0 ? rest + multiple_of : rest);
}

void fixed_windows(const std::vector<row>& rows, const window_definition& of, evaluation& result) {
  for (const row& each : rows) {
    std::size_t windows = 0;
    std::size_t entered = 0;
    std::int64_t begin = floor_to(each.at - of.offset, of.slide) + of.offset;
    for (; begin + of.size > each.at; begin -= of.slide) {
      ++windows;
      if (!each.on_time() && begin + of.size + of.lateness <= *each.frontier) continue;
      ++entered;
      window_values& values = result.windows[{each.key, begin, begin + of.size}];
      values = merged(values, only(each.value));
    }
    if (windows > 0 && entered == 0) result.late.push_back(each.text);
  }
}

/// Merges `each` with the sessions that it overlaps and that its frontier has not closed, or opens
/// one; false when it is late.
bool enter_session(std::vector<session_values>& sessions, const row& each,
                   const window_definition& of) {
  const auto closed = [&](std::int64_t end) {
    return !each.on_time() && end + of.lateness <= *each.frontier;
  };
  session_values grown{each.at, each.at + of.size, only(each.value)};
  const std::size_t others = std::erase_if(sessions, [&](const session_values& other) {
    if (closed(other.end)) return false;
    if (each.at >= other.end || other.begin >= each.at + of.size) return false;
    grown = {std::min(grown.begin, other.begin), std::max(grown.end, other.end),
             merged(grown.values, other.values)};
    return true;
  });
  if (others == 0 && closed(grown.end)) return false;
  sessions.push_back(grown);
  return true;
}

void session_windows(std::vector<row> rows, const window_definition& of, evaluation& result) {
  // First what is on time, in any order; then what is behind, as its turns come.
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) {
    const auto turn = [](const row& x) {
      return std::tuple(!x.on_time(), x.on_time() ? 0 : *x.frontier, x.byte, x.file);
    };
    return turn(a) < turn(b);
  });
  std::map<std::string, std::vector<session_values>> sessions;
  for (const row& each : rows) {
    if (!enter_session(sessions[each.key], each, of)) result.late.push_back(each.text);
  }
  for (const auto& [key, all] : sessions) {
    for (const session_values& each : all) {
      const auto [at, first] = result.windows.insert({{key, each.begin, each.end}, each.values});
      if (!first) throw std::runtime_error("the evaluator finds a session twice: " + key);
    }
  }
}

}  // namespace

std::vector<parsed_record> parse_csv(std::string_view text) {
  std::vector<parsed_record> all;
  std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  std::uint64_t line = 1;
  while (at < text.size()) {
    parsed_record record{{""}, "", at, line};
    bool in_quotes = false;
    bool at_field_begin = true;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (c == '\n') ++line;
      if (c == '\n' && !in_quotes) break;
      std::string& field = record.fields.back();
      const bool may_open = std::exchange(at_field_begin, false);
      if (in_quotes && c == '"' && text.substr(at + 1, 1) != "\"") {
        in_quotes = false;
      } else if (in_quotes) {
        field += c;
        if (c == '"') ++at;  // It is doubled.
      } else if (c == '"' && may_open) {
        in_quotes = true;
      } else if (c == ',') {
        record.fields.emplace_back();
        at_field_begin = true;
      } else {
        field += c;
      }
    }
    record.text = text.substr(record.byte, at - record.byte);
    ++at;
    if (record.text.ends_with('\r')) {
      record.text.pop_back();
      record.fields.back().pop_back();
    }
    if (!record.text.empty()) all.push_back(std::move(record));
  }
  return all;
}

evaluation evaluate(const std::vector<std::string>& texts, const columns_wanted& columns,
                    const window_definition& windows) {
  evaluation result;
  std::vector<row> rows;
  for (std::size_t file = 0; file < texts.size(); ++file) {
    read_file(file, texts[file], columns, windows.disorder, rows, result);
  }
  if (windows.sessions) {
    session_windows(std::move(rows), windows, result);
  } else {
    fixed_windows(rows, windows, result);
  }
  std::sort(result.late.begin(), result.late.end());
  std::sort(result.dead.begin(), result.dead.end());
  return result;
}

}  // namespace csv_windows_test
