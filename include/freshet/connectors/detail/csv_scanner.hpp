// Cuts the bytes of one CSV file into records and fields: the compiled half of the reader.
//
// Records come in file order. One thread at a time. Memory: see csv.hpp.
#pragma once

#include <freshet/connectors/detail/csv_options.hpp>
#include <freshet/connectors/detail/record_buffer.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::csv::detail {

/// Where a field stands within its record's text.
struct field_span {
  std::uint32_t begin = 0;
  std::uint32_t size = 0;  ///< Without the quotes around it.
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

using freshet::detail::scanned;

class csv_scanner : public freshet::detail::record_buffer {
 public:
  /// Opens `path`, at its beginning.
  static absl::StatusOr<std::unique_ptr<csv_scanner>> open(const std::string& path,
                                                           const read_options& options);
  /// Starts at the beginning of `input`. \param place what error messages begin with.
  static absl::StatusOr<std::unique_ptr<csv_scanner>> start(
      std::unique_ptr<freshet::detail::input_file> input, std::string place,
      const read_options& options);

  scanned next();

  std::size_t field_count() const { return field_count_; }
  /// The first fields, as many as `keep_fields` asked for.
  const field_span* fields() const { return fields_.data(); }
  /// Fields after the first `count` of each record are counted, but not kept. Initially: all.
  void keep_fields(std::size_t count) { fields_kept_ = count; }

  /// Where the next record starts.
  scan_position position() const { return {next_byte(), line_, single_lines_until_}; }

  /// Goes forward to `position`. An error when the file is shorter or no line starts there.
  absl::Status skip_to(const scan_position& position);

 private:
  csv_scanner(std::unique_ptr<freshet::detail::input_file> input, std::string place,
              const read_options& options);

  /// What one pass over a record has seen so far.
  struct progress {
    std::size_t until = 0;         ///< The pass looks at the bytes before this index only.
    bool file_ends = false;        ///< Whether the file ends at `until`.
    std::uint64_t lines = 0;       ///< Line ends inside quotes.
    std::size_t first_line_end;    ///< Index of the first of them; `nowhere` before.
    std::uint64_t quote_line = 0;  ///< Line of the latest opening quote.
    bool in_quote = false;
    std::size_t stray_text = 0;  ///< Number, from 1, of the first field with text after its quote.
    std::size_t end = 0;         ///< Index of the line end that ends the record, or `until`.
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
  scanned finish(const progress& now);
  scanned give_up_quote(const progress& now);
  scanned give_up_line(const progress& now);

  char delimiter_;
  std::uint64_t single_lines_until_ = 0;

  std::uint64_t mask_ = 0;  // Bit i: the byte at mask_index_ + i is special and still to come.
  std::size_t mask_index_ = 0;

  std::vector<field_span> fields_;
  std::size_t fields_kept_ = static_cast<std::size_t>(-1);
  std::size_t field_count_ = 0;
};

using freshet::detail::dead_letter_bytes_max;

}  // namespace freshet::csv::detail
