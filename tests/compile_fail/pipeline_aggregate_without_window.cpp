// expect: freshet: aggregate needs windows; put window(tumbling{...}) before it
// An aggregate directly over a keyed stream.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <string>

struct payment {
  std::string card;
  freshet::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, at))

auto counts(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card)
#ifdef FRESHET_FIXED
         | freshet::window(freshet::tumbling{std::chrono::seconds(1)})
#endif
         | freshet::aggregate("counts", freshet::count("payments"));
}
