// expect: freshet: an aggregate needs `void merge(state& into, const state& from) const`
// An application's aggregate that cannot join partial states.
#include <freshet/aggregate/aggregate.hpp>

#include <boost/describe/class.hpp>

#include <string>

struct events {
  struct state {
    int rows = 0;
  };
  std::string name;
  void add(state& to, int) const { ++to.rows; }
#ifdef FRESHET_FIXED
  void merge(state& into, const state& from) const { into.rows += from.rows; }
#endif
  int result(const state& of) const { return of.rows; }
};
BOOST_DESCRIBE_STRUCT(events::state, (), (rows))

static_assert(freshet::require_aggregate<events, int>());
