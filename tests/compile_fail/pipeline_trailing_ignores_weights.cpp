// expect: freshet: these records are a sample, and an aggregate of them ignores their weights; use
// A plain count of sampled rows would be too small.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/transform.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

auto velocity(const freshet::stream<freshet::sampled<payment>>& kept) {
  using namespace std::chrono_literals;
#ifdef FRESHET_FIXED
  const auto input =
      kept | freshet::map(&freshet::sampled<payment>::value) | freshet::key_by(&payment::card);
#else
  const auto input =
      kept | freshet::key_by([](const freshet::sampled<payment>& row) { return row.value.card; });
#endif
  return input | freshet::trailing("velocity", {1h}, freshet::count("payments"));
}
