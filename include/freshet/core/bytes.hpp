// Bytes: the writer and the bounds-checked reader that codecs are made of.
//
// Numbers are written little-endian in their full width; counts as unsigned LEB128, that is 7 bits
// a byte, low ones first, the high bit set on all but the last byte, in the shortest form. Reading
// checks everything: damaged or hostile bytes give an error, never a crash. A writer or reader
// belongs to one thread and allocates nothing of its own, but for the text of a failure. Record
// time and order play no part.
#pragma once

#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace freshet {

/// How deep containers may be nested in one value. Only a struct that contains itself through a
/// container can get there; the bound keeps hostile bytes from exhausting the stack.
inline constexpr std::size_t nesting_max = 256;

namespace detail {

template <class T>
concept fixed_width_integer = std::integral<T> && std::same_as<T, std::remove_cv_t<T>> &&
                              !std::same_as<T, bool> && !std::same_as<T, wchar_t> && sizeof(T) <= 8;

template <class T>
concept fixed_width = fixed_width_integer<T> || std::same_as<T, float> || std::same_as<T, double>;

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

// The bytes of a number in the order in which they are written; its own inverse.
template <fixed_width T>
std::array<char, sizeof(T)> little_endian_bytes(T value) noexcept {
  auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  if constexpr (std::endian::native == std::endian::big) std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

// Counts a level of nesting for as long as it lives.
class nested {
 public:
  explicit nested(std::size_t& depth) noexcept : depth_(depth) { ++depth_; }
  ~nested() { --depth_; }
  nested(const nested&) = delete;
  nested& operator=(const nested&) = delete;

 private:
  std::size_t& depth_;
};

}  // namespace detail

/// Appends bytes to a string.
class byte_writer {
 public:
  /// Appends to `out`, which must outlive the writer and may already hold bytes.
  explicit byte_writer(std::string& out) noexcept : out_(&out) {}

  void write_byte(std::uint8_t byte) { out_->push_back(static_cast<char>(byte)); }

  /// Writes `bytes` as they are, without their count.
  void write_bytes(std::string_view bytes) { out_->append(bytes.data(), bytes.size()); }

  /// Writes a number in its full width, little-endian.
  template <detail::fixed_width T>
  void write_fixed(T value) {
    const auto bytes = detail::little_endian_bytes(value);
    out_->append(bytes.data(), bytes.size());
  }

  /// Writes a count in 1 to 10 bytes.
  void write_count(std::uint64_t count) {
    while (count >= 0x80U) {
      write_byte(static_cast<std::uint8_t>(count | 0x80U));
      count >>= 7;
    }
    write_byte(static_cast<std::uint8_t>(count));
  }

  /// The bytes in the string so far, those before the first write included.
  std::size_t size() const noexcept { return out_->size(); }

  /// A writer to another string that stands at this one's level of nesting.
  byte_writer beside(std::string& out) const noexcept {
    byte_writer other(out);
    other.depth_ = depth_;
    return other;
  }

  /// Counts one level of nesting until the returned guard dies; containers of unbounded depth call
  /// it. Throws `std::length_error` below level `nesting_max`: such bytes could not be read back.
  [[nodiscard]] detail::nested nest() {
    if (depth_ >= nesting_max) {
      throw std::length_error(
          "codec: the value is nested more than 256 levels deep, at most 256 can be read back; "
          "flatten it");
    }
    return detail::nested(depth_);
  }

 private:
  std::string* out_;
  std::size_t depth_ = 0;
};

/// Reads bytes with every bound checked. The first failure is kept and all later reads fail too, so
/// a decoder may check once at its end, as long as it does not act on a count before checking it.
class byte_reader {
 public:
  /// Reads `bytes`, which must outlive the reader.
  explicit byte_reader(std::string_view bytes) noexcept
      : next_(bytes.data()), end_(bytes.data() + bytes.size()), size_(bytes.size()) {}

  bool ok() const noexcept { return !failed_; }

  /// The bytes not read yet; 0 after a failure.
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - next_); }

  /// The bytes read so far; after a failure, those before it.
  std::size_t position() const noexcept { return failed_ ? failed_at_ : size_ - remaining(); }

  /// Ok, or `DataLoss` with the first failure and its place.
  absl::Status status() const {
    if (ok()) return absl::OkStatus();
    return absl::DataLossError("codec: byte " + std::to_string(failed_at_) + " of " +
                               std::to_string(size_) + ": " + reason_ +
                               "; the bytes are damaged or of another format");
  }

  /// Records a failure at the current place, unless there was one before, and returns false.
  /// \param reason what was found and what was wanted: "flag 7 found, 0 or 1 wanted".
  bool fail(std::string_view reason) {
    if (failed_) return false;
    failed_at_ = position();
    failed_ = true;
    reason_ = reason;
    next_ = end_;
    return false;
  }

  [[nodiscard]] bool read_byte(std::uint8_t& byte) {
    if (next_ == end_) return fail_short(1);
    byte = static_cast<std::uint8_t>(*next_++);
    return true;
  }

  /// Reads `size` bytes without copying them; `bytes` views what the reader was made from.
  [[nodiscard]] bool read_bytes(std::size_t size, std::string_view& bytes) {
    if (failed_ || size > remaining()) return fail_short(size);
    bytes = {next_, size};
    next_ += size;
    return true;
  }

  template <detail::fixed_width T>
  [[nodiscard]] bool read_fixed(T& value) {
    if (sizeof(T) > remaining()) return fail_short(sizeof(T));
    std::array<char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), next_, sizeof(T));
    if constexpr (std::endian::native == std::endian::big) std::reverse(bytes.begin(), bytes.end());
    std::memcpy(&value, bytes.data(), sizeof(T));  // Not a bit_cast: a signalling NaN stays one.
    next_ += sizeof(T);
    return true;
  }

  /// Reads a count of any size. Before allocating or looping by it, use `read_size`.
  [[nodiscard]] bool read_count(std::uint64_t& count) {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint8_t byte = 0;
      if (!read_byte(byte)) return false;
      if (shift == 63 && byte > 1) return fail("a count above 2^64 - 1 found");
      result |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80U) {
        if (byte == 0 && shift > 0) return fail("a count found that is longer than it must be");
        count = result;
        return true;
      }
    }
    return fail("a count above 2^64 - 1 found");
  }

  /// Reads the count of elements to follow, and fails when they cannot fit into what remains.
  /// \param element_bytes the fewest bytes of one element, at least 1.
  [[nodiscard]] bool read_size(std::size_t& size, std::size_t element_bytes = 1) {
    assert(element_bytes > 0);
    std::uint64_t count = 0;
    if (!read_count(count)) return false;
    if (count > remaining() / element_bytes) {
      return fail("a count of " + std::to_string(count) + " found, at most " +
                  std::to_string(remaining() / element_bytes) + " fit into what is left");
    }
    size = static_cast<std::size_t>(count);
    return true;
  }

  /// How many elements to reserve for `count` announced ones: no more memory than bytes are left.
  std::size_t plausible_capacity(std::size_t count, std::size_t element_size) const noexcept {
    return std::min(count, remaining() / std::max<std::size_t>(element_size, 1) + 1);
  }

  /// A reader of other bytes that stands at this one's level of nesting.
  byte_reader inside(std::string_view bytes) const noexcept {
    byte_reader other(bytes);
    other.depth_ = depth_;
    return other;
  }

  /// What the failure was; empty before one.
  const std::string& reason() const noexcept { return reason_; }

  /// Whether one more level of nesting is allowed, counted while `guard` lives; fails otherwise.
  [[nodiscard]] bool nest(std::optional<detail::nested>& guard) {
    if (depth_ >= nesting_max) return fail("containers nested more than 256 levels deep found");
    guard.emplace(depth_);
    return true;
  }

 private:
  bool fail_short(std::size_t wanted) {
    return fail("bytes left " + std::to_string(remaining()) + ", wanted " + std::to_string(wanted));
  }

  const char* next_;
  const char* end_;
  std::size_t size_;
  std::size_t depth_ = 0;
  std::size_t failed_at_ = 0;
  bool failed_ = false;
  std::string reason_;
};

}  // namespace freshet
