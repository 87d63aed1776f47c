// expect: freshet: the rows of trailing extend the record, and this type cannot be extended; map it
// A row is its record and more, and nothing can be more than a number.
#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/transform.hpp>

struct reading {
  int value = 0;
};
BOOST_DESCRIBE_STRUCT(reading, (), (value))

auto velocity(const freshet::stream<int>& numbers) {
  using namespace std::chrono_literals;
#ifdef FRESHET_FIXED
  const auto input = numbers | freshet::map([](int number) { return reading{number}; }) |
                     freshet::key_by(&reading::value);
#else
  const auto input = numbers | freshet::key_by([](int number) { return number; });
#endif
  return input | freshet::trailing("velocity", {1h}, freshet::count("readings"));
}
