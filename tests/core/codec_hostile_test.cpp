// Damaged and hostile bytes: always an error or a value, never a crash or a large allocation.
#include <freshet/core/codec.hpp>

#include "catch.hpp"
#include "codec_samples.hpp"

#include <limits>
#include <map>
#include <new>
#include <string>
#include <unordered_set>
#include <vector>

namespace fr = freshet;
using namespace std::string_literals;
using Catch::Matchers::Contains;

namespace {

template <class T>
std::string message_of(const std::string& bytes) {
  const absl::StatusOr<T> read = fr::from_bytes<T>(bytes);
  if (read.ok()) return "no failure";
  CHECK(read.status().code() == absl::StatusCode::kDataLoss);
  return std::string(read.status().message());
}

// Whatever decodes is a value like any other: written again, it is read back as itself. Without
// sets and maps, whose entries may come in any order, there is but one spelling of each value.
template <class T>
void check_damaged(const std::string& bytes, bool one_spelling) {
  const absl::StatusOr<T> read = fr::from_bytes<T>(bytes);
  if (!read.ok()) return;
  const std::string again = fr::to_bytes(*read);
  if (one_spelling) REQUIRE(again == bytes);
  const absl::StatusOr<T> read_again = fr::from_bytes<T>(again);
  REQUIRE(read_again.ok());
  REQUIRE(fr::to_bytes(*read_again) == again);
}

template <class T>
void check_every_cut_and_flip(std::uint64_t seed, bool one_spelling) {
  samples::generator random(seed);
  for (int round = 0; round < 20; ++round) {
    const std::string bytes = fr::to_bytes(random.value<T>());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CAPTURE(seed, round, size);
      REQUIRE_FALSE(fr::from_bytes<T>(std::string_view(bytes).substr(0, size)).ok());
    }
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      CAPTURE(seed, round, bit);
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      check_damaged<T>(flipped, one_spelling);
    }
  }
}

template <class T>
void check_noise(std::uint64_t seed) {
  samples::generator random(seed);
  for (int round = 0; round < 20'000; ++round) {
    CAPTURE(seed, round);
    std::string bytes(random.below(64), '\0');
    for (char& each : bytes)
      each = static_cast<char>(random.below(4) > 0 ? random.below(4) : random.below(256));
    check_damaged<T>(bytes, false);
  }
}

// Counts what a container asks for, so that a test can tell how much hostile bytes could allocate.
std::size_t allocated_bytes = 0;

template <class T>
struct counting_allocator {
  using value_type = T;
  counting_allocator() = default;
  template <class U>
  counting_allocator(const counting_allocator<U>&) {}
  T* allocate(std::size_t count) {
    allocated_bytes += count * sizeof(T);
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* memory, std::size_t count) { std::allocator<T>().deallocate(memory, count); }
  bool operator==(const counting_allocator&) const = default;
};

template <class T>
using counted_vector = std::vector<T, counting_allocator<T>>;

// A vector of vectors of ... of no vectors, `depth` vectors in all.
std::string nested_bytes(std::size_t depth) {
  std::string bytes;
  for (std::size_t level = 1; level < depth; ++level) bytes += "\0\0\1"s;  // value, one child
  bytes += "\0\0\0"s;
  for (std::size_t level = 0; level < depth; ++level) bytes += '\0';  // no named children
  return bytes;
}

samples::tree chain(std::size_t depth) {
  samples::tree root;
  samples::tree* tip = &root;
  for (std::size_t level = 1; level < depth; ++level) tip = &tip->children.emplace_back();
  return root;
}

}  // namespace

TEST_CASE("codec refuses every cut and survives every flipped bit", "[core][codec][hostile]") {
  check_every_cut_and_flip<samples::payment>(11, true);
  check_every_cut_and_flip<samples::order>(14, false);
  check_every_cut_and_flip<samples::state>(12, false);
  check_every_cut_and_flip<samples::tree>(13, false);
}

TEST_CASE("codec survives noise", "[core][codec][hostile]") {
  check_noise<samples::order>(21);
  check_noise<samples::state>(22);
  check_noise<samples::tree>(23);
  check_noise<std::vector<std::vector<std::string>>>(24);
}

TEST_CASE("codec refuses counts that what is left cannot hold", "[core][codec][hostile]") {
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s;  // 2^64 - 1
  CHECK_THAT(message_of<std::string>(huge + "abc"),
             Contains("byte 10 of 13: a count of 18446744073709551615 found, at most 3 fit"));
  CHECK_THAT(message_of<std::vector<double>>(huge), Contains("at most 0 fit"));
  CHECK_THAT(message_of<std::vector<std::string>>(huge), Contains("at most 0 fit"));
  CHECK_THAT((message_of<std::map<int, int>>(huge)), Contains("at most 0 fit"));
  CHECK_THAT(message_of<std::unordered_set<int>>(huge), Contains("at most 0 fit"));
  CHECK_THAT(message_of<std::vector<std::monostate>>(huge), Contains("at most 0 fit"));
  CHECK_THAT(message_of<std::vector<double>>("\x02" + std::string(15, '\0')),
             Contains("a count of 2 found, at most 1 fit"));
}

TEST_CASE("codec allocates no more than the bytes could fill", "[core][codec][hostile]") {
  // The count fits, 4,000 elements of a byte or more; but they would take 128 MB, and fail at once.
  using large = std::optional<std::array<double, 4000>>;
  const std::string bytes = "\xa0\x1f" + std::string(4000, '\7');
  allocated_bytes = 0;
  CHECK_THAT(message_of<counted_vector<large>>(bytes), Contains("flag 7 found"));
  CHECK(allocated_bytes <= sizeof(large));

  allocated_bytes = 0;
  CHECK_THAT(message_of<counted_vector<std::string>>("\xa0\x1f" + std::string(4000, '\x7f')),
             Contains("byte"));
  CHECK(allocated_bytes <= 4000 + sizeof(std::string));
}

TEST_CASE("codec refuses a second spelling of a value", "[core][codec][hostile]") {
  CHECK_THAT(message_of<bool>("\x02"s), Contains("flag 2 found, 0 or 1 wanted"));
  CHECK_THAT(message_of<std::string>("\x80\x00"s), Contains("longer than it must be"));
  CHECK_THAT(message_of<std::string>(std::string(9, '\xff') + "\x02"), Contains("above 2^64 - 1"));
  CHECK_THAT(message_of<std::string>(std::string(12, '\xff')), Contains("above 2^64 - 1"));
  CHECK_THAT(message_of<std::monostate>("\x01"), Contains("byte 1 found, 0 wanted"));
  CHECK_THAT(message_of<std::set<bool>>("\x02\x01\x01"), Contains("an element found twice"));
  CHECK_THAT((message_of<std::map<bool, bool>>("\x02\x01\x01\x01\x01")),
             Contains("key found twice"));
  CHECK_THAT((message_of<std::variant<bool, char>>("\x02"
                                                   "a")),
             Contains("alternative 2 found, one below 2 wanted"));
}

TEST_CASE("codec refuses bytes after the value", "[core][codec][hostile]") {
  CHECK(
      message_of<bool>("\x01\x01") ==
      "codec: byte 1 of 2: bytes after the value 1, wanted 0; the bytes are damaged or of another "
      "format");
}

TEST_CASE("codec reads back the deepest nesting it writes", "[core][codec][hostile]") {
  const samples::tree deepest = chain(fr::nesting_max + 1);
  const std::string bytes = fr::to_bytes(chain(fr::nesting_max));
  CHECK(bytes == nested_bytes(fr::nesting_max));
  CHECK(fr::from_bytes<samples::tree>(bytes).value() == chain(fr::nesting_max));
  CHECK_THROWS_AS(fr::to_bytes(deepest), std::length_error);
}

TEST_CASE("codec refuses bytes nested without end", "[core][codec][hostile]") {
  CHECK_THAT(message_of<samples::tree>(nested_bytes(fr::nesting_max + 1)),
             Contains("nested more than 256 levels deep"));
  CHECK_THAT(message_of<samples::tree>(nested_bytes(1'000'000)),
             Contains("nested more than 256 levels deep"));
}

TEST_CASE("codec keeps the first failure and fails from then on", "[core][codec][hostile]") {
  fr::byte_reader reader("\x01\x02\x03");
  char first = 0;
  bool flag = false;
  REQUIRE(fr::decode(reader, first));
  CHECK(reader.position() == 1);
  REQUIRE_FALSE(fr::decode(reader, flag));
  CHECK_FALSE(fr::decode(reader, first));
  std::string_view nothing;
  CHECK_FALSE(reader.read_bytes(0, nothing));
  CHECK_FALSE(reader.fail("a later complaint"));
  CHECK_FALSE(reader.ok());
  CHECK(reader.remaining() == 0);
  CHECK_THAT(std::string(reader.status().message()), Contains("byte 2 of 3: flag 2 found"));
}
