// From lines of JSON to rows of a struct: what is left of the reader once shapes are known.
//
// Threads and memory: see jsonl.hpp, and include that instead.
#pragma once

#include <freshet/connectors/detail/jsonl_decoder.hpp>
#include <freshet/connectors/detail/jsonl_options.hpp>
#include <freshet/connectors/detail/jsonl_shape.hpp>
#include <freshet/connectors/detail/line_scanner.hpp>

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::jsonl::detail {

/// Throws `std::invalid_argument` when `options` are unusable for a struct with these fields.
void check_read_options(const read_options& options, const std::vector<std::string_view>& fields);

/// Which key fills which field, and how times and lines are read. A job may not resume with another
/// text.
std::string describe_reading(const read_options& options,
                             const std::vector<std::string_view>& fields);

/// Opens the lines of `input`, the file `path`, at `position`.
absl::StatusOr<std::unique_ptr<freshet::detail::line_scanner>> open_lines(
    std::unique_ptr<freshet::detail::input_file> input, const std::string& path,
    const read_options& options, std::optional<std::string_view> position);

/// The records of one file as rows of `T`.
template <class T>
class jsonl_records {
 public:
  using value_type = T;

  jsonl_records(std::unique_ptr<freshet::detail::line_scanner> lines, const read_options& options)
      : lines_(std::move(lines)),
        decoder_(shape_of<T>, options.rename, options.time_format, options.depth_max) {}

  freshet::detail::scanned next() { return lines_->next(); }
  const freshet::detail::record_buffer& buffer() const { return *lines_; }
  std::string position() const { return lines_->position(); }

  /// Appends the current record to `rows`, or else returns what is wrong with it.
  std::optional<std::string> take(std::vector<T>& rows) {
    T& row = rows.emplace_back();
    if (!decoder_.decode(lines_->text(), &row)) [[unlikely]] {
      rows.pop_back();
      return decoder_.reason();
    }
    csv::detail::fill_raw_records(lines_->text(), row);
    return std::nullopt;
  }

 private:
  std::unique_ptr<freshet::detail::line_scanner> lines_;
  decoder decoder_;
};

/// How one `jsonl::read` opens its files.
template <class T>
struct jsonl_format {
  using records = jsonl_records<T>;
  static constexpr std::string_view reader_name = "jsonl::read";

  read_options options;

  const std::optional<follow>& following() const { return options.follow; }

  std::string describe() const {
    return describe_reading(options, csv::detail::field_name_list<T>());
  }

  absl::StatusOr<records> open(std::unique_ptr<freshet::detail::input_file> input,
                               const std::string& path,
                               std::optional<std::string_view> position) const {
    auto lines = open_lines(std::move(input), path, options, position);
    if (!lines.ok()) return lines.status();
    return records(*std::move(lines), options);
  }
};

}  // namespace freshet::jsonl::detail
