#include "guard.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string_view>

namespace kernels {

namespace {

constexpr double most_change = 0.05;
constexpr std::string_view update_command =
    "build/release/bench/kernel_instructions bench/kernels/baseline.txt --update";

std::optional<double> find(const counts& in, const std::string& name) {
  const auto found =
      std::find_if(in.begin(), in.end(), [&](const auto& each) { return each.first == name; });
  return found == in.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::optional<dump> read_dump(std::istream& in) {
  constexpr std::string_view trigger = "desc: Trigger: Client Request: ";
  constexpr std::string_view total = "totals: ";
  std::optional<std::string> name;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(trigger)) name = line.substr(trigger.size());
    if (!name || !line.starts_with(total)) continue;
    dump found{*name, 0};
    const char* const end = line.data() + line.size();
    if (std::from_chars(line.data() + total.size(), end, found.total).ec != std::errc()) break;
    return found;
  }
  return std::nullopt;
}

std::string read_baseline(std::istream& in, baseline& known) {
  known = {};
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("compiler ")) {
      known.compiler = line.substr(9);
      continue;
    }
    std::istringstream words(line);
    std::string name, rest;
    double instructions = 0;
    if (!(words >> name >> instructions) || words >> rest || !(instructions > 0)) {
      return fmt::format("line {}: found '{}', wanted a kernel and its instructions per event",
                         number, line);
    }
    if (find(known.of, name)) return fmt::format("line {}: '{}' is there twice", number, name);
    known.of.emplace_back(name, instructions);
  }
  if (known.compiler.empty()) return "there is no line 'compiler VERSION'";
  if (known.of.empty()) return "there is no kernel in it";
  return "";
}

std::string text_of(const baseline& known) {
  std::string text =
      "# Instructions per event of the main kernels, release preset. Written by\n# " +
      std::string(update_command) + "\n";
  text += "compiler " + known.compiler + "\n";
  for (const auto& [name, instructions] : known.of) {
    text += fmt::format("{} {:.2f}\n", name, instructions);
  }
  return text;
}

verdict judge(const counts& found, const counts& known) {
  verdict result{true, ""};
  bool fails = false;
  bool less = false;
  for (const auto& [name, now] : found) {
    const std::optional<double> before = find(known, name);
    if (!before) {
      result.text +=
          fmt::format("{:10} {:9.2f} instructions per event, not in the baseline\n", name, now);
      fails = true;
      continue;
    }
    const double change = now / *before - 1;
    result.text += fmt::format("{:10} {:9.2f} instructions per event, baseline {:.2f}, {:+.1f} %\n",
                               name, now, *before, 100 * change);
    fails |= !(change <= most_change);
    less |= change < -most_change;
  }
  for (const auto& [name, before] : known) {
    if (find(found, name)) continue;
    result.text +=
        fmt::format("{:10} in the baseline with {:.2f}, was not counted\n", name, before);
    fails = true;
  }
  if (fails) {
    result.text += fmt::format(
        "a kernel takes more than {:.0f} % more instructions than its baseline, is new, or is "
        "gone; "
        "make it cheaper, or, if it must be so, say why in the commit that updates the baseline:\n"
        "  {}\n",
        100 * most_change, update_command);
  } else if (less) {
    result.text += fmt::format(
        "cheaper than the baseline; let it say so, or the next regression hides in "
        "what was won:\n  {}\n",
        update_command);
  }
  result.holds = !fails;
  return result;
}

}  // namespace kernels
