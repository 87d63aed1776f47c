#include "loops.hpp"

#include "loop_driver.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace nexmark {

namespace {

const std::vector<loop_entry>& all_loops() {
  static const std::vector<loop_entry> all = [] {
    std::vector<loop_entry> made;
    for (const auto& part : {stateless_loops(), window_loops(), table_loops(), join_loops()}) {
      made.insert(made.end(), part.begin(), part.end());
    }
    // q2 before q10.
    std::sort(made.begin(), made.end(), [](const loop_entry& a, const loop_entry& b) {
      return std::pair(a.query.size(), a.query) < std::pair(b.query.size(), b.query);
    });
    return made;
  }();
  return all;
}

const loop_entry& loop_of(std::string_view query) {
  const auto found = std::find_if(all_loops().begin(), all_loops().end(),
                                  [query](const loop_entry& each) { return each.query == query; });
  assert(found != all_loops().end());
  return *found;
}

}  // namespace

const std::vector<std::string_view>& loop_queries() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> made;
    for (const loop_entry& each : all_loops()) made.push_back(each.query);
    return made;
  }();
  return names;
}

kinds loop_wants(std::string_view query) {
  return loop_of(query).wanted;
}

loop_result run_loop(std::string_view query, const log_options& log, const segment* pregenerated,
                     bool hashed) {
  const loop_entry& loop = loop_of(query);
  return (hashed ? loop.hashed : loop.digested)(log, pregenerated);
}

}  // namespace nexmark
