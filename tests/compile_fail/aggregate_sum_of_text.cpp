// expect: freshet: sum and mean need a number; give &row::member or a function of one row
// A column of text cannot be summed.
#include <freshet/aggregate/basic.hpp>

#include <string>

struct payment {
  std::string card;
  double amount = 0;
};

#ifdef FRESHET_FIXED
const auto total = freshet::sum("total", &payment::amount);
#else
const auto total = freshet::sum("total", &payment::card);
#endif

static_assert(freshet::aggregate_of<std::remove_const_t<decltype(total)>, payment>);
