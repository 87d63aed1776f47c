// A file whose content is published exactly once.
#include <freshet/connectors/detail/committed_file.hpp>

#include "connectors/system_error.hpp"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace freshet::detail {

namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::string_view token_kind = "file1:";

/// The size of the regular file `path`; nothing when there is none.
std::optional<std::uint64_t> size_of(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(about.st_size);
}

}  // namespace

committed_file::committed_file(std::string path, std::string place)
    : path_(std::move(path)), path_in_progress_(path_ + ".inprogress"), place_(std::move(place)) {}

committed_file::~committed_file() {
  if (file_ >= 0) ::close(file_);
}

absl::Status committed_file::fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
  return failure_;
}

absl::Status committed_file::system_failure(std::string_view what, std::string_view advice) {
  return fail(system_error(errno, place_, what, advice));
}

absl::StatusOr<std::uint64_t> committed_file::decode(std::string_view token) const {
  std::uint64_t bytes = 0;
  if (token.starts_with(token_kind)) {
    const char* const end = token.data() + token.size();
    const auto [after, error] = std::from_chars(token.data() + token_kind.size(), end, bytes);
    if (error == std::errc{} && after == end) return bytes;
  }
  return absl::InvalidArgumentError(fmt::format(
      "{}: the token in the checkpoint is not one of a file; rerun with the build that wrote it",
      place_));
}

absl::StatusOr<bool> committed_file::start(std::optional<std::string_view> committed) {
  struct stat about{};
  if (::stat(path_.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) {
    return fail(
        absl::InvalidArgumentError(place_ + ": is a directory, wanted a file; give another path"));
  }
  if (!committed) return start_fresh();
  const absl::StatusOr<std::uint64_t> bytes = decode(*committed);
  if (!bytes.ok()) return fail(bytes.status());
  return start_at(*bytes);
}

absl::StatusOr<bool> committed_file::start_fresh() {
  file_ = ::open(path_in_progress_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) return system_failure(fmt::format("cannot create '{}'", path_in_progress_));
  return true;
}

absl::StatusOr<bool> committed_file::start_at(std::uint64_t bytes) {
  const std::optional<std::uint64_t> in_progress = size_of(path_in_progress_);
  bytes_written_ = bytes_synced_ = bytes;
  if (in_progress && *in_progress >= bytes) {
    file_ = ::open(path_in_progress_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file_ < 0) return system_failure(fmt::format("cannot open '{}'", path_in_progress_));
    const auto length = static_cast<off_t>(bytes);
    if (::ftruncate(file_, length) != 0 || ::lseek(file_, length, SEEK_SET) < 0) {
      return system_failure(fmt::format("cannot cut back '{}'", path_in_progress_));
    }
    return false;
  }
  // The crash may have come after the last commit had renamed the file.
  const std::optional<std::uint64_t> published = size_of(path_);
  if (published && *published == bytes) {
    published_ = true;
    return false;
  }
  return fail(absl::DataLossError(fmt::format(
      "{}: '{}' {}, wanted the {} bytes that the checkpoint counts; put the file back, or start "
      "without the checkpoint",
      place_, path_in_progress_,
      in_progress ? fmt::format("has {} bytes", *in_progress) : std::string("is missing"), bytes)));
}

absl::Status committed_file::append(std::string_view bytes) {
  if (!failure_.ok()) return failure_;
  if (bytes.empty()) return absl::OkStatus();
  if (file_ < 0) {
    return fail(absl::FailedPreconditionError(
        place_ +
        ": the file is already complete, wanted no further row; remove it, or start "
        "without the checkpoint"));
  }
  if (buffer_.size() + bytes.size() > buffer_bytes) {
    if (absl::Status done = write_out(buffer_); !done.ok()) return done;
    buffer_.clear();
  }
  if (bytes.size() >= buffer_bytes) return write_out(bytes);
  buffer_ += bytes;
  return absl::OkStatus();
}

absl::Status committed_file::write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const bool full = errno == ENOSPC || errno == EDQUOT;
      return system_failure(fmt::format("cannot write '{}'", path_in_progress_),
                            full ? "free some space and start again" : "");
    }
    bytes_written_ += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

/// Makes the names in the file's folder durable.
absl::Status committed_file::sync_folder() {
  const std::size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return system_failure(fmt::format("cannot open the folder '{}'", folder));
  // Some file systems cannot sync a folder and say EINVAL: there is nothing more to be done there.
  const bool synced = ::fsync(opened) == 0 || errno == EINVAL;
  const int error_number = errno;
  ::close(opened);
  errno = error_number;
  return synced ? absl::OkStatus()
                : system_failure(fmt::format("cannot make the folder '{}' durable", folder));
}

absl::StatusOr<std::string> committed_file::prepare() {
  if (!failure_.ok()) return failure_;
  if (!published_) {
    if (file_ < 0) {
      return absl::FailedPreconditionError(place_ + ": not started, wanted start before prepare");
    }
    if (absl::Status done = write_out(buffer_); !done.ok()) return done;
    buffer_.clear();
    if (bytes_synced_ != bytes_written_) {
      if (::fdatasync(file_) != 0) {
        return system_failure(fmt::format("cannot make '{}' durable", path_in_progress_));
      }
      bytes_synced_ = bytes_written_;
    }
    if (!folder_synced_) {
      if (absl::Status done = sync_folder(); !done.ok()) return done;
      folder_synced_ = true;
    }
  }
  return fmt::format("{}{}", token_kind, bytes_written_);
}

absl::Status committed_file::commit(std::string_view token, bool last) {
  if (!failure_.ok()) return failure_;
  const absl::StatusOr<std::uint64_t> bytes = decode(token);
  if (!bytes.ok()) return bytes.status();
  if (!last || published_) return absl::OkStatus();
  if (*bytes != bytes_written_ || !buffer_.empty()) {
    return fail(absl::FailedPreconditionError(
        fmt::format("{}: {} bytes written, wanted the {} that were prepared; prepare again before "
                    "the last commit",
                    place_, bytes_written_ + buffer_.size(), *bytes)));
  }
  if (std::rename(path_in_progress_.c_str(), path_.c_str()) != 0) {
    return system_failure(fmt::format("cannot rename '{}'", path_in_progress_));
  }
  published_ = true;
  ::close(std::exchange(file_, -1));
  return sync_folder();
}

}  // namespace freshet::detail
