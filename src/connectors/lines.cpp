// The compiled parts of `lines::read` and `lines::write`.
#include <freshet/connectors/lines.hpp>

#include "connectors/text_options.hpp"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::lines {

read_description read(std::vector<std::string> paths, read_options options) {
  freshet::detail::check_text_sizes("lines::read", options.record_bytes_max, options.block_bytes);
  return {std::move(paths), detail::line_format{options}};
}

read_description read(std::string path, read_options options) {
  return read(std::vector<std::string>{std::move(path)}, options);
}

read_description read(std::initializer_list<std::string> paths, read_options options) {
  return read(std::vector<std::string>(paths), options);
}

write_description write(std::string path) {
  return {std::move(path), detail::line_writer{}};
}

namespace detail {

std::string line_format::describe() const {
  return fmt::format("lines, record_bytes_max {}", options.record_bytes_max);
}

absl::StatusOr<line_records> line_format::open(std::unique_ptr<freshet::detail::input_file> input,
                                               const std::string& path,
                                               std::optional<std::string_view> position) const {
  auto lines = freshet::detail::line_scanner::start(
      std::move(input), freshet::detail::source_file_place(path, reader_name),
      {.record_bytes_max = options.record_bytes_max,
       .block_bytes = options.block_bytes,
       .skip_blank = false});
  if (!lines.ok()) return lines.status();
  if (position) {
    absl::Status skipped = (*lines)->skip_to_position(*position);
    if (!skipped.ok()) return skipped;
  }
  return line_records(*std::move(lines));
}

}  // namespace detail

}  // namespace freshet::lines
