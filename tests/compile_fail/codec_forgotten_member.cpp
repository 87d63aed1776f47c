// expect: this description leaves out a member, which would be lost at a restart
#include <freshet/core/codec.hpp>

#include <optional>
#include <string>

struct payment {
  std::string card;
  std::optional<double> amount;  // Added later, and forgotten below.
  bool fraud = false;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, fraud))
#else
BOOST_DESCRIBE_STRUCT(payment, (), (card, fraud))
#endif

std::string save(const payment& value) {
  return freshet::to_bytes(value);
}
