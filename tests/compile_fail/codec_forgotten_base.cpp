// expect: this description leaves out a member, which would be lost at a restart
#include <freshet/core/codec.hpp>

#include <cstdint>
#include <string>

struct event {
  std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(event, (), (at))

struct payment : event {
  std::string card;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (event), (card))
#else
BOOST_DESCRIBE_STRUCT(payment, (), (card))
#endif

std::string save(const payment& value) {
  return freshet::to_bytes(value);
}
