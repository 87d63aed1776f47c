// expect: freshet: this type has no stable hash and cannot be a key
#include <freshet/core/hash.hpp>

#include <cstdint>
#include <string>
#include <utility>

struct place {
  std::string city;
  int district = 0;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(place, (), (city, district))
#endif

std::uint64_t hash_of(const std::pair<place, int>& key) {
  return freshet::stable_hash(key);
}
