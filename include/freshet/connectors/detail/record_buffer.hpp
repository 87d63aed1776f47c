// The bytes of one text file on their way to becoming records: what every scanner has in common.
//
// Holds the text from the next record on, reads more behind it, counts lines, and goes to a
// position. What a record is, a derived scanner knows. Records come in file order. One thread at a
// time. Memory: two blocks or two of the longest records, whichever is more.
#pragma once

#include <freshet/connectors/detail/input_file.hpp>

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

enum class scanned {
  record,     ///< A record; its text, byte, and line are valid until the next call.
  malformed,  ///< No record, but a reason; text, byte, and line as above.
  waiting,    ///< The next record is not whole yet, in a file that may grow. Ask again later.
  end,        ///< No more records.
  failed,     ///< The file cannot be read: see `status`.
};

/// How much of a record a dead letter shows.
inline constexpr std::size_t dead_letter_bytes_max = 4096;

class record_buffer {
 public:
  /// The record as it stands in the file, without its line end. Of a malformed record that is
  /// longer than a dead letter may be: its beginning.
  std::string_view text() const { return text_; }
  std::uint64_t byte() const { return record_byte_; }
  std::uint64_t line() const { return record_line_; }
  const std::string& reason() const { return reason_; }
  /// The length of a malformed record, also where `text` is cut.
  std::uint64_t text_bytes() const { return text_bytes_; }
  const absl::Status& status() const { return status_; }
  /// Where the next record starts.
  std::uint64_t next_byte() const { return skipping_ ? record_byte_ : base_ + begin_; }

 protected:
  record_buffer(std::unique_ptr<input_file> input, std::string place, std::size_t record_bytes_max,
                std::size_t block_bytes);
  ~record_buffer();

  /// Readable bytes behind the last one of the file, so that a look at many at once is safe.
  static constexpr std::size_t padding_bytes = 64;

  /// Passes over a byte order mark, at the beginning of the file; false on an error.
  bool skip_byte_order_mark();
  /// Drops what lies before the next record and reads more behind it; false on an error.
  bool refill();
  /// Sets the text of the record to the bytes before `end`, but for a carriage return.
  void set_text(std::size_t end);
  /// Makes the record a malformed one that is too long, which is known from the bytes before
  /// `until` with so many `lines` ends, and passes over the rest of its line without keeping it.
  scanned skip_long_record(std::size_t until, std::uint64_t lines);
  /// Goes on with that in a file that has grown.
  scanned go_on_skipping();
  bool is_skipping() const { return skipping_; }
  /// Goes forward to `byte`, where a record starts in line `line`. An error when the file is
  /// shorter or no line starts there.
  absl::Status skip_to(std::uint64_t byte, std::uint64_t line);

  std::unique_ptr<input_file> input_;
  std::string place_;
  std::size_t record_bytes_max_;
  std::size_t block_bytes_;

  std::vector<char> buffer_;  // Bytes [0, end_) are from the file, then 64 readable ones follow.
  std::size_t begin_ = 0;     // Where the next record starts in the buffer.
  std::size_t end_ = 0;
  std::uint64_t base_ = 0;  // The file's byte at buffer_[0].
  bool at_end_ = false;     // Whether the file ends at `end_`.
  bool starved_ = false;    // Whether the last refill found nothing, yet no end either.
  std::uint64_t line_ = 1;

  std::string_view text_;
  std::string text_kept_;  // What `text_` shows when the record has left the buffer.
  std::uint64_t text_bytes_ = 0;
  std::uint64_t record_byte_ = 0;
  std::uint64_t record_line_ = 0;
  std::string reason_;
  absl::Status status_;

 private:
  scanned skip_rest_of_line(std::size_t from);

  bool skipping_ = false;            // Whether a long record's rest is still to be passed over.
  std::uint64_t lines_skipped_ = 0;  // Line ends in it so far.
};

}  // namespace freshet::detail
