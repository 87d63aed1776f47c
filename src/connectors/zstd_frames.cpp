// Follows the frames of a Zstandard file.
#include "connectors/zstd_frames.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace freshet::detail {

void zstd_frames::see(const char* bytes, std::size_t count) {
  while (count > 0 && what_ != part::unknown) {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_left_, count));
    for (std::size_t index = 0; index < taken && collected_ < bytes_.size(); ++index) {
      bytes_[collected_++] = static_cast<std::uint8_t>(bytes[index]);
    }
    bytes += taken;
    count -= taken;
    bytes_left_ -= taken;
    if (bytes_left_ == 0) take_collected();
  }
}

void zstd_frames::expect(part what, std::uint64_t bytes) {
  what_ = what;
  bytes_left_ = bytes;
  collected_ = 0;
}

void zstd_frames::end_frame() {
  ++frames_;
  expect(part::magic, 4);
}

void zstd_frames::end_block() {
  if (!last_block_) {
    expect(part::block_header, 3);
  } else if (has_checksum_) {
    expect(part::checksum, 4);
  } else {
    end_frame();
  }
}

/// Acts on a part that has been seen whole.
void zstd_frames::take_collected() {
  std::uint32_t number = 0;  // Little-endian.
  for (std::size_t index = collected_; index > 0; --index) number = number << 8 | bytes_[index - 1];
  switch (what_) {
    case part::magic:
      if (number == 0xFD2FB528U) return expect(part::descriptor, 1);
      if ((number & 0xFFFFFFF0U) == 0x184D2A50U) return expect(part::skippable_size, 4);
      return expect(part::unknown, 0);  // The decompressor refuses it; never complete.
    case part::descriptor: {
      const bool single_segment = (number & 0x20U) != 0;
      has_checksum_ = (number & 0x04U) != 0;
      static constexpr std::uint64_t dictionary_bytes[] = {0, 1, 2, 4};
      static constexpr std::uint64_t size_bytes[] = {0, 2, 4, 8};
      const std::uint64_t size_flag = number >> 6;
      // A window descriptor or a one-byte content size: without the one there is the other.
      const std::uint64_t shortest = single_segment && size_flag != 0 ? 0 : 1;
      const std::uint64_t rest = shortest + dictionary_bytes[number & 3U] + size_bytes[size_flag];
      return expect(part::rest_of_header, rest);
    }
    case part::rest_of_header:
      return expect(part::block_header, 3);
    case part::block_header: {
      last_block_ = (number & 1U) != 0;
      const bool one_byte_repeated = (number >> 1 & 3U) == 1;
      const std::uint64_t bytes = one_byte_repeated ? 1 : number >> 3;
      return bytes == 0 ? end_block() : expect(part::block, bytes);
    }
    case part::block:
      return end_block();
    case part::skippable_size:
      return number == 0 ? end_frame() : expect(part::skippable, number);
    case part::checksum:
    case part::skippable:
      return end_frame();
    case part::unknown:
      return;
  }
}

}  // namespace freshet::detail
