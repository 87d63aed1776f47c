// Sets of rows, compared through maps and sorted lists.
#include "csv_windows/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <system_error>
#include <utility>

namespace csv_windows_test {

namespace {

constexpr double tolerance = 1e-12;
constexpr std::size_t differences_shown = 5;

/// Collects the first few differences.
class difference_list {
 public:
  void add(const std::string& difference) {
    if (++count_ <= differences_shown) text_ += difference + "\n";
  }
  std::string text() const {
    return count_ <= differences_shown ? text_ : text_ + fmt::format("{} in all\n", count_);
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

/// A cell that must be a whole number or a double and nothing else; marks `wrong` when it is not.
template <class Number>
Number number_cell(const std::string& text, bool& wrong) {
  Number value{};
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  wrong = wrong || error != std::errc{} || after != text.data() + text.size();
  return value;
}

std::string as_text(const window_identity& window) {
  const auto& [key, begin, end] = window;
  return fmt::format("key '{}' [{}, {})", key, begin, end);
}

/// What is wrong with the row `cells` of a window with these values; empty when nothing is.
std::string row_difference(const std::vector<std::string>& cells, const window_values& wanted) {
  bool wrong = false;
  const auto count = number_cell<std::uint64_t>(cells[3], wrong);
  const auto sum = number_cell<double>(cells[4], wrong);
  const auto min = number_cell<double>(cells[5], wrong);
  const auto max = number_cell<double>(cells[6], wrong);
  const auto mean = number_cell<double>(cells[7], wrong);
  const long double error_allowed = tolerance * wanted.magnitude;
  const auto rows = static_cast<long double>(wanted.count);
  wrong = wrong || count != wanted.count || min != wanted.min || max != wanted.max ||
          !(std::abs(sum - wanted.sum) <= error_allowed) ||
          !(std::abs(mean * rows - wanted.sum) <= error_allowed);
  if (!wrong) return "";
  return fmt::format("found count {} sum {} min {} max {} mean {}, wanted {} {} {} {} {}", cells[3],
                     cells[4], cells[5], cells[6], cells[7], wanted.count,
                     static_cast<double>(wanted.sum), wanted.min, wanted.max,
                     static_cast<double>(wanted.sum / rows));
}

/// How two sorted lists differ.
template <class Item, class Text>
void compare_lists(const std::vector<Item>& found, const std::vector<Item>& wanted,
                   const Text& text_of, difference_list& differences) {
  std::vector<Item> only;
  std::set_difference(found.begin(), found.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(only));
  for (const Item& each : only) differences.add("unwanted: " + text_of(each));
  only.clear();
  std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(),
                      std::back_inserter(only));
  for (const Item& each : only) differences.add("missing: " + text_of(each));
}

}  // namespace

std::string window_differences(const std::string& out, const evaluation& wanted) {
  const std::vector<parsed_record> rows = parse_csv(out);
  if (rows.empty() || rows[0].text != "key,window_start,window_end,count,sum,min,max,mean") {
    return "the header is not the one of the contract\n";
  }
  difference_list differences;
  std::set<window_identity> found;
  for (std::size_t number = 1; number < rows.size(); ++number) {
    const std::vector<std::string>& cells = rows[number].fields;
    bool wrong = cells.size() != 8;
    if (wrong) {
      differences.add("no row of a window: " + rows[number].text);
      continue;
    }
    const window_identity window{cells[0], number_cell<std::int64_t>(cells[1], wrong),
                                 number_cell<std::int64_t>(cells[2], wrong)};
    const auto here = wanted.windows.find(window);
    if (wrong || here == wanted.windows.end()) {
      differences.add("unwanted: " + rows[number].text);
    } else if (!found.insert(window).second) {
      differences.add("twice: " + rows[number].text);
    } else if (const std::string what = row_difference(cells, here->second); !what.empty()) {
      differences.add(as_text(window) + ": " + what);
    }
  }
  for (const auto& [window, values] : wanted.windows) {
    if (!found.contains(window)) differences.add("missing: " + as_text(window));
  }
  return differences.text();
}

std::string late_differences(const std::string& late, const std::string& header,
                             const evaluation& wanted) {
  const std::vector<parsed_record> rows = parse_csv(late);
  if (rows.empty() || rows[0].text != header) return "the header is not the one of the input\n";
  std::vector<std::string> found;
  for (std::size_t number = 1; number < rows.size(); ++number) found.push_back(rows[number].text);
  std::sort(found.begin(), found.end());
  difference_list differences;
  compare_lists(found, wanted.late, [](const std::string& text) { return text; }, differences);
  return differences.text();
}

std::string dead_differences(const std::string& dead, const std::vector<std::string>& files,
                             const evaluation& wanted) {
  const std::vector<parsed_record> rows = parse_csv(dead);
  if (rows.empty() || rows[0].text != "file,line,reason,record") return "the header is another\n";
  difference_list differences;
  std::vector<std::pair<std::size_t, std::uint64_t>> found;
  for (std::size_t number = 1; number < rows.size(); ++number) {
    const std::vector<std::string>& cells = rows[number].fields;
    const auto file = std::find(files.begin(), files.end(), cells[0]);
    bool wrong = file == files.end() || cells.size() != 4 || cells[2].empty();
    const auto line = wrong ? 0 : number_cell<std::uint64_t>(cells[1], wrong);
    if (wrong) differences.add("no row of a dead record: " + rows[number].text);
    found.emplace_back(static_cast<std::size_t>(file - files.begin()), line);
  }
  std::sort(found.begin(), found.end());
  const auto text_of = [&](const std::pair<std::size_t, std::uint64_t>& each) {
    return fmt::format("{}:{}", files.at(each.first), each.second);
  };
  compare_lists(found, wanted.dead, text_of, differences);
  return differences.text();
}

std::string summary_differences(const std::string& summary, const evaluation& wanted) {
  const std::string begin =
      fmt::format("csv_windows: records={} late={} dead={} windows={} seconds=", wanted.records,
                  wanted.late.size(), wanted.dead.size(), wanted.windows.size());
  if (summary.starts_with(begin) && summary.find('\n') + 1 == summary.size()) return "";
  return fmt::format("found '{}', wanted '{}...'\n", summary, begin);
}

}  // namespace csv_windows_test
