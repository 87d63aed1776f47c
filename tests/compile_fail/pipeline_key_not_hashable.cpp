// expect: freshet: this type cannot be a key; use integers, strings, enums, tuples or described
// A key that has no hash that outlives a run.
#include <freshet/pipeline/keying.hpp>

#include <string>

struct card_number {
  std::string digits;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(card_number, (), (digits))
#endif

struct payment {
  card_number card;
};

auto keyed(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card);
}
