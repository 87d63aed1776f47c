// expect: freshet: these records are a sample, and an aggregate of them ignores their weights; use
// A plain count of sampled rows would be too small.
#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/estimate.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

auto counts(const freshet::stream<freshet::sampled<payment>>& kept) {
#ifdef FRESHET_FIXED
  const auto count = freshet::estimated_count("payments");
#else
  const auto count = freshet::count("payments");
#endif
  return kept |
         freshet::key_by([](const freshet::sampled<payment>& row) { return row.value.card; }) |
         freshet::window(freshet::tumbling{std::chrono::seconds(1)}) |
         freshet::aggregate("counts", count);
}
