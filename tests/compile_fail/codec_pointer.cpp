// expect: freshet: this type cannot be checkpointed
#include <freshet/core/codec.hpp>

#include <string>

#ifdef FRESHET_FIXED
using name = std::string;
#else
using name = const char*;
#endif

absl::StatusOr<name> load(const std::string& bytes) {
  return freshet::from_bytes<name>(bytes);
}
