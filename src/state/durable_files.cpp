#include "state/durable_files.hpp"

#include <fmt/format.h>
#include <rocksdb/file_checksum.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <vector>

namespace freshet::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

absl::StatusCode code_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case EIO:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status file_failure(int error, const fs::path& path, std::string_view what) {
  return system_failure(error, fmt::format("{}: {}", path.filename().string(), what));
}

class open_file {
 public:
  open_file(const fs::path& path, int flags) : number_(::open(path.c_str(), flags, 0666)) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (number_ >= 0) ::close(number_);
  }
  bool ok() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_;
};

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

class running_sum {
 public:
  running_sum()
      : generator_(rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({})) {}
  void add(std::string_view bytes) {
    generator_->Update(bytes.data(), bytes.size());
    sum_.bytes += bytes.size();
  }
  file_sum finish() {
    generator_->Finalize();
    sum_.crc32c = to_hexadecimal(generator_->GetChecksum());
    return sum_;
  }

 private:
  std::unique_ptr<rocksdb::FileChecksumGenerator> generator_;
  file_sum sum_;
};

/// Hands the file to `piece(bytes)` in pieces until that is false, or the file ends.
template <class Piece>
absl::Status for_each_piece(const fs::path& path, Piece piece) {
  const open_file file(path, O_RDONLY | O_CLOEXEC);
  if (!file.ok() && errno == ENOENT)
    return absl::DataLossError(fmt::format("{}: is missing", path.filename().string()));
  if (!file.ok()) return file_failure(errno, path, "cannot be opened");
  std::vector<char> bytes(piece_bytes);
  while (true) {
    const ssize_t count = ::read(file.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_failure(errno, path, "cannot be read");
    if (count == 0 || !piece(std::string_view(bytes.data(), static_cast<std::size_t>(count)))) {
      return absl::OkStatus();
    }
  }
}

}  // namespace

std::string to_hexadecimal(std::string_view bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char each : bytes) {
    text += digits[static_cast<unsigned char>(each) >> 4];
    text += digits[static_cast<unsigned char>(each) & 15];
  }
  return text;
}

absl::Status system_failure(int error, std::string_view text) {
  return absl::Status(code_of(error),
                      fmt::format("{} ({})", text, std::generic_category().message(error)));
}

file_sum sum_of_bytes(std::string_view bytes) {
  running_sum sum;
  sum.add(bytes);
  return sum.finish();
}

absl::StatusOr<file_sum> sum_of_file(const fs::path& path) {
  running_sum sum;
  absl::Status status = for_each_piece(path, [&](std::string_view bytes) {
    sum.add(bytes);
    return true;
  });
  if (!status.ok()) return status;
  return sum.finish();
}

absl::StatusOr<std::string> read_file(const fs::path& path, std::uint64_t limit) {
  std::string all;
  absl::Status status = for_each_piece(path, [&](std::string_view bytes) {
    all += bytes.substr(0, std::min<std::uint64_t>(bytes.size(), limit - all.size()));
    return all.size() < limit;
  });
  if (!status.ok()) return status;
  return all;
}

absl::Status write_durably(const fs::path& path, std::string_view bytes) {
  const open_file file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
  if (!file.ok()) return file_failure(errno, path, "cannot be created");
  if (!write_all(file.number(), bytes)) return file_failure(errno, path, "cannot be written");
  if (::fsync(file.number()) != 0) return file_failure(errno, path, "cannot be made durable");
  return absl::OkStatus();
}

absl::StatusOr<file_sum> copy_durably(const fs::path& from, const fs::path& to) {
  const open_file file(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
  if (!file.ok()) return file_failure(errno, to, "cannot be created");
  running_sum sum;
  int write_error = 0;
  absl::Status status = for_each_piece(from, [&](std::string_view bytes) {
    sum.add(bytes);
    if (!write_all(file.number(), bytes)) write_error = errno;
    return write_error == 0;
  });
  if (!status.ok()) return status;
  if (write_error != 0) return file_failure(write_error, to, "cannot be written");
  if (::fsync(file.number()) != 0) return file_failure(errno, to, "cannot be made durable");
  return sum.finish();
}

absl::Status link_file(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return file_failure(errno, from, "cannot be given a second name");
}

absl::Status sync_folder(const fs::path& path) {
  const open_file folder(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!folder.ok()) return file_failure(errno, path, "cannot be opened");
  // Some file systems cannot sync a folder and say EINVAL: there is nothing more to be done there.
  if (::fsync(folder.number()) == 0 || errno == EINVAL) return absl::OkStatus();
  return file_failure(errno, path, "cannot be made durable");
}

absl::Status make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) == 0 || errno == EEXIST) return absl::OkStatus();
  return file_failure(errno, path, "cannot be created");
}

absl::Status remove_folder(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return absl::OkStatus();
  return file_failure(error.value(), path, "cannot be removed");
}

absl::Status rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return file_failure(errno, to, "cannot be given its name");
  }
  return sync_folder(to.has_parent_path() ? to.parent_path() : fs::path("."));
}

}  // namespace freshet::detail
