// expect: freshet: records and keys of windows must be checkpointable; describe them with
// Records that wait at a window go into checkpoints, and nobody said how.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <string>

struct payment {
  std::string card;
  freshet::timestamp at;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (), (card, at))
#endif

auto counts(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card) |
         freshet::window(freshet::tumbling{std::chrono::seconds(1)}) |
         freshet::aggregate("counts", freshet::count("payments"));
}
