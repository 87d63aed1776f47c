// expect: freshet: this pattern is of another type than the records
// A pattern of refunds, looked for among payments.
#include <freshet/pipeline/match.hpp>

#include <string>

struct refund {
  std::string card;
};
struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(refund, (), (card))
BOOST_DESCRIBE_STRUCT(payment, (), (card))

#ifdef FRESHET_FIXED
using wanted = payment;
#else
using wanted = refund;
#endif

auto found(const freshet::stream<payment>& payments) {
  const auto any = freshet::begin("any", [](const wanted&) { return true; });
  return payments | freshet::key_by(&payment::card) | freshet::match("m", any);
}
