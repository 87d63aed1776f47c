// expect: freshet: these records are changes, and an aggregate of them cannot take a row back
// The maximum of rows that may be taken back.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/group_aggregate.hpp>

#include <cstdint>
#include <string>

struct price {
  std::string category;
  std::int64_t cents = 0;
};
BOOST_DESCRIBE_STRUCT(price, (), (category, cents))

auto totals(const freshet::stream<freshet::change<price>>& prices) {
#ifdef FRESHET_FIXED
  const auto of_category = freshet::sum("cents", &price::cents);
#else
  const auto of_category = freshet::max("cents", &price::cents);
#endif
  return prices | freshet::key_by(&price::category) |
         freshet::group_aggregate("totals", freshet::emit_final{}, of_category);
}
