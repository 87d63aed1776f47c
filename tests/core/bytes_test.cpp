// The writer and reader under the codecs: numbers, counts, and the bounds of both.
#include <freshet/core/bytes.hpp>

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fr = freshet;
using namespace std::string_literals;

namespace {

std::string count_bytes(std::uint64_t count) {
  std::string bytes;
  fr::byte_writer(bytes).write_count(count);
  return bytes;
}

// The oracle: a number in base 128, lowest digit first, 128 added to every digit but the last.
std::string naive_count_bytes(std::uint64_t count) {
  std::string bytes;
  for (; count > 127; count /= 128) bytes += static_cast<char>(count % 128 + 128);
  return bytes + static_cast<char>(count);
}

// How many levels `writer` lets anybody go down from here; afterwards it stands where it stood.
std::size_t levels_left(fr::byte_writer& writer, std::size_t above = 0) {
  if (above > 2 * fr::nesting_max) return above;
  try {
    const auto level = writer.nest();
    return levels_left(writer, above + 1);
  } catch (const std::length_error&) {
    return above;
  }
}

}  // namespace

TEST_CASE("bytes spell counts in base 128", "[core][bytes][golden]") {
  CHECK(count_bytes(0) == "\x00"s);
  CHECK(count_bytes(127) == "\x7f");
  CHECK(count_bytes(128) == "\x80\x01");
  CHECK(count_bytes(16383) == "\xff\x7f");
  CHECK(count_bytes(16384) == "\x80\x80\x01");
  CHECK(count_bytes(std::numeric_limits<std::uint64_t>::max()) == std::string(9, '\xff') + "\x01");
}

TEST_CASE("bytes read every count they write and agree with base 128", "[core][bytes]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 10'000; ++round) {
    const std::uint64_t count = random() >> (random() % 64);
    CAPTURE(round, count);
    const std::string bytes = count_bytes(count);
    REQUIRE(bytes == naive_count_bytes(count));
    fr::byte_reader reader(bytes);
    std::uint64_t read = 0;
    REQUIRE(reader.read_count(read));
    REQUIRE(read == count);
    REQUIRE(reader.remaining() == 0);
  }
}

TEST_CASE("bytes read each count in one spelling only", "[core][bytes]") {
  // Every string of up to two bytes: it is refused, or it is what the writer writes.
  for (unsigned both = 0; both < 0x10000; ++both) {
    const std::string bytes{static_cast<char>(both & 0xffU), static_cast<char>(both >> 8)};
    fr::byte_reader reader(bytes);
    std::uint64_t count = 0;
    if (!reader.read_count(count)) continue;
    REQUIRE(bytes.substr(0, reader.position()) == count_bytes(count));
  }
}

TEST_CASE("bytes read no number beyond the end", "[core][bytes]") {
  for (std::size_t size = 0; size < 8; ++size) {
    const std::string bytes(size, '\1');
    fr::byte_reader reader(bytes);
    std::uint64_t number = 7;
    CHECK_FALSE(reader.read_fixed(number));
    CHECK(number == 7);
    CHECK(reader.status().message() ==
          "codec: byte 0 of " + std::to_string(size) + ": bytes left " + std::to_string(size) +
              ", wanted 8; the bytes are damaged or of another format");
  }
}

TEST_CASE("bytes view what they read instead of copying it", "[core][bytes]") {
  const std::string bytes = "abcdef";
  fr::byte_reader reader(bytes);
  std::string_view view;
  REQUIRE(reader.read_bytes(4, view));
  CHECK(view.data() == bytes.data());
  CHECK(view == "abcd");
  CHECK_FALSE(reader.read_bytes(std::numeric_limits<std::size_t>::max(), view));
}

TEST_CASE("bytes reserve no more memory than bytes are left", "[core][bytes]") {
  const fr::byte_reader reader(std::string_view("0123456789"));
  CHECK(reader.plausible_capacity(3, 1) == 3);
  CHECK(reader.plausible_capacity(100, 1) == 11);
  CHECK(reader.plausible_capacity(100, 4) == 3);
  CHECK(reader.plausible_capacity(100, 4000) == 1);
  CHECK(reader.plausible_capacity(0, 8) == 0);
}

TEST_CASE("bytes of a writer beside another count its nesting", "[core][bytes]") {
  std::string bytes;
  std::string other;
  fr::byte_writer writer(bytes);
  CHECK(levels_left(writer) == fr::nesting_max);
  const auto level = writer.nest();
  fr::byte_writer beside = writer.beside(other);
  CHECK(levels_left(writer) == fr::nesting_max - 1);
  CHECK(levels_left(beside) == fr::nesting_max - 1);
}
