// expect: freshet: count needs a function of one row, or a member, that is bool (rows where
// An optional bool: its true ones, or those that are there?
#include <freshet/aggregate/basic.hpp>

#include <optional>

struct payment {
  std::optional<bool> fraud;
};

void add(const payment& row) {
#ifdef FRESHET_FIXED
  const auto known = [](const payment& each) { return each.fraud.has_value(); };
  const auto count = freshet::count("known", known);
#else
  const auto count = freshet::count("known", &payment::fraud);
#endif
  decltype(count)::state state;
  count.add(state, row);
}
