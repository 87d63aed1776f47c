#include "queries.hpp"

#include <algorithm>
#include <utility>

namespace nexmark {

const std::vector<query>& all_queries() {
  static const std::vector<query> all = [] {
    std::vector<query> made;
    for (const auto& part : {stateless_queries(), window_queries(), table_queries(),
                             winner_queries(), join_queries()}) {
      made.insert(made.end(), part.begin(), part.end());
    }
    std::sort(made.begin(), made.end(), [](const query& a, const query& b) {
      return std::pair(a.name.size(), a.name) < std::pair(b.name.size(), b.name);
    });
    return made;
  }();
  return all;
}

}  // namespace nexmark
