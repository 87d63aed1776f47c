// Cuts the bytes of one CSV file into records and fields: the compiled half of the reader.
//
// Records come in file order. One thread at a time. Memory: see csv.hpp.
#pragma once

#include <freshet/connectors/detail/csv_options.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {
class input_file;
}

namespace freshet::csv::detail {

/// Where a field stands within its record's text.
struct field_span {
  std::uint32_t begin = 0;
  std::uint32_t size = 0;   ///< Without the quotes around it.
  bool quoted = false;
  bool has_quotes = false;  ///< Holds doubled quotes, which stand for one quote each.
};

/// Where the next record of a file starts, and how to read it.
struct scan_position {
  std::uint64_t byte = 0;
  std::uint64_t line = 1;
  /// Records that start before this byte end with their line, because a quote before them was
  /// found not to be closed up to here.
  std::uint64_t single_lines_until = 0;
};

/// `csv1:byte:line:single_lines_until`, in decimal.
std::string encode_position(const scan_position& position);
/// The inverse; nothing for anything that `encode_position` does not write.
std::optional<scan_position> decode_position(std::string_view text);

enum class scanned {
  record,     ///< A record; its text, fields, byte, and line are valid until the next call.
  malformed,  ///< No fields, but a reason; text, byte, and line as above.
  end,        ///< No more records.
  failed,     ///< The file cannot be read: see `status`.
};

class csv_scanner {
 public:
  /// Opens `path`, at its beginning.
  static absl::StatusOr<std::unique_ptr<csv_scanner>> open(const std::string& path,
                                                           const read_options& options);
  ~csv_scanner();

  scanned next();

  /// The record as it stands in the file, without its line end. Of a malformed record that is
  /// longer than a dead letter may be: its beginning.
  std::string_view text() const { return text_; }
  std::uint64_t byte() const { return record_byte_; }
  std::uint64_t line() const { return record_line_; }
  std::size_t field_count() const { return field_count_; }
  /// The first fields, as many as `keep_fields` asked for.
  const field_span* fields() const { return fields_.data(); }
  const std::string& reason() const { return reason_; }
  /// The length of a malformed record, also where `text` is cut.
  std::uint64_t text_bytes() const { return text_bytes_; }
  const absl::Status& status() const { return status_; }

  /// Fields after the first `count` of each record are counted, but not kept. Initially: all.
  void keep_fields(std::size_t count) { fields_kept_ = count; }

  /// Where the next record starts.
  scan_position position() const {
    return {base_ + begin_, line_, single_lines_until_};
  }

  /// Goes forward to `position`. An error when the file is shorter or no line starts there.
  absl::Status skip_to(const scan_position& position);

 private:
  csv_scanner(std::unique_ptr<freshet::detail::input_file> input, std::string place,
              const read_options& options);

  /// What one pass over a record has seen so far.
  struct progress {
    std::size_t until = 0;        ///< The pass looks at the bytes before this index only.
    bool file_ends = false;       ///< Whether the file ends at `until`.
    std::uint64_t lines = 0;      ///< Line ends inside quotes.
    std::size_t first_line_end;   ///< Index of the first of them; `nowhere` before.
    std::uint64_t quote_line = 0; ///< Line of the latest opening quote.
    bool in_quote = false;
    std::size_t stray_text = 0;   ///< Number, from 1, of the first field with text after its quote.
    std::size_t end = 0;          ///< Index of the line end that ends the record, or `until`.
  };
  enum class pass { ended, cut_off, line_over };

  bool refill();
  bool skip_empty_lines();
  void restart_mask(std::size_t index);
  std::uint64_t special_bytes(std::size_t index) const;
  std::size_t next_special(std::size_t until);
  std::size_t next_separator(std::size_t until);
  void add_field(std::size_t begin, std::size_t end, bool quoted, bool has_quotes);
  pass scan_record(progress& now);
  pass scan_quoted(std::size_t& at, progress& now);
  void set_text(std::size_t end);
  scanned finish(const progress& now);
  scanned give_up_quote(const progress& now);
  scanned give_up_line(const progress& now);
  scanned skip_long_record(const progress& now);

  std::unique_ptr<freshet::detail::input_file> input_;
  std::string place_;
  char delimiter_;
  std::size_t record_bytes_max_;
  std::size_t block_bytes_;

  std::vector<char> buffer_;     // Bytes [0, end_) are from the file, then 64 readable ones follow.
  std::size_t begin_ = 0;        // Where the next record starts in the buffer.
  std::size_t end_ = 0;
  std::uint64_t base_ = 0;       // The file's byte at buffer_[0].
  bool at_end_ = false;          // Whether the file ends at `end_`.
  std::uint64_t line_ = 1;
  std::uint64_t single_lines_until_ = 0;

  std::uint64_t mask_ = 0;       // Bit i: the byte at mask_index_ + i is special and still to come.
  std::size_t mask_index_ = 0;

  std::vector<field_span> fields_;
  std::size_t fields_kept_ = static_cast<std::size_t>(-1);
  std::size_t field_count_ = 0;
  std::string_view text_;
  std::string text_kept_;        // What `text_` shows when the record has left the buffer.
  std::uint64_t text_bytes_ = 0;
  std::uint64_t record_byte_ = 0;
  std::uint64_t record_line_ = 0;
  std::string reason_;
  absl::Status status_;
};

/// How much of a record a dead letter shows.
inline constexpr std::size_t dead_letter_bytes_max = 4096;

}  // namespace freshet::csv::detail
