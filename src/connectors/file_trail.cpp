// Follows a path through growth, rotation, and truncation.
#include <freshet/connectors/detail/file_trail.hpp>

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
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace freshet::detail {

namespace {

/// So many first bytes of a file tell it from others that get its inode or its place.
constexpr std::size_t head_bytes = 256;
constexpr std::string_view position_kind = "follow1:";

}  // namespace

class growing_file {
 public:
  growing_file(int file, std::uint64_t inode, std::string path, std::string place)
      : file_(file), inode_(inode), path_(std::move(path)), place_(std::move(place)) {}
  growing_file(const growing_file&) = delete;
  growing_file& operator=(const growing_file&) = delete;
  ~growing_file() { ::close(file_); }

  /// Null when there is no such file.
  static absl::StatusOr<std::shared_ptr<growing_file>> open(const std::string& path,
                                                            const std::string& place) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == ENOENT) return std::shared_ptr<growing_file>();
    if (file < 0) return system_error(errno, place, "cannot open");
    struct stat about{};
    const bool known = ::fstat(file, &about) == 0;
    const int error_number = errno;
    auto opened = std::make_shared<growing_file>(file, about.st_ino, path, place);
    if (!known) return system_error(error_number, place, "cannot open");
    if (!S_ISREG(about.st_mode)) {
      return absl::InvalidArgumentError(
          place + ": is no regular file, wanted one that grows; read it without .follow");
    }
    return opened;
  }

  absl::StatusOr<std::size_t> read(char* out, std::size_t bytes) {
    for (;;) {
      const ssize_t count = ::pread(file_, out, bytes, static_cast<off_t>(offset_));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return system_error(errno, place_, "cannot read");
      // After a pause the file may be another in the same place.
      if (count > 0 && std::exchange(paused_, false) && !is_same()) {
        cut_ = true;
        return std::size_t{0};
      }
      if (count == 0) paused_ = true;
      offset_ += static_cast<std::uint64_t>(count);
      if (count > 0 && head_.size() < head_bytes) head_ = first_bytes(offset_);
      return static_cast<std::size_t>(count);
    }
  }

  std::uint64_t skip(std::uint64_t bytes) {
    const std::uint64_t passed = std::min(bytes, size() - std::min(offset_, size()));
    offset_ += passed;
    head_ = first_bytes(offset_);
    return passed;
  }

  std::uint64_t size() const {
    struct stat about{};
    return ::fstat(file_, &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
  }

  /// The checksum of the first of the first `byte` bytes.
  std::uint64_t head(std::uint64_t byte) const {
    const std::size_t bytes = std::min<std::uint64_t>(byte, head_.size());
    return hash_bytes(head_.data(), bytes);
  }

  /// Whether this is the file that had `inode`, and this checksum after `byte` bytes.
  bool is(std::uint64_t inode, std::uint64_t byte, std::uint64_t checksum) const {
    if (inode != inode_ || size() < byte) return false;
    const std::string first = first_bytes(byte);
    return hash_bytes(first.data(), first.size()) == checksum;
  }

  bool is_cut() const { return cut_ || size() < offset_ || !is_same(); }
  std::uint64_t inode() const { return inode_; }
  std::uint64_t offset() const { return offset_; }
  const std::string& path() const { return path_; }
  bool ended = false;

 private:
  std::string first_bytes(std::uint64_t before) const {
    std::string bytes(std::min<std::uint64_t>(before, head_bytes), '\0');
    const ssize_t count = ::pread(file_, bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }
  bool is_same() const { return first_bytes(head_.size()) == head_; }

  int file_;
  std::uint64_t inode_;
  std::string path_;
  std::string place_;
  std::uint64_t offset_ = 0;
  std::string head_;
  bool paused_ = false;
  bool cut_ = false;
};

namespace {

/// The scanner's side of a growing file.
class growing_input final : public input_file {
 public:
  explicit growing_input(std::shared_ptr<growing_file> file) : file_(std::move(file)) {}
  absl::StatusOr<std::size_t> read(char* out, std::size_t bytes) override {
    return file_->read(out, bytes);
  }
  bool may_grow() const override { return !file_->ended; }
  absl::StatusOr<std::uint64_t> skip(std::uint64_t bytes) override { return file_->skip(bytes); }

 private:
  std::shared_ptr<growing_file> file_;
};

std::uint64_t inode_of(const std::string& path, std::uint64_t* bytes = nullptr) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return 0;
  if (bytes != nullptr) *bytes = static_cast<std::uint64_t>(about.st_size);
  return about.st_ino;
}

/// The files beside `path` whose names begin with its name, but for itself.
std::vector<std::string> siblings(const std::string& path) {
  const std::filesystem::path whole(path);
  const std::string folder = whole.has_parent_path() ? whole.parent_path().string() : ".";
  std::vector<std::string> found;
  std::error_code failed;
  for (std::filesystem::directory_iterator each(folder, failed), end; !failed && each != end;
       each.increment(failed)) {
    const std::string name = each->path().filename().string();
    const std::string mine = whole.filename().string();
    if (name.size() > mine.size() && name.starts_with(mine)) {
      found.push_back(path + name.substr(mine.size()));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// What a rotated file's suffix says: its form, with every number as `0`, and the numbers.
struct suffix {
  std::string form;
  std::string digits;  // Those of all numbers, each number padded, so that they compare as text.
  bool counts_down;    // A small number, as `.1`: the newest file has the lowest.
};

suffix suffix_of(std::string_view text) {
  suffix made{{}, {}, false};
  std::size_t digits_in_all = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
    if (end == at) {
      made.form += text[at++];
      continue;
    }
    const std::size_t padding = 20 - std::min<std::size_t>(end - at, 20);
    made.form += '0';
    made.digits += std::string(padding, '0') + std::string(text.substr(at, end - at));
    digits_in_all += end - at;
    at = end;
  }
  made.counts_down = digits_in_all <= 4;
  return made;
}

/// The file that was `path` after the one which is `rotated` now; empty when that is `path` again.
std::string successor(const std::string& path, const std::string& rotated) {
  const suffix own = suffix_of(std::string_view(rotated).substr(path.size()));
  std::string best;
  std::string best_digits;
  for (const std::string& each : siblings(path)) {
    const suffix other = suffix_of(std::string_view(each).substr(path.size()));
    if (other.form != own.form || own.digits.empty()) continue;
    const bool newer = own.counts_down ? other.digits < own.digits : other.digits > own.digits;
    const bool nearer =
        best.empty() || (own.counts_down ? other.digits > best_digits : other.digits < best_digits);
    if (!newer || !nearer) continue;
    best = each;
    best_digits = other.digits;
  }
  return best;
}

bool parse_number(std::string_view& text, std::uint64_t& number) {
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || after == text.data() + text.size() || *after != ':') return false;
  text.remove_prefix(static_cast<std::size_t>(after - text.data()) + 1);
  return true;
}

}  // namespace

file_trail::file_trail(std::string path, std::string place, std::optional<follow> options)
    : path_(std::move(path)), place_(std::move(place)), options_(options) {}
file_trail::file_trail(file_trail&&) noexcept = default;
file_trail& file_trail::operator=(file_trail&&) noexcept = default;
file_trail::~file_trail() = default;

absl::Status file_trail::resume(std::string_view position) {
  if (!options_) {
    records_ = position;
    return absl::OkStatus();
  }
  std::string_view rest = position;
  const bool known = rest.starts_with(position_kind);
  if (known) rest.remove_prefix(position_kind.size());
  if (!known || !parse_number(rest, base_) || !parse_number(rest, wanted_inode_) ||
      !parse_number(rest, wanted_bytes_) || !parse_number(rest, wanted_head_)) {
    return absl::InvalidArgumentError(
        place_ +
        ": the position in the checkpoint is not one of a followed file; rerun with the options of "
        "the run that wrote it");
  }
  if (!rest.empty()) records_ = rest;
  return absl::OkStatus();
}

/// The file of the checkpoint, wherever it is now; null, and a report, when it is gone.
absl::StatusOr<std::shared_ptr<growing_file>> file_trail::find_again() {
  std::vector<std::string> places = siblings(path_);
  places.insert(places.begin(), path_);
  for (const std::string& each : places) {
    if (inode_of(each) != wanted_inode_) continue;
    auto file = growing_file::open(each, place_);
    if (!file.ok()) return file.status();
    if (*file && (*file)->is(wanted_inode_, wanted_bytes_, wanted_head_)) return file;
  }
  reports_.push_back(
      fmt::format("the file that was read up to byte {} is gone or was cut, wanted it at its path "
                  "or beside it; what was behind that byte is lost, going on at the beginning",
                  wanted_bytes_));
  base_ += wanted_bytes_;
  records_.reset();
  return std::shared_ptr<growing_file>();
}

absl::StatusOr<std::unique_ptr<input_file>> file_trail::open() {
  if (!options_) return input_file::open(path_, place_);
  looked_at_ = std::chrono::steady_clock::now();
  if (wanted_inode_ != 0) {
    auto found = find_again();
    if (!found.ok()) return found.status();
    wanted_inode_ = 0;
    current_ = *std::move(found);
  }
  if (!current_) {
    auto opened = growing_file::open(next_path_.empty() ? path_ : next_path_, place_);
    if (opened.ok() && *opened == nullptr && !next_path_.empty()) {
      next_path_.clear();  // Renamed meanwhile, or removed.
      opened = growing_file::open(path_, place_);
    }
    if (!opened.ok()) return opened.status();
    current_ = *std::move(opened);
  }
  if (!current_) return std::unique_ptr<input_file>();
  return std::make_unique<growing_input>(current_);
}

std::optional<std::string_view> file_trail::start() const {
  if (!records_) return std::nullopt;
  return *records_;
}

void file_trail::close() {
  current_.reset();
}

file_trail::state file_trail::look() {
  looked_at_ = std::chrono::steady_clock::now();
  if (current_->is_cut()) {
    reports_.push_back(
        fmt::format("the file was cut from {} to {} bytes or written anew; lines that it had and "
                    "that were not read are lost, going on at the beginning",
                    current_->offset(), current_->size()));
    return state::cut;
  }
  // Its successor is in use as soon as there is something in it; until then, and while there is
  // none, who writes may still have the old file open.
  std::uint64_t bytes = 0;
  const std::uint64_t inode = inode_of(path_, &bytes);
  if (inode == 0 || inode == current_->inode() || bytes == 0) return state::growing;
  if (current_->size() > current_->offset()) return state::growing;  // Something came meanwhile.
  current_->ended = true;
  return state::ended;
}

void file_trail::go_on(std::uint64_t bytes) {
  base_ += bytes;
  records_.reset();
  next_path_.clear();
  if (current_->ended) {
    for (const std::string& each : siblings(path_)) {
      if (inode_of(each) != current_->inode()) continue;
      next_path_ = successor(path_, each);
      break;
    }
  }
  current_.reset();
}

std::string file_trail::position(std::string_view records, std::uint64_t byte) const {
  if (!options_) return std::string(records);
  if (wanted_inode_ != 0) {  // Not opened since it was resumed.
    return fmt::format("{}{}:{}:{}:{}:{}", position_kind, base_, wanted_inode_, wanted_bytes_,
                       wanted_head_, records_.value_or(""));
  }
  if (!current_ || records.empty()) return fmt::format("{}{}:0:0:0:", position_kind, base_);
  return fmt::format("{}{}:{}:{}:{}:{}", position_kind, base_, current_->inode(), byte,
                     current_->head(byte), records);
}

void file_trail::report(std::vector<dead_letter>& dead) {
  for (std::string& each : reports_) {
    dead.push_back({.source = {},
                    .split = {},
                    .sequence = base_,
                    .line = 0,
                    .reason = std::move(each),
                    .record = {}});
  }
  reports_.clear();
}

duration file_trail::until_next_look() const {
  const auto passed = std::chrono::steady_clock::now() - looked_at_;
  const duration left = options_->poll - std::chrono::duration_cast<duration>(passed);
  return std::max(left, duration::zero());
}

}  // namespace freshet::detail
