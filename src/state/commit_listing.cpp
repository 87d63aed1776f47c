#include "state/commit_listing.hpp"

#include <freshet/core/hash.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace freshet::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view title = "freshet commit";
constexpr std::uint64_t listing_bytes_max = std::uint64_t{64} << 20;
constexpr std::string_view checksum_word = "checksum ";
constexpr std::size_t checksum_digits = 16;

std::string checksum_of(std::string_view text) {
  return fmt::format("{:016x}", hash_bytes(text.data(), text.size()));
}

absl::Status damaged(std::string_view found) {
  return absl::DataLossError(fmt::format("{}: {}", commit_listing::file_name, found));
}

bool is_file_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.front() != '.' && name != commit_listing::file_name &&
         std::all_of(name.begin(), name.end(), plain);
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return number;
}

std::optional<listed_file> file_in(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos) return std::nullopt;
  const auto bytes = number_in<std::uint64_t>(line.substr(first + 1, second - first - 1));
  if (!bytes || !is_file_name(line.substr(0, first))) return std::nullopt;
  return listed_file{std::string(line.substr(0, first)),
                     {*bytes, std::string(line.substr(second + 1))}};
}

absl::Status check_sum(const std::string& name, const file_sum& found, const file_sum& wanted) {
  if (found.bytes != wanted.bytes) {
    return absl::DataLossError(
        fmt::format("{}: has {} bytes, wanted {}", name, found.bytes, wanted.bytes));
  }
  if (found.crc32c != wanted.crc32c) {
    return absl::DataLossError(fmt::format("{}: its bytes have changed (checksum {}, wanted {})",
                                           name, found.crc32c, wanted.crc32c));
  }
  return absl::OkStatus();
}

}  // namespace

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
  return line ? number_in<std::uint64_t>(*line) : std::nullopt;
}

std::string with_checksum(std::string text) {
  text += fmt::format("{}{}\n", checksum_word, checksum_of(text));
  return text;
}

std::optional<std::string_view> without_checksum(std::string_view text) {
  constexpr std::size_t line_bytes = checksum_word.size() + checksum_digits + 1;
  if (text.size() < line_bytes) return std::nullopt;
  const std::string_view covered = text.substr(0, text.size() - line_bytes);
  if (text.substr(covered.size()) != fmt::format("{}{}\n", checksum_word, checksum_of(covered))) {
    return std::nullopt;
  }
  return covered;
}

std::uint64_t commit_listing::bytes() const {
  std::uint64_t all = 0;
  for (const listed_file& each : files) all += each.sum.bytes;
  return all;
}

std::string to_text(commit_listing& of) {
  std::sort(of.files.begin(), of.files.end(),
            [](const listed_file& a, const listed_file& b) { return a.name < b.name; });
  std::string text = fmt::format("{}\nformat {}\njob {}\ncommit {}\ntime {}\norigin {}\n", title,
                                 commit_listing::format, of.job, of.number, of.time, of.origin);
  for (const listed_file& each : of.files) {
    text += fmt::format("file {} {} {}\n", each.name, each.sum.bytes, each.sum.crc32c);
  }
  of.checksum = checksum_of(text);
  return with_checksum(std::move(text));
}

absl::StatusOr<commit_listing> parse_listing(std::string_view text) {
  const std::optional<std::string_view> covered = without_checksum(text);
  if (!covered) return damaged("its text does not match its checksum");
  std::string_view rest = *covered;
  if (take_line(rest, "") != title) return damaged("is not the listing of a commit");
  const auto found_format = take_number(rest, "format");
  if (!found_format) return damaged("has no format");
  if (*found_format > commit_listing::format) {
    return absl::FailedPreconditionError(
        fmt::format("{}: has format {}, this build reads {}; rerun with the newer build",
                    commit_listing::file_name, *found_format, commit_listing::format));
  }
  commit_listing of;
  const auto job = take_line(rest, "job");
  const auto number = take_number(rest, "commit");
  const auto time = take_line(rest, "time");
  const auto origin = take_line(rest, "origin");
  const auto time_count = number_in<std::int64_t>(time.value_or(""));
  if (!job || !number || !time_count || !origin) return damaged("misses a line");
  of.job = *job;
  of.number = *number;
  of.time = *time_count;
  of.origin = *origin;
  while (!rest.empty()) {
    const auto line = take_line(rest, "file");
    std::optional<listed_file> file = file_in(line.value_or(""));
    if (!file) return damaged("has a line that lists no file");
    of.files.push_back(*std::move(file));
  }
  of.checksum = checksum_of(*covered);
  return of;
}

absl::StatusOr<commit_listing> read_listing(const fs::path& folder) {
  const absl::StatusOr<std::string> text =
      read_file(folder / commit_listing::file_name, listing_bytes_max);
  if (!text.ok()) return text.status();
  return parse_listing(*text);
}

absl::Status verify_listed(const fs::path& folder, const commit_listing& listing) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".log") {
      return absl::DataLossError(fmt::format("{}: is a log that the commit does not have",
                                             entry->path().filename().string()));
    }
  }
  for (const listed_file& each : listing.files) {
    const absl::StatusOr<file_sum> found = sum_of_file(folder / each.name);
    if (!found.ok()) return found.status();
    if (absl::Status same = check_sum(each.name, *found, each.sum); !same.ok()) return same;
  }
  return absl::OkStatus();
}

absl::Status copy_listed(const fs::path& from, commit_listing listing, const fs::path& to) {
  if (absl::Status status = make_folder(to); !status.ok()) return status;
  for (const listed_file& each : listing.files) {
    const absl::StatusOr<file_sum> found = copy_durably(from / each.name, to / each.name);
    if (!found.ok()) return found.status();
    if (absl::Status same = check_sum(each.name, *found, each.sum); !same.ok()) return same;
  }
  absl::Status status = write_durably(to / commit_listing::file_name, to_text(listing));
  return status.ok() ? sync_folder(to) : status;
}

}  // namespace freshet::detail
