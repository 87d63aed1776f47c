// expect: freshet: estimates need rows with a weight, as sample(...) gives them; use count, sum, or
// An estimate over records that are all there.
#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/estimate.hpp>

struct payment {
  double amount = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (), (amount))

double total(const payment& row) {
#ifdef FRESHET_FIXED
  const auto sum = freshet::sum("total", &payment::amount);
  freshet::aggregate_state<decltype(sum), payment> state;
#else
  const auto sum = freshet::estimated_sum("total", &payment::amount);
  freshet::aggregate_state<decltype(sum), payment> state;
#endif
  sum.add(state, row);
  return sum.result(state);
}
