// A file whose content is published exactly once.
#include <freshet/connectors/detail/committed_file.hpp>
#include <freshet/core/hash.hpp>

#include "connectors/system_error.hpp"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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
constexpr std::string_view token_kind = "file2:";

constexpr std::uint64_t tail_bytes = 4096;

/// The checksum of the last bytes of the first `bytes` ones; nothing where they cannot be read.
std::optional<std::uint64_t> tail_of(int file, std::uint64_t bytes) {
  std::string tail(static_cast<std::size_t>(std::min(bytes, tail_bytes)), '\0');
  std::size_t read = 0;
  while (read < tail.size()) {
    const ssize_t count = ::pread(file, tail.data() + read, tail.size() - read,
                                  static_cast<off_t>(bytes - tail.size() + read));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    read += static_cast<std::size_t>(count);
  }
  return hash_bytes(tail.data(), tail.size());
}

struct found_file {
  bool exists = false;
  bool holds = false;  ///< As many bytes as asked for, or more.
  std::uint64_t bytes = 0;
  std::uint64_t inode = 0;
  std::uint64_t tail = 0;
};

/// The regular file `path`, of which `bytes` should be there.
found_file look_at(const std::string& path, std::uint64_t bytes) {
  found_file found;
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat about{};
  if (file >= 0 && ::fstat(file, &about) == 0 && S_ISREG(about.st_mode)) {
    found.exists = true;
    found.bytes = static_cast<std::uint64_t>(about.st_size);
    found.inode = about.st_ino;
    const std::optional<std::uint64_t> tail =
        found.bytes >= bytes ? tail_of(file, bytes) : std::nullopt;
    found.holds = tail.has_value();
    found.tail = tail.value_or(0);
  }
  if (file >= 0) ::close(file);
  return found;
}

}  // namespace

committed_file::committed_file(std::string path, std::string place, std::string in_progress)
    : path_(std::move(path)),
      path_in_progress_(in_progress.empty() ? path_ + ".inprogress" : std::move(in_progress)),
      place_(std::move(place)) {}

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

absl::StatusOr<committed_file::position> committed_file::decode(std::string_view token) const {
  position at;
  bool whole = token.starts_with(token_kind);
  const char* next = token.data() + (whole ? token_kind.size() : 0);
  const char* const end = token.data() + token.size();
  for (std::uint64_t* number : {&at.bytes, &at.inode, &at.tail}) {
    if (!whole) break;
    const auto [after, error] = std::from_chars(next, end, *number);
    const bool last = number == &at.tail;
    whole = error == std::errc{} && (last ? after == end : after != end && *after == ':');
    next = after + 1;
  }
  if (whole) return at;
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
  const absl::StatusOr<position> at = decode(*committed);
  if (!at.ok()) return fail(at.status());
  token_ = *committed;
  return start_at(*at);
}

absl::StatusOr<bool> committed_file::start_fresh() {
  file_ = ::open(path_in_progress_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) return system_failure(fmt::format("cannot create '{}'", path_in_progress_));
  return true;
}

absl::StatusOr<bool> committed_file::start_at(const position& at) {
  bytes_written_ = bytes_synced_ = at.bytes;
  const found_file in_progress = look_at(path_in_progress_, at.bytes);
  if (in_progress.holds && in_progress.tail == at.tail) {
    if (absl::Status opened = open_at(at.bytes); !opened.ok()) return opened;
    return false;
  }
  // The crash may have come after the last commit had renamed the file. If it has more bytes, that
  // commit is not the one to go on from; but a file from before this job is not ours to cut.
  const found_file published = look_at(path_, at.bytes);
  if (published.holds && published.tail == at.tail) {
    if (published.bytes == at.bytes) {
      published_ = true;
      return false;
    }
    if (published.inode == at.inode) {
      if (absl::Status taken = take_back(); !taken.ok()) return taken;
      return false;
    }
  }
  const std::string found = in_progress.holds    ? std::string("has others in their place")
                            : in_progress.exists ? fmt::format("has {} bytes", in_progress.bytes)
                                                 : std::string("is missing");
  return fail(absl::DataLossError(fmt::format(
      "{}: '{}' {}, wanted the {} bytes that the checkpoint counts; put the file back, or start "
      "without the checkpoint",
      place_, path_in_progress_, found, at.bytes)));
}

absl::Status committed_file::open_at(std::uint64_t bytes) {
  file_ = ::open(path_in_progress_.c_str(), O_RDWR | O_CLOEXEC);
  if (file_ < 0) return system_failure(fmt::format("cannot open '{}'", path_in_progress_));
  const auto length = static_cast<off_t>(bytes);
  if (::ftruncate(file_, length) != 0 || ::lseek(file_, length, SEEK_SET) < 0) {
    return system_failure(fmt::format("cannot cut back '{}'", path_in_progress_));
  }
  return absl::OkStatus();
}

/// The file was renamed, and is to be written on. A crash in here leaves a file in progress that is
/// longer than counted, as any other does.
absl::Status committed_file::take_back() {
  if (std::rename(path_.c_str(), path_in_progress_.c_str()) != 0) {
    return system_failure(fmt::format("cannot rename '{}'", path_));
  }
  published_ = false;
  if (absl::Status synced = sync_folder(); !synced.ok()) return synced;
  return open_at(bytes_written_);
}

absl::Status committed_file::append(std::string_view bytes) {
  if (!failure_.ok()) return failure_;
  if (bytes.empty()) return absl::OkStatus();
  if (file_ < 0 && published_ && !completed_) {
    if (absl::Status taken = take_back(); !taken.ok()) return taken;
  }
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
      token_.clear();
    }
    if (!folder_synced_) {
      if (absl::Status done = sync_folder(); !done.ok()) return done;
      folder_synced_ = true;
    }
  }
  return make_token();
}

absl::StatusOr<std::string> committed_file::make_token() {
  if (!token_.empty()) return token_;
  struct stat about{};
  const std::optional<std::uint64_t> tail = tail_of(file_, bytes_written_);
  if (!tail || ::fstat(file_, &about) != 0) {
    return system_failure(fmt::format("cannot read '{}'", path_in_progress_));
  }
  token_ = fmt::format("{}{}:{}:{}", token_kind, bytes_written_, about.st_ino, *tail);
  return token_;
}

absl::Status committed_file::commit(std::string_view token, bool last) {
  if (!failure_.ok()) return failure_;
  const absl::StatusOr<position> at = decode(token);
  if (!at.ok()) return at.status();
  if (last && published_) completed_ = true;
  if (!last || published_) return absl::OkStatus();
  if (at->bytes != bytes_written_ || !buffer_.empty()) {
    return fail(absl::FailedPreconditionError(
        fmt::format("{}: {} bytes written, wanted the {} that were prepared; prepare again before "
                    "the last commit",
                    place_, bytes_written_ + buffer_.size(), at->bytes)));
  }
  if (std::rename(path_in_progress_.c_str(), path_.c_str()) != 0) {
    return system_failure(fmt::format("cannot rename '{}'", path_in_progress_));
  }
  published_ = completed_ = true;
  ::close(std::exchange(file_, -1));
  return sync_folder();
}

}  // namespace freshet::detail
