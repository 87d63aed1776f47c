// expect: freshet: distinct needs values with a stable hash, ==, and a place in checkpoints;
// Addresses differ from run to run and mean nothing in a checkpoint.
#include <freshet/aggregate/distinct.hpp>

struct payment {
  const char* shop = "";
  int shop_number = 0;
};

#ifdef FRESHET_FIXED
const auto shops = freshet::distinct("shops", &payment::shop_number);
#else
const auto shops = freshet::distinct("shops", &payment::shop);
#endif

static_assert(freshet::aggregate_of<std::remove_const_t<decltype(shops)>, payment>);
