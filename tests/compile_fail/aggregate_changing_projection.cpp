// expect: freshet: variance and stddev cannot read this row type; give &row::member, or a function
// Aggregates call functions on a const object; one that changes itself cannot be called so.
#include <freshet/aggregate/moments.hpp>

struct payment {
  double amount = 0;
};

#ifdef FRESHET_FIXED
const auto spread = freshet::stddev("spread", [](const payment& row) { return row.amount; });
#else
const auto spread = freshet::stddev(
    "spread", [seen = 0](const payment& row) mutable { return row.amount / ++seen; });
#endif

static_assert(freshet::aggregate_of<std::remove_const_t<decltype(spread)>, payment>);
