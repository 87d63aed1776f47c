// Which files a source reads, and how it opens them.
#include <freshet/connectors/detail/file_source.hpp>
#include <freshet/core/time_text.hpp>

#include "connectors/system_error.hpp"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

namespace {

bool is_pattern(const std::string& path) {
  struct stat about{};
  return path.find_first_of("*?[") != std::string::npos && ::stat(path.c_str(), &about) != 0;
}

/// The files that `pattern` matches; folders are passed over.
absl::StatusOr<std::vector<std::string>> matches(const std::string& pattern,
                                                 std::string_view reader) {
  const auto stop_at_error = [](const char*, int) { return 1; };
  ::glob_t found{};
  const int result = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_MARK, stop_at_error, &found);
  const int error_number = errno;
  std::vector<std::string> paths;
  for (std::size_t index = 0; result == 0 && index < found.gl_pathc; ++index) {
    std::string path = found.gl_pathv[index];
    if (!path.ends_with('/')) paths.push_back(std::move(path));
  }
  ::globfree(&found);
  const std::string place = source_file_place(pattern, reader);
  if (result == GLOB_NOSPACE) return absl::ResourceExhaustedError(place + ": out of memory");
  if (result != 0 && result != GLOB_NOMATCH) {
    return system_error(error_number, place, "cannot look for files");
  }
  if (paths.empty()) {
    return absl::NotFoundError(
        place + ": no file matches, wanted at least one; correct the pattern, or its folder");
  }
  std::sort(paths.begin(), paths.end());  // The same order in every locale.
  return paths;
}

/// A file to be followed may be missing, but not be of a kind that cannot grow.
absl::Status check_followed(const std::string& path, const std::string& place) {
  struct stat about{};
  if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(
        place + ": is no regular file, wanted one that grows; read it without .follow");
  }
  for (const std::string_view kind : {".gz", ".bz2", ".xz", ".zst"}) {
    if (!path.ends_with(kind)) continue;
    return absl::InvalidArgumentError(
        place + ": is compressed, wanted a text that grows; read it without .follow");
  }
  return absl::OkStatus();
}

}  // namespace

std::string source_file_place(std::string_view path, std::string_view reader) {
  return fmt::format("{} '{}'", reader, path);
}

absl::StatusOr<source_files> find_source_files(const std::vector<std::string>& paths,
                                               std::string_view reader,
                                               const std::optional<follow>& following) {
  if (following && following->poll <= duration::zero()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: .follow looks every {}, wanted a positive duration; set .poll", reader,
                    to_text(following->poll)));
  }
  if (paths.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: no path, wanted at least one; give it a file", reader));
  }
  source_files found;
  for (const std::string& path : paths) {
    if (!is_pattern(path)) {
      found.paths.push_back(path);
      continue;
    }
    absl::StatusOr<std::vector<std::string>> matching = matches(path, reader);
    if (!matching.ok()) return matching.status();
    found.paths.insert(found.paths.end(), matching->begin(), matching->end());
  }
  absl::flat_hash_set<std::string> seen;
  for (const std::string& path : found.paths) {
    const std::string place = source_file_place(path, reader);
    if (!seen.insert(path).second) {
      return absl::InvalidArgumentError(
          place + ": given twice, wanted each file once; drop the repetition");
    }
    if (following) {
      if (absl::Status fit = check_followed(path, place); !fit.ok()) return fit;
      continue;
    }
    const absl::StatusOr<bool> regular = check_input_file(path, place);
    if (!regular.ok()) return regular.status();
    found.seekable = found.seekable && *regular;
  }
  return found;
}

void add_dead_letter(const record_buffer& buffer, std::uint64_t base, std::string reason,
                     std::vector<dead_letter>& dead) {
  std::string record(buffer.text().substr(0, dead_letter_bytes_max));
  const std::uint64_t bytes = buffer.text_bytes();
  if (bytes > record.size()) {
    record += fmt::format(" [cut: {} of {} bytes]", record.size(), bytes);
  }
  dead.push_back({.source = {},
                  .split = {},
                  .sequence = base + buffer.byte(),
                  .line = buffer.line(),
                  .reason = std::move(reason),
                  .record = std::move(record)});
}

}  // namespace freshet::detail
