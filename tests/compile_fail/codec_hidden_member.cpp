// expect: this description holds members that are not public or are hidden by a derived struct
#include <freshet/core/codec.hpp>

#include <cstdint>
#include <string>

struct event {
  std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(event, (), (at))

#ifdef FRESHET_FIXED
struct payment : event {
  std::int64_t paid_at = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (event), (paid_at))
#else
struct payment : event {
  std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (event), (at))
#endif

std::string save(const payment& value) {
  return freshet::to_bytes(value);
}
