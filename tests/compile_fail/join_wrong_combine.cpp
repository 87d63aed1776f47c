// expect: freshet: a left join needs a function (const left&, const right*) that returns a row
// The function takes a record where there may be none.
#include <freshet/pipeline/interval_join.hpp>

struct view {
  int page = 0;
};
BOOST_DESCRIBE_STRUCT(view, (), (page))

struct click {
  int page = 0;
};
BOOST_DESCRIBE_STRUCT(click, (), (page))

#ifdef FRESHET_FIXED
int combine(const view& v, const click* c) {
  return c ? c->page : v.page;
}
#else
int combine(const view& v, const click& c) {
  return c.page + v.page;
}
#endif

auto joined(const freshet::stream<view>& views, const freshet::stream<click>& clicks) {
  return views | freshet::key_by(&view::page) |
         freshet::interval_join<freshet::join_type::left>(
             "near", clicks | freshet::key_by(&click::page), freshet::between{}, combine);
}
