// expect: freshet: first, last, and collect keep the value in a checkpoint;
// A struct without a description has no place in checkpoints.
#include <freshet/aggregate/ordered.hpp>

#include <boost/describe/class.hpp>

struct place {
  int line = 0;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(place, (), (line))
#endif

struct event {
  place at;
};

const auto places = freshet::collect("places", &event::at);

static_assert(freshet::aggregate_of<std::remove_const_t<decltype(places)>, event>);
