// expect: freshet: trailing needs to know which records belong together; put key_by(&record::key)
// The time before a record is that of its key.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

auto velocity(const freshet::stream<payment>& payments) {
  using namespace std::chrono_literals;
#ifdef FRESHET_FIXED
  const auto input = payments | freshet::key_by(&payment::card);
#else
  const auto input = payments;
#endif
  return input | freshet::trailing("velocity", {1h, 24h}, freshet::count("payments"));
}
