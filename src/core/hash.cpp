// The one place that includes xxHash: the stable hash of bytes.
#include <freshet/core/hash.hpp>

// Compiled in, not linked: short keys then cost no call through the linker's table, and the result
// cannot change with the library that happens to be installed.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace freshet::detail {

static_assert(XXH_VERSION_NUMBER >= 800, "XXH3 is stable since xxHash 0.8.0; install a newer one");

std::uint64_t hash_bytes(const void* data, std::size_t size) noexcept {
  return XXH3_64bits(data, size);
}

}  // namespace freshet::detail
