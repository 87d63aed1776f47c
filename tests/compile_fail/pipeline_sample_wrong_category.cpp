// expect: freshet: this sampler does not fit these records; check that its member pointer or
// A list is no category.
#include <freshet/pipeline/sampling.hpp>
#include <freshet/sampling/rarity.hpp>

#include <vector>

struct payment {
  bool fraud = false;
  std::vector<int> items;
};
BOOST_DESCRIBE_STRUCT(payment, (), (fraud, items))

#ifdef FRESHET_FIXED
constexpr auto category = &payment::fraud;
#else
constexpr auto category = &payment::items;
#endif

auto training_set(const freshet::stream<payment>& payments) {
  return payments | freshet::sample("training", freshet::rarity(category, {.rate = 0.4}));
}
