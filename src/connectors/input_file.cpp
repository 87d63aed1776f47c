// Plain and compressed input files.

#include <freshet/connectors/detail/input_file.hpp>

#include "connectors/system_error.hpp"
#include "connectors/zstd_frames.hpp"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>
#include <boost/iostreams/categories.hpp>
#include <boost/iostreams/filter/bzip2.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <ios>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace freshet::detail {

namespace {

namespace io = boost::iostreams;

/// A file descriptor that is closed with its owner.
class descriptor {
 public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

struct opened {
  descriptor file;
  bool regular;
};

absl::StatusOr<opened> open_to_read(const std::string& path, const std::string& place) {
  descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return system_error(errno, place, "cannot open");
  struct stat about{};
  if (::fstat(file.number(), &about) != 0) return system_error(errno, place, "cannot open");
  if (S_ISDIR(about.st_mode)) {
    return absl::InvalidArgumentError(
        place + ": is a directory, wanted a file; give the files in it one by one");
  }
  return opened{std::move(file), S_ISREG(about.st_mode)};
}

/// read(2), repeated when a signal interrupts it.
absl::StatusOr<std::size_t> read_some(int number, char* out, std::size_t bytes,
                                      const std::string& place) {
  for (;;) {
    const ssize_t count = ::read(number, out, bytes);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return system_error(errno, place, "cannot read");
  }
}

class plain_file final : public input_file {
 public:
  plain_file(opened file, std::string place) : file_(std::move(file)), place_(std::move(place)) {}

  absl::StatusOr<std::size_t> read(char* out, std::size_t bytes) override {
    return read_some(file_.file.number(), out, bytes, place_);
  }

  absl::StatusOr<std::uint64_t> skip(std::uint64_t bytes) override {
    if (!file_.regular) return input_file::skip(bytes);
    struct stat about{};
    const int number = file_.file.number();
    const off_t here = ::lseek(number, 0, SEEK_CUR);
    if (here < 0 || ::fstat(number, &about) != 0) return system_error(errno, place_, "cannot read");
    const auto left = static_cast<std::uint64_t>(std::max<off_t>(about.st_size - here, 0));
    const std::uint64_t passed = std::min(bytes, left);
    if (::lseek(number, static_cast<off_t>(passed), SEEK_CUR) < 0) {
      return system_error(errno, place_, "cannot read");
    }
    return passed;
  }

 private:
  opened file_;
  std::string place_;
};

enum class compression { none, gzip, bzip2, xz, zstd };

/// By the name, so that a file whose first bytes are damaged is not taken for text; else by the
/// first bytes, which no text begins with. Those of a pipe cannot be looked at.
compression compression_of(std::string_view path, const opened& file) {
  using namespace std::string_view_literals;
  if (path.ends_with(".gz")) return compression::gzip;
  if (path.ends_with(".bz2")) return compression::bzip2;
  if (path.ends_with(".xz")) return compression::xz;
  if (path.ends_with(".zst")) return compression::zstd;
  char bytes[10];
  const ssize_t count = file.regular ? ::pread(file.file.number(), bytes, sizeof bytes, 0) : 0;
  const std::string_view first(bytes, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (first.starts_with("\x1F\x8B\x08"sv)) return compression::gzip;
  if (first.starts_with("BZh"sv) && first.ends_with("1AY&SY"sv)) return compression::bzip2;
  if (first.starts_with("\xFD\x37zXZ\0"sv)) return compression::xz;
  if (first.starts_with("\x28\xB5\x2F\xFD"sv)) return compression::zstd;
  return compression::none;
}

/// The compressed bytes, as Boost.Iostreams wants them. Its filters know no status, so an error is
/// put aside and looks to them like the end of the file.
class compressed_bytes {
 public:
  compressed_bytes(opened file, std::string place)
      : file_(std::move(file)), place_(std::move(place)) {}

  std::streamsize read(char* out, std::streamsize bytes) {
    const auto count = read_some(file_.file.number(), out, static_cast<std::size_t>(bytes), place_);
    if (!count.ok()) status_ = count.status();
    if (!count.ok() || *count == 0) return -1;
    frames_.see(out, *count);
    return static_cast<std::streamsize>(*count);
  }

  const absl::Status& status() const { return status_; }
  const zstd_frames& frames() const { return frames_; }
  const std::string& place() const { return place_; }

 private:
  opened file_;
  std::string place_;
  absl::Status status_;
  zstd_frames frames_;
};

/// A copyable handle to `compressed_bytes`, since a filter chain stores a copy of its device.
struct compressed_bytes_handle {
  using char_type = char;
  using category = io::source_tag;

  std::streamsize read(char* out, std::streamsize bytes) const { return from->read(out, bytes); }

  compressed_bytes* from;
};

class compressed_file final : public input_file {
 public:
  compressed_file(opened file, compression kind, std::string place)
      : bytes_(std::move(file), std::move(place)), kind_(kind) {
    constexpr int filter_bytes = 64 * 1024;
    switch (kind) {
      case compression::gzip:
        chain_.push(io::gzip_decompressor(io::zlib::default_window_bits, filter_bytes));
        break;
      case compression::bzip2:
        chain_.push(io::bzip2_decompressor(io::bzip2::default_small, filter_bytes));
        break;
      case compression::xz:
        chain_.push(io::lzma_decompressor(filter_bytes));
        break;
      case compression::zstd:
      case compression::none:
        chain_.push(io::zstd_decompressor(filter_bytes));
        break;
    }
    chain_.push(compressed_bytes_handle{&bytes_}, filter_bytes);
  }

  absl::StatusOr<std::size_t> read(char* out, std::size_t bytes) override {
    constexpr auto bytes_max = std::size_t{1} << 30U;
    std::streamsize count = 0;
    try {
      count = chain_.sgetn(out, static_cast<std::streamsize>(std::min(bytes, bytes_max)));
    } catch (const std::exception& failure) {
      return damaged(failure.what());
    }
    if (!bytes_.status().ok()) return bytes_.status();
    if (count > 0) {
      text_bytes_ += static_cast<std::uint64_t>(count);
      return static_cast<std::size_t>(count);
    }
    if (kind_ == compression::zstd && !bytes_.frames().complete()) return damaged("it is cut off");
    return std::size_t{0};
  }

 private:
  absl::Status damaged(std::string_view cause) const {
    if (!bytes_.status().ok()) return bytes_.status();
    return absl::DataLossError(
        fmt::format("{}: cannot decompress ({}) after {} bytes of text, wanted a complete file of "
                    "the kind that "
                    "its name or first bytes say; get the file anew",
                    bytes_.place(), cause, text_bytes_));
  }

  compressed_bytes bytes_;
  compression kind_;
  std::uint64_t text_bytes_ = 0;
  io::filtering_streambuf<io::input> chain_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<input_file>> input_file::open(const std::string& path,
                                                             const std::string& place) {
  absl::StatusOr<opened> file = open_to_read(path, place);
  if (!file.ok()) return file.status();
  const compression kind = compression_of(path, *file);
  if (kind == compression::none) return std::make_unique<plain_file>(*std::move(file), place);
  try {
    return std::make_unique<compressed_file>(*std::move(file), kind, place);
  } catch (const std::exception& failure) {
    return absl::UnavailableError(fmt::format("{}: cannot decompress ({})", place, failure.what()));
  }
}

absl::StatusOr<std::uint64_t> input_file::skip(std::uint64_t bytes) {
  std::array<char, 16 * 1024> unused;
  std::uint64_t passed = 0;
  while (passed < bytes) {
    const std::uint64_t wanted = std::min<std::uint64_t>(bytes - passed, unused.size());
    const absl::StatusOr<std::size_t> count = read(unused.data(), static_cast<std::size_t>(wanted));
    if (!count.ok()) return count.status();
    if (*count == 0) break;
    passed += *count;
  }
  return passed;
}

absl::StatusOr<bool> check_input_file(const std::string& path, const std::string& place) {
  // A pipe must not be opened twice: its writer would see the first reader leave.
  struct stat about{};
  if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
    if (::access(path.c_str(), R_OK) != 0) return system_error(errno, place, "cannot open");
    return false;
  }
  const absl::StatusOr<opened> file = open_to_read(path, place);
  if (!file.ok()) return file.status();
  return file->regular;
}

}  // namespace freshet::detail
