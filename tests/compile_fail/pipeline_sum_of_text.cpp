// expect: freshet: sum and mean need a number; give &row::member or a function of one row
// A column of text cannot be summed, also not in a window.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <string>

struct payment {
  std::string card;
  double amount = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))

#ifdef FRESHET_FIXED
constexpr auto summed = &payment::amount;
#else
constexpr auto summed = &payment::card;
#endif

auto sums(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card) |
         freshet::window(freshet::tumbling{std::chrono::seconds(1)}) |
         freshet::aggregate("sums", freshet::sum("sum", summed));
}
