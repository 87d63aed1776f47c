#include "state/checkpoint_directory.hpp"

#include "state/commit_listing.hpp"
#include "state/durable_files.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
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
constexpr std::string_view draft_extension = ".draft";
constexpr std::string_view old_extension = ".old";

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

/// The number of a commit by the name of its folder: digits without a zero before them.
std::optional<std::uint64_t> number_of(std::string_view name) {
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto result = std::from_chars(name.data(), end, number);
  // The largest number has none after it.
  if (result.ec != std::errc{} || result.ptr != end || name.front() == '0') return std::nullopt;
  if (number == std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
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
      committed_(other.committed_),
      damage_(std::move(other.damage_)) {}

checkpoint_directory::~checkpoint_directory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string checkpoint_directory::message(std::string_view text) const {
  return message_about(name_, text);
}

absl::Status checkpoint_directory::message(const absl::Status& of, std::string_view advice) const {
  return absl::Status(of.code(), message(fmt::format("{}; {}", std::string(of.message()), advice)));
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
    const absl::Status empty = require_empty();
    if (empty.ok()) return write_identity(false);
    return without_identity("is missing", empty);
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

/// A commit says, too, whose it is. Without any, `refusal` stands.
absl::Status checkpoint_directory::without_identity(std::string found, absl::Status refusal) {
  const absl::StatusOr<std::vector<stored_commit>> all = commits();
  if (!all.ok()) return refusal;
  for (const stored_commit& each : *all) {
    const absl::StatusOr<commit_listing> listing = read_listing(each.folder);
    if (!listing.ok()) continue;
    if (listing->job != job_) {
      return absl::FailedPreconditionError(message(
          fmt::format("belongs to job '{}', not to '{}'; give each job a directory of its own",
                      listing->job, job_)));
    }
    damage_ = std::move(found);
    committed_ = true;
    return absl::OkStatus();
  }
  return refusal;
}

absl::Status checkpoint_directory::parse_identity(std::string_view text) {
  const bool ours = text.starts_with(fmt::format("{}\n", identity_title));
  const std::optional<std::string_view> covered = without_checksum(text);
  std::string_view rest = covered.value_or(std::string_view());
  if (!covered || take_line(rest, "") != identity_title) {
    if (text == fmt::format("{}\nformat 1\n", identity_title) ||
        text.starts_with(fmt::format("{}\nformat 1\njob ", identity_title))) {
      return absl::FailedPreconditionError(
          message(fmt::format("has format 1, this build reads {}; rerun with the build that wrote "
                              "it, or start over in an empty directory",
                              format)));
    }
    return without_identity(
        "is damaged",
        ours ? absl::DataLossError(message("its file FRESHET is damaged; restore the directory "
                                           "from a copy, or give an empty one"))
             : absl::FailedPreconditionError(
                   message("its file FRESHET is not the one of a freshet checkpoint; give an empty "
                           "or new directory")));
  }
  const std::uint64_t found_format = take_number(rest, "format").value_or(0);
  if (found_format > format) {
    return absl::FailedPreconditionError(message(fmt::format(
        "has format {}, this build reads {}; rerun with the newer build", found_format, format)));
  }
  const auto job = take_line(rest, "job");
  const auto committed = take_line(rest, "committed");
  if (found_format != format || !job || !committed || !rest.empty()) {
    return absl::DataLossError(message(
        "its file FRESHET is damaged; restore the directory from a copy, or give an empty one"));
  }
  if (*job != job_) {
    return absl::FailedPreconditionError(message(fmt::format(
        "belongs to job '{}', not to '{}'; give each job a directory of its own", *job, job_)));
  }
  committed_ = *committed == "yes";
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

absl::Status checkpoint_directory::write_identity(bool committed) const {
  const std::string text =
      with_checksum(fmt::format("{}\nformat {}\njob {}\ncommitted {}\n", identity_title, format,
                                job_, committed ? "yes" : "no"));
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

absl::StatusOr<std::vector<stored_commit>> checkpoint_directory::commits() const {
  absl::StatusOr<std::vector<stored_commit>> all = list_commits(path_);
  if (!all.ok()) return message(all.status(), "see that this user may read there");
  return all;
}

absl::Status checkpoint_directory::prepare_for_commits() {
  constexpr std::string_view advice = "make room, or let this user write there";
  for (const char* each : {"commits", "copies"}) {
    if (absl::Status status = make_folder(path_ / each); !status.ok()) {
      return message(status, advice);
    }
    std::error_code error;
    std::vector<fs::path> left;
    for (fs::directory_iterator entry(path_ / each, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string extension = entry->path().extension().string();
      if (extension == draft_extension || extension == old_extension) left.push_back(entry->path());
    }
    for (const fs::path& leftover : left) {
      if (absl::Status status = remove_folder(leftover); !status.ok()) {
        return message(status, advice);
      }
    }
  }
  if (absl::Status status = remove_folder(database()); !status.ok()) return message(status, advice);
  if (absl::Status status = clear_scratch(); !status.ok()) return status;
  if (absl::Status status = sync_folder(path_); !status.ok()) return message(status, advice);
  if (damage_.empty()) return absl::OkStatus();
  absl::Status written = write_identity(true);
  if (written.ok()) damage_.clear();
  return written;
}

absl::Status checkpoint_directory::record_commit() {
  if (committed_) return absl::OkStatus();
  if (absl::Status status = write_identity(true); !status.ok()) return status;
  committed_ = true;
  return absl::OkStatus();
}

absl::Status checkpoint_directory::clear_scratch() const {
  absl::Status status = remove_folder(scratch());
  if (status.ok()) status = make_folder(scratch());
  return status.ok() ? status : message(status, "make room, or let this user write there");
}

void checkpoint_directory::remove_work() const {
  static_cast<void>(remove_folder(scratch()));
  static_cast<void>(remove_folder(database()));
}

stored_commit checkpoint_directory::commit(std::uint64_t number) const {
  return {number, false, path_ / "commits" / std::to_string(number)};
}

stored_commit checkpoint_directory::copy(std::uint64_t number) const {
  return {number, true, path_ / "copies" / std::to_string(number)};
}

std::string stored_commit::to_text() const {
  return fmt::format("{}commit {}", is_copy ? "the copy of " : "", number);
}

absl::StatusOr<std::vector<stored_commit>> list_commits(const fs::path& directory) {
  std::vector<stored_commit> all;
  for (const bool is_copy : {false, true}) {
    const fs::path folder = directory / (is_copy ? "copies" : "commits");
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (const auto number = number_of(entry->path().filename().string())) {
        all.push_back({*number, is_copy, entry->path()});
      }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return system_failure(error.value(),
                            fmt::format("{}: cannot be listed", folder.filename().string()));
    }
  }
  std::sort(all.begin(), all.end(), [](const stored_commit& a, const stored_commit& b) {
    return a.number != b.number ? a.number > b.number : a.is_copy < b.is_copy;
  });
  return all;
}

}  // namespace freshet::detail
