// expect: freshet: window_join knows no sessions
#include <freshet/pipeline/window_join.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

struct view {
  int page = 0;
};
BOOST_DESCRIBE_STRUCT(view, (), (page))

#ifdef FRESHET_FIXED
using windows = freshet::tumbling;
#else
using windows = freshet::session;
#endif

auto joined(const freshet::stream<view>& views) {
  const auto keyed = views | freshet::key_by(&view::page);
  return keyed | freshet::window_join("same", keyed, windows{std::chrono::seconds(1)},
                                      [](const view& a, const view&) { return a.page; });
}
