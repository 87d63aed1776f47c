// expect: freshet: lookup needs to know which row each record wants; put key_by(&record::key)
#include <freshet/pipeline/table.hpp>

struct view {
  int page = 0;
};
BOOST_DESCRIBE_STRUCT(view, (), (page))

struct page {
  int id = 0;
};
BOOST_DESCRIBE_STRUCT(page, (), (id))

auto joined(const freshet::stream<view>& views, const freshet::stream<page>& pages) {
  const auto table = pages | freshet::key_by(&page::id) | freshet::table("pages");
  const auto lookup =
      freshet::lookup("page", table, [](const view&, const page& p) { return p.id; });
#ifdef FRESHET_FIXED
  return views | freshet::key_by(&view::page) | lookup;
#else
  return views | lookup;
#endif
}
