// expect: freshet: this assigner does not fit these records; give it
// Sessions whose gap stands in records of another stream.
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session_by.hpp>

#include <string>

struct payment {
  std::string card;
  freshet::duration pause;
};
struct visit {
  std::string page;
  freshet::duration stay;
};

#ifdef FRESHET_FIXED
constexpr auto gap = &payment::pause;
#else
constexpr auto gap = &visit::stay;
#endif

auto sessions(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card) | freshet::window(freshet::session_by(gap));
}
