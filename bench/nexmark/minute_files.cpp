#include "minute_files.hpp"

#include <freshet/core/codec.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

namespace nexmark {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t buffer_bytes = 64 << 10;

absl::Status failure(const std::string& path, std::string_view what, const std::string& why) {
  return absl::InternalError(fmt::format("q10 '{}': cannot {} ({})", path, what, why));
}

std::string file_of(fr::timestamp minute) {
  return fmt::format("{:%Y-%m-%d/%H:%M}.csv",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(minute)));
}

void append_line(const q18_row& row, std::string& to) {
  const auto at = std::chrono::floor<std::chrono::milliseconds>(row.at.time_since_epoch()).count();
  fmt::format_to(std::back_inserter(to), "{},{},{},{},{},{},{}\n", row.auction, row.bidder,
                 row.price, row.channel.view(), row.url.view(), at, row.extra.view());
}

/// Makes a file or folder durable.
absl::Status sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failure(path, "open it", std::strerror(errno));
  const bool synced = ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  return synced ? absl::OkStatus() : failure(path, "make it durable", std::strerror(error));
}

}  // namespace

absl::Status minute_files_sink::start(std::optional<std::string_view> committed) {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) return failure(folder_, "make the folder", failed.message());
  if (committed) {
    using lengths = std::map<std::string, std::uint64_t>;
    absl::StatusOr<lengths> known = fr::from_bytes<lengths>(*committed);
    if (!known.ok()) return known.status();
    for (const auto& [name, bytes] : *known) parts_[name].bytes = bytes;
  }
  return cut_back();
}

absl::Status minute_files_sink::cut_back() const {
  std::error_code failed;
  for (const auto& [name, part] : parts_) {
    const std::string path = folder_ + "/" + name;
    const std::uintmax_t found = fs::file_size(path, failed);
    if (failed) return failure(path, "find what was committed", failed.message());
    if (found < part.bytes) {
      return absl::DataLossError(
          fmt::format("q10 '{}': it holds {} bytes, and {} were committed; remove the checkpoint "
                      "and start anew",
                      path, found, part.bytes));
    }
    fs::resize_file(path, part.bytes, failed);
    if (failed) return failure(path, "cut it back", failed.message());
  }
  std::vector<fs::path> unknown;
  for (const auto& each : fs::recursive_directory_iterator(folder_, failed)) {
    const std::string name = fs::relative(each.path(), folder_).string();
    if (each.is_regular_file() && !parts_.contains(name)) unknown.push_back(each.path());
  }
  for (const fs::path& each : unknown) {
    if (!failed) fs::remove(each, failed);
  }
  return failed ? failure(folder_, "remove what was not committed", failed.message())
                : absl::OkStatus();
}

absl::Status minute_files_sink::write(const fr::batch<q18_row>& rows) {
  for (const q18_row& row : rows.values) {
    const fr::timestamp minute = std::chrono::floor<std::chrono::minutes>(row.at);
    if (current_ == nullptr || minute != minute_) {
      minute_ = minute;
      current_ = &parts_[file_of(minute)];
    }
    append_line(row, current_->buffered);
    current_->changed = true;
    if (current_->buffered.size() < buffer_bytes) continue;
    if (absl::Status wrong = append(file_of(minute), *current_); !wrong.ok()) return wrong;
  }
  return absl::OkStatus();
}

absl::Status minute_files_sink::append(const std::string& name, file_part& to) const {
  const std::string path = folder_ + "/" + name;
  if (to.bytes == 0) {
    std::error_code failed;
    fs::create_directories(fs::path(path).parent_path(), failed);
    if (failed) return failure(path, "make its folder", failed.message());
  }
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return failure(path, "open it", std::strerror(errno));
  std::string_view rest = to.buffered;
  while (!rest.empty()) {
    const ssize_t written = ::write(file, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      ::close(file);
      return failure(path, "write", std::strerror(error));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(file);
  to.bytes += to.buffered.size();
  to.buffered.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::string> minute_files_sink::prepare() {
  std::map<std::string, std::uint64_t> lengths;
  std::map<std::string, bool> folders;
  for (auto& [name, part] : parts_) {
    if (part.changed) {
      if (absl::Status wrong = append(name, part); !wrong.ok()) return wrong;
      if (absl::Status wrong = sync(folder_ + "/" + name); !wrong.ok()) return wrong;
      folders[fs::path(folder_ + "/" + name).parent_path().string()] = true;
      part.changed = false;
    }
    lengths[name] = part.bytes;
  }
  folders[folder_] = true;
  for (const auto& [path, changed] : folders) {
    if (absl::Status wrong = sync(path); !wrong.ok()) return wrong;
  }
  return fr::to_bytes(lengths);
}

}  // namespace nexmark
