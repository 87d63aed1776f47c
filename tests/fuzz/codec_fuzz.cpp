// Fuzzes the codec: any bytes either fail to decode or are a value that is written and read back.
//
// The first byte chooses the type, the rest are its bytes. Run it with AddressSanitizer and
// UndefinedBehaviorSanitizer, which decide what a crash is; a broken promise of ours aborts.
// Threads: one, no state between inputs. Memory: in proportion to the input.
#include "../core/codec_samples.hpp"

#include <freshet/core/schema.hpp>

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

/// What an older build wrote, and what it has become.
struct older {
  std::int32_t count = 0;
  std::string gone;
  std::vector<std::optional<samples::event>> events;
  std::map<std::string, samples::tree> trees;
  std::variant<std::monostate, samples::event> either;
};
BOOST_DESCRIBE_STRUCT(older, (), (count, gone, events, trees, either))

struct newer_event {
  std::uint64_t sequence = 3;
  freshet::timestamp at;
  std::string note = "new";
};
BOOST_DESCRIBE_STRUCT(newer_event, (), (sequence, at, note))

struct newer_tree {
  std::vector<newer_tree> children;
  std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(newer_tree, (), (children, value))

struct newer {
  std::vector<std::optional<newer_event>> events;
  std::map<std::string, newer_tree> trees;
  std::variant<std::monostate, newer_event, bool> either;
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(newer, (), (events, trees, either, count))

/// What decodes as it was written converts to what decodes as it is wanted.
void check_conversion(std::string_view bytes) {
  static const auto convert =
      freshet::value_converter::make(freshet::format_of<older>(), freshet::schema_of<newer>());
  require(convert.ok(), "the formats fit");
  const auto converted = convert->convert(bytes);
  if (!freshet::from_bytes<older>(bytes).ok()) {
    if (converted.ok()) (void)freshet::from_bytes<newer>(*converted);
    return;
  }
  require(converted.ok(), "what can be read can be converted");
  require(freshet::from_bytes<newer>(*converted).ok(), "what was converted is read");
}

/// The first byte says how long the format is that the bytes begin with.
void check_format(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t size = static_cast<unsigned char>(bytes.front());
  const std::string_view format = bytes.substr(1, size);
  bytes.remove_prefix(1 + format.size());
  const auto walk = freshet::value_converter::of(format);
  if (walk.ok()) {
    const auto walked = walk->convert(bytes);
    require(!walked.ok() || *walked == bytes, "a walk changes nothing");
  }
  static const freshet::value_schema wanted = freshet::schema_of<newer>();
  const auto convert = freshet::value_converter::make(format, wanted);
  if (convert.ok()) (void)convert->convert(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 10) {
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
    case 8:
      check_conversion(bytes);
      break;
    case 9:
      check_format(bytes);
      break;
    default:
      check<std::unordered_set<float>>(bytes, false);
      break;
  }
  return 0;
}
