// expect: this enumeration has no fixed underlying type, so damaged bytes could become an undefined
#include <freshet/core/codec.hpp>

#include <string>
#include <vector>

#ifdef FRESHET_FIXED
enum color : int { red, green };
#else
enum color { red, green };
#endif

std::string save(const std::vector<color>& value) {
  return freshet::to_bytes(value);
}
