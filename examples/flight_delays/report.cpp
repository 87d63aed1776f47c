#include "report.hpp"

#include <fmt/core.h>

#include <functional>

void worst_of_each::add(const std::string& name, freshet::timestamp begin, std::uint64_t count,
                        double value) {
  const auto [found, is_new] = worst_.try_emplace(name, row{begin, count, value});
  if (!is_new && value > found->second.value) found->second = {begin, count, value};
}

void worst_of_each::print(const std::string& title, const std::string& count_title,
                          const std::string& value_title, int rows_max) const {
  std::multimap<double, std::map<std::string, row>::const_iterator, std::greater<>> sorted;
  for (auto each = worst_.begin(); each != worst_.end(); ++each) {
    sorted.emplace(each->second.value, each);
  }
  fmt::print("{:<14}{:<18}{:>10}{:>16}\n", title, "from", count_title, value_title);
  for (const auto& [value, each] : sorted) {
    if (rows_max-- == 0) break;
    fmt::print("  {:<12}{:<18.16}{:>10}{:>16.1f}\n", each->first,
               freshet::to_iso_8601(each->second.begin), each->second.count, value);
  }
}

void sample_check::print() const {
  const auto percent = [](std::uint64_t part, std::uint64_t of) {
    return of == 0 ? 0.0 : 100 * static_cast<double>(part) / static_cast<double>(of);
  };
  fmt::print("training set  kept {} of {} arrivals ({:.1f} %)\n", kept_, all_,
             percent(kept_, all_));
  fmt::print("  late        {:.1f} % of all arrivals, {:.1f} % of those kept\n",
             percent(all_late_, all_), percent(kept_late_, kept_));
  fmt::print("  estimate    {:.0f} late arrivals by weight; there were {}\n", estimated_late_,
             all_late_);
}
