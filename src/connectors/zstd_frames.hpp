// Follows the frames of a Zstandard file as its bytes pass by, to tell whether it is complete.
//
// The Zstandard filter of Boost.Iostreams takes a file that was cut off for one that has ended, and
// would lose its last rows without a word. This looks at lengths only and decompresses nothing.
// Bytes must come in order; one thread at a time; no memory beyond the object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace freshet::detail {

/// \source RFC 8878, section 3.1: frames, frame headers, blocks, and skippable frames.
class zstd_frames {
 public:
  void see(const char* bytes, std::size_t count);

  /// Whether everything seen so far is one or more whole frames.
  bool complete() const { return what_ == part::magic && collected_ == 0 && frames_ > 0; }

 private:
  enum class part {
    magic,
    descriptor,
    rest_of_header,
    block_header,
    block,
    checksum,
    skippable_size,
    skippable,
    unknown,
  };

  void expect(part what, std::uint64_t bytes);
  void take_collected();
  void end_block();
  void end_frame();

  part what_ = part::magic;
  std::uint64_t bytes_left_ = 4;         // Of this part.
  std::array<std::uint8_t, 4> bytes_{};  // The first ones of this part.
  std::size_t collected_ = 0;
  bool last_block_ = false;
  bool has_checksum_ = false;
  std::uint64_t frames_ = 0;
};

}  // namespace freshet::detail
