// expect: freshet: min and max cannot read this row type; give &row::member, or a function
// The member of one row type, asked of rows of another.
#include <freshet/aggregate/basic.hpp>

struct payment {
  double amount = 0;
};
struct refund {
  double amount = 0;
};

#ifdef FRESHET_FIXED
const auto largest = freshet::max("largest", &refund::amount);
#else
const auto largest = freshet::max("largest", &payment::amount);
#endif

static_assert(freshet::aggregate_of<std::remove_const_t<decltype(largest)>, refund>);
