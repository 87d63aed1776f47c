// expect: freshet: these records are changes; deduplicate and top_n cannot take rows back
// The best of rows that may be taken back.
#include <freshet/pipeline/top_n.hpp>

#include <cstdint>
#include <string>

struct price {
  std::string category;
  std::int64_t cents = 0;
};
BOOST_DESCRIBE_STRUCT(price, (), (category, cents))

#ifdef FRESHET_FIXED
using row = price;
#else
using row = freshet::change<price>;
#endif

auto best(const freshet::stream<row>& prices) {
  return prices | freshet::key_by(&price::category) |
         freshet::top_n("best", 3, &price::cents, freshet::emit_final{});
}
