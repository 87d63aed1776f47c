// expect: freshet: the two streams have keys of different types
// A page is a number here and a text there.
#include <freshet/pipeline/join.hpp>

#include <string>

struct view {
  int page = 0;
};
BOOST_DESCRIBE_STRUCT(view, (), (page))

struct click {
#ifdef FRESHET_FIXED
  int page = 0;
#else
  std::string page;
#endif
};
BOOST_DESCRIBE_STRUCT(click, (), (page))

auto joined(const freshet::stream<view>& views, const freshet::stream<click>& clicks) {
  return views | freshet::key_by(&view::page) |
         freshet::join("pairs", clicks | freshet::key_by(&click::page),
                       [](const view& v, const click&) { return v.page; });
}
