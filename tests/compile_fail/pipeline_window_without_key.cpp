// expect: freshet: window needs to know which records belong together; put key_by(&record::key)
// Windows directly over a stream.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <string>

struct payment {
  std::string card;
  freshet::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, at))

auto windows(const freshet::stream<payment>& payments) {
  return payments
#ifdef FRESHET_FIXED
         | freshet::key_by(&payment::card)
#endif
         | freshet::window(freshet::tumbling{std::chrono::seconds(1)});
}
