#include "state/checkpoint_directory.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace freshet::detail {
namespace {

namespace fs = std::filesystem;

constexpr const char* identity_name = "FRESHET";
constexpr const char* identity_draft_name = "FRESHET.new";
constexpr std::string_view identity_title = "freshet checkpoint";

absl::StatusCode code_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::string message_about(std::string_view name, std::string_view text) {
  return fmt::format("checkpoint '{}': {}", name, text);
}

class file_descriptor {
 public:
  explicit file_descriptor(int number) : number_(number) {}
  file_descriptor(const file_descriptor&) = delete;
  file_descriptor& operator=(const file_descriptor&) = delete;
  ~file_descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

// The value of a line "name value", which it removes from `text`; nothing if it is another line.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name)) return std::nullopt;
  std::string_view line = text.substr(name.size(), end - name.size());
  if (!name.empty()) {
    if (!line.starts_with(' ')) return std::nullopt;
    line.remove_prefix(1);
  }
  text.remove_prefix(end + 1);
  return line;
}

std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view name) {
  const std::optional<std::string_view> line = take_line(text, name);
  if (!line) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = line->data() + line->size();
  const auto result = std::from_chars(line->data(), end, number);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return number;
}

absl::Status check_arguments(const std::string& path, const std::string& job) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        "checkpoint: the name of its directory is empty; give a directory");
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (job.empty() || std::any_of(job.begin(), job.end(), is_control)) {
    return absl::InvalidArgumentError(message_about(
        path,
        "the job's name is empty or holds control characters; give the pipeline a plain name"));
  }
  return absl::OkStatus();
}

// Creates `path` if nothing is there.
absl::Status ensure_exists(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0) {
    // Without this the directory itself may be gone after a power failure, commits and all.
    const fs::path parent = fs::absolute(path).lexically_normal();
    const fs::path above =
        parent.has_filename() ? parent.parent_path() : parent.parent_path().parent_path();
    const file_descriptor opened(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.ok()) ::fsync(opened.number());
    return absl::OkStatus();
  }
  const int error = errno;
  if (error == EEXIST) return absl::OkStatus();
  const bool parent_missing = error == ENOENT || error == ENOTDIR;
  return absl::Status(
      code_of(error),
      message_about(path, fmt::format("cannot be created ({}); {}", text_of(error),
                                      parent_missing ? "create the directory above it first"
                                                     : "give a directory that may be written to")));
}

}  // namespace

checkpoint_directory::checkpoint_directory(std::string name, int descriptor, std::string job)
    : name_(std::move(name)), path_(name_), descriptor_(descriptor), job_(std::move(job)) {}

checkpoint_directory::checkpoint_directory(checkpoint_directory&& other) noexcept
    : name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      job_(std::move(other.job_)),
      commits_(other.commits_) {}

checkpoint_directory::~checkpoint_directory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string checkpoint_directory::message(std::string_view text) const {
  return message_about(name_, text);
}

absl::StatusOr<checkpoint_directory> checkpoint_directory::open(const std::string& path,
                                                                const std::string& job) {
  if (absl::Status status = check_arguments(path, job); !status.ok()) return status;
  if (absl::Status status = ensure_exists(path); !status.ok()) return status;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOTDIR) {
    return absl::FailedPreconditionError(
        message_about(path, "is no directory; give a directory, or a name that is free"));
  }
  if (descriptor < 0) {
    const int error = errno;
    return absl::Status(
        code_of(error),
        message_about(path, fmt::format("cannot be opened ({}); give a directory that "
                                        "may be read and written",
                                        text_of(error))));
  }
  checkpoint_directory opened(path, descriptor, job);
  if (absl::Status status = opened.lock(); !status.ok()) return status;
  if (absl::Status status = opened.read_identity(); !status.ok()) return status;
  return opened;
}

absl::Status checkpoint_directory::lock() const {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno == EWOULDBLOCK) {
    return absl::UnavailableError(
        message("is in use by another job or process; stop that one, or give another directory"));
  }
  return absl::UnavailableError(message(fmt::format(
      "cannot be locked ({}); give a directory on a local file system", text_of(errno))));
}

absl::Status checkpoint_directory::read_identity() {
  if (::faccessat(descriptor_, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    const int error = errno;
    return absl::Status(
        code_of(error),
        message(fmt::format("cannot be written to ({}); give a directory that may be",
                            text_of(error))));
  }
  const file_descriptor file(::openat(descriptor_, identity_name, O_RDONLY | O_CLOEXEC));
  if (!file.ok() && errno == ENOENT) {
    if (absl::Status status = require_empty(); !status.ok()) return status;
    return write_identity(0);
  }
  // A name is short; a longer file is none of ours, whatever else is in it.
  std::string text(std::size_t{64} << 10, '\0');
  const ssize_t size = file.ok() ? ::read(file.number(), text.data(), text.size()) : -1;
  if (size < 0) {
    const int error = errno;
    return absl::Status(code_of(error), message(fmt::format("its file FRESHET cannot be read ({}); "
                                                            "give the directory of a checkpoint",
                                                            text_of(error))));
  }
  text.resize(static_cast<std::size_t>(size));
  return parse_identity(text);
}

absl::Status checkpoint_directory::parse_identity(std::string_view text) {
  if (take_line(text, "") != identity_title) {
    return absl::FailedPreconditionError(message(
        "its file FRESHET is not the one of a freshet checkpoint; give an empty or new directory"));
  }
  const std::uint64_t found_format = take_number(text, "format").value_or(0);
  if (found_format > static_cast<std::uint64_t>(format)) {
    return absl::FailedPreconditionError(message(fmt::format(
        "has format {}, this build reads {}; rerun with the newer build", found_format, format)));
  }
  const auto job = take_line(text, "job");
  const auto commits = take_number(text, "commits");
  if (found_format == 0 || !job || !commits || !text.empty()) {
    return absl::DataLossError(message(
        "its file FRESHET is damaged; restore the directory from a copy, or give an empty one"));
  }
  if (*job != job_) {
    return absl::FailedPreconditionError(message(fmt::format(
        "belongs to job '{}', not to '{}'; give each job a directory of its own", *job, job_)));
  }
  commits_ = *commits;
  return absl::OkStatus();
}

absl::Status checkpoint_directory::require_empty() const {
  std::error_code error;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string found = entry->path().filename().string();
    // All that a crash before the very first identity was complete can leave behind.
    if (found == identity_draft_name) continue;
    return absl::FailedPreconditionError(message(fmt::format(
        "holds files that are no freshet checkpoint ('{}'); give an empty or new directory",
        found)));
  }
  if (error) {
    return absl::UnavailableError(message(
        fmt::format("cannot be listed ({}); give a directory that may be read", error.message())));
  }
  return absl::OkStatus();
}

absl::Status checkpoint_directory::write_identity(std::uint64_t commits) const {
  const std::string text =
      fmt::format("{}\nformat {}\njob {}\ncommits {}\n", identity_title, format, job_, commits);
  errno = 0;
  const file_descriptor file(
      ::openat(descriptor_, identity_draft_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  // The rename makes the text appear whole or not at all; the two syncs make it stay.
  const bool written =
      file.ok() &&
      ::write(file.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file.number()) == 0 &&
      ::renameat(descriptor_, identity_draft_name, descriptor_, identity_name) == 0 &&
      ::fsync(descriptor_) == 0;
  if (written) return absl::OkStatus();
  const int error = errno != 0 ? errno : ENOSPC;  // A write that stops short sets no number.
  ::unlinkat(descriptor_, identity_draft_name, 0);
  return absl::Status(
      code_of(error),
      message(fmt::format("its file FRESHET cannot be written ({}); make room, or give "
                          "a directory that may be written to",
                          text_of(error))));
}

absl::Status checkpoint_directory::record_commits(std::uint64_t commits) {
  if (absl::Status status = write_identity(commits); !status.ok()) return status;
  commits_ = commits;
  return absl::OkStatus();
}

absl::Status checkpoint_directory::clear_scratch() const {
  std::error_code error;
  fs::remove_all(scratch(), error);
  if (!error) fs::create_directory(scratch(), error);
  if (!error) return absl::OkStatus();
  return absl::Status(
      code_of(error.value()),
      message(fmt::format("its folder scratch/ cannot be emptied ({}); make room, or let "
                          "this user write there",
                          error.message())));
}

}  // namespace freshet::detail
