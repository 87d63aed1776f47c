// Fuzzes the codec: any bytes either fail to decode or are a value that is written and read back.
//
// The first byte chooses the type, the rest are its bytes. Run it with AddressSanitizer and
// UndefinedBehaviorSanitizer, which decide what a crash is; a broken promise of ours aborts.
// Threads: one, no state between inputs. Memory: in proportion to the input.
#include "../core/codec_samples.hpp"

#include <freshet/core/codec.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace {

void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "codec_fuzz: does not hold: %s\n", sentence);
  std::abort();
}

// `one_spelling`: the type has no sets or maps, so that no two inputs decode to one value.
template <class T>
void check(std::string_view bytes, bool one_spelling) {
  const absl::StatusOr<T> read = freshet::from_bytes<T>(bytes);
  if (!read.ok()) {
    require(read.status().code() == absl::StatusCode::kDataLoss, "a failure is a data loss");
    return;
  }
  const std::string again = freshet::to_bytes(*read);
  if (one_spelling) require(again == bytes, "a value is written as it was read");
  const absl::StatusOr<T> read_again = freshet::from_bytes<T>(again);
  require(read_again.ok(), "what was written is read");
  // Bytes, not values, are compared: a NaN differs from itself.
  require(freshet::to_bytes(*read_again) == again, "equal values are written alike");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      check<samples::payment>(bytes, true);
      break;
    case 1:
      check<samples::order>(bytes, false);
      break;
    case 2:
      check<samples::state>(bytes, false);
      break;
    case 3:
      check<samples::tree>(bytes, false);
      break;
    case 4:
      check<std::vector<std::optional<std::vector<double>>>>(bytes, true);
      break;
    case 5:
      check<std::unordered_map<std::string, std::map<double, std::vector<bool>>>>(bytes, false);
      break;
    case 6:
      check<std::vector<std::variant<std::monostate, std::string, std::array<std::uint16_t, 2>>>>(
          bytes, true);
      break;
    default:
      check<std::unordered_set<float>>(bytes, false);
      break;
  }
  return 0;
}
