// expect: freshet: the function given to map returns nothing; use to(callback(...)) for side
// A map that only has side effects.
#include <freshet/pipeline/transform.hpp>

int total = 0;

auto mapped(const freshet::stream<int>& numbers) {
  return numbers | freshet::map([](int number) {
#ifdef FRESHET_FIXED
           return total += number;
#else
           total += number;
#endif
         });
}
