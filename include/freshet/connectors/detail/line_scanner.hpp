// Cuts the bytes of one text file into lines: the compiled half of `lines::read` and `jsonl::read`.
//
// Lines end with LF or CRLF; the last may have no end; a UTF-8 byte order mark is skipped. A line
// that is longer than allowed is malformed. Threads and memory: see record_buffer.hpp.
#pragma once

#include <freshet/connectors/detail/record_buffer.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace freshet::detail {

struct line_scanner_options {
  std::size_t record_bytes_max;
  std::size_t block_bytes;
  bool skip_blank;  ///< Whether lines of nothing but spaces and tabs are no records.
};

class line_scanner : public record_buffer {
 public:
  /// Starts at the beginning of `input`. \param place what error messages begin with.
  static absl::StatusOr<std::unique_ptr<line_scanner>> start(std::unique_ptr<input_file> input,
                                                             std::string place,
                                                             const line_scanner_options& options);

  scanned next();

  /// Where the next line starts: `line1:byte:line`, in decimal.
  std::string position() const;
  /// Goes forward to a `position`. An error for other text, and for a file that it does not fit.
  absl::Status skip_to_position(std::string_view position);

 private:
  line_scanner(std::unique_ptr<input_file> input, std::string place,
               const line_scanner_options& options)
      : record_buffer(std::move(input), std::move(place), options.record_bytes_max,
                      options.block_bytes),
        skip_blank_(options.skip_blank) {}

  bool skip_blank_;
};

}  // namespace freshet::detail
