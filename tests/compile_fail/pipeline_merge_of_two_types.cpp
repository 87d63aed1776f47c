// expect: freshet: merge needs streams of one type; map them to a common type first
// Streams of different rows do not merge.
#include <freshet/pipeline/transform.hpp>

#include <string>

#ifdef FRESHET_FIXED
using second = int;
#else
using second = std::string;
#endif

auto merged(const freshet::stream<int>& some, const freshet::stream<second>& more) {
  return freshet::merge(some, more);
}
