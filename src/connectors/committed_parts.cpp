// Parts of an output that are published one after the other.
#include <freshet/connectors/detail/committed_parts.hpp>
#include <freshet/connectors/detail/parts_sink.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/time_text.hpp>

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
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace freshet::detail {

namespace {

constexpr std::string_view token_kind = "parts1:";
constexpr std::string_view part_begin = "part-";
constexpr std::string_view in_progress = ".inprogress";
constexpr std::size_t component_bytes_max = 200;

/// A partition as a path that stays below its folder: no component is empty, begins with a dot, or
/// has a byte that a shell or a token would trip over.
std::string safe_path(std::string_view partition) {
  std::string path;
  std::size_t begin = 0;
  while (begin <= partition.size()) {
    const std::size_t end = std::min(partition.find('/', begin), partition.size());
    std::string component;
    for (const char byte : partition.substr(begin, end - begin)) {
      const auto code = static_cast<unsigned char>(byte);
      if (code < 0x20 || code == 0x7F || byte == '\\' || (byte == '.' && component.empty())) {
        component += fmt::format("%{:02X}", code);
      } else {
        component += byte;
      }
    }
    // A long one keeps its beginning, and the whole of it in a checksum.
    if (component.size() > component_bytes_max) {
      const std::uint64_t sum = hash_bytes(component.data(), component.size());
      component = fmt::format("{}%{:016x}", component.substr(0, component_bytes_max - 17), sum);
    }
    if (!component.empty()) {
      if (!path.empty()) path += '/';
      path += component;
    }
    begin = end + 1;
  }
  return path;
}

std::string_view folder_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

/// The number of a part with this file name, published or hidden; nothing for other files.
std::optional<std::uint64_t> number_of(std::string_view name, std::string_view extension,
                                       bool& hidden) {
  hidden = name.starts_with('.') && name.ends_with(in_progress);
  if (hidden) {
    name.remove_prefix(1);
    name.remove_suffix(in_progress.size());
  }
  if (!name.starts_with(part_begin) || !name.ends_with(extension)) return std::nullopt;
  name.remove_prefix(part_begin.size());
  name.remove_suffix(std::min(extension.size(), name.size()));
  std::uint64_t number = 0;
  const auto [after, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || after != name.data() + name.size() || name.size() < 6) {
    return std::nullopt;
  }
  return number;
}

absl::Status sync_folder(const std::string& folder, const std::string& place) {
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = opened >= 0 && (::fsync(opened) == 0 || errno == EINVAL);
  const int error_number = errno;
  if (opened >= 0) ::close(opened);
  if (synced) return absl::OkStatus();
  return system_error(error_number, place,
                      fmt::format("cannot make the folder '{}' durable", folder));
}

}  // namespace

std::string day_folder(timestamp at) {
  return "day=" + to_iso_8601(at).substr(0, to_iso_8601(at).find('T'));
}

std::string hour_folder(timestamp at) {
  const std::string text = to_iso_8601(at);
  return fmt::format("{}/hour={}", day_folder(at), text.substr(text.find('T') + 1, 2));
}

void check_roll(std::string_view place, const roll& options) {
  if (options.bytes_max < 1 || options.open_max < 1) {
    throw std::invalid_argument(fmt::format(
        "{}: bytes_max is {} and open_max {}, wanted at least 1; set .bytes_max and .open_max",
        place, options.bytes_max, options.open_max));
  }
  if (options.age_max < duration::zero()) {
    throw std::invalid_argument(fmt::format("{}: age_max is {}, wanted zero or more; set .age_max",
                                            place, to_text(options.age_max)));
  }
}

committed_parts::committed_parts(std::string folder, std::string place, std::string extension,
                                 std::string header, roll options)
    : folder_(std::move(folder)),
      place_(std::move(place)),
      extension_(std::move(extension)),
      header_(std::move(header)),
      options_(options) {}

committed_parts::~committed_parts() = default;

std::unique_ptr<committed_file> committed_parts::file_of(const std::string& name) const {
  const std::filesystem::path whole = std::filesystem::path(folder_) / name;
  const std::string hidden = "." + whole.filename().string() + std::string(in_progress);
  return std::make_unique<committed_file>(whole.string(), place_,
                                          (whole.parent_path() / hidden).string());
}

absl::Status committed_parts::start(std::optional<std::string_view> committed) {
  if (absl::Status made = make_folders(""); !made.ok()) return made;
  if (!committed) return remove_from(0, true);
  const absl::StatusOr<listing> found = decode(*committed);
  if (!found.ok()) return found.status();
  if (absl::Status removed = remove_from(found->next, false); !removed.ok()) return removed;
  return take_over(*found);
}

absl::Status committed_parts::take_over(const listing& from) {
  next_ = from.next;
  for (const entry& each : from.entries) {
    if (each.closed) {
      closed_[each.number] = {each.name, each.file_token};
      continue;
    }
    std::unique_ptr<committed_file> file = file_of(each.name);
    const absl::StatusOr<bool> started = file->start(each.file_token);
    if (!started.ok()) return started.status();
    open_[std::string(folder_of(each.name))] = {.number = each.number,
                                                .name = each.name,
                                                .file = std::move(file),
                                                .bytes = each.bytes,
                                                .written_at = 0,
                                                .opened_at = std::chrono::steady_clock::now()};
  }
  return absl::OkStatus();
}

/// Removes the parts from `number` on: nothing committed counts them. For a fresh start, hidden
/// ones only, and others are an error.
absl::Status committed_parts::remove_from(std::uint64_t number, bool fresh) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<fs::path> stale;
  for (fs::recursive_directory_iterator each(folder_, failed), end; !failed && each != end;
       each.increment(failed)) {
    bool hidden = false;
    const auto found = number_of(each->path().filename().string(), extension_, hidden);
    if (!found || *found < number) continue;
    if (fresh && !hidden) {
      return absl::FailedPreconditionError(
          fmt::format("{}: '{}' is there already, wanted a folder without parts for a job that "
                      "starts anew; remove them, or give another folder",
                      place_, each->path().string()));
    }
    stale.push_back(each->path());
  }
  for (const fs::path& each : stale) {
    if (!failed) fs::remove(each, failed);
  }
  if (!failed) return absl::OkStatus();
  return system_error(failed.value(), place_, "cannot look through the folder, or remove from it");
}

/// Creates the folder of a partition, and those above it, durably.
absl::Status committed_parts::make_folders(const std::string& partition) {
  namespace fs = std::filesystem;
  const fs::path whole = partition.empty() ? fs::path(folder_) : fs::path(folder_) / partition;
  std::error_code unknown;
  std::vector<fs::path> missing;
  for (fs::path each = whole; !each.empty() && !fs::exists(each, unknown);
       each = each.parent_path()) {
    missing.push_back(each);
  }
  for (auto each = missing.rbegin(); each != missing.rend(); ++each) {
    if (::mkdir(each->c_str(), 0777) != 0 && errno != EEXIST) {
      return system_error(errno, place_,
                          fmt::format("cannot create the folder '{}'", each->string()));
    }
    const std::string above = each->has_parent_path() ? each->parent_path().string() : ".";
    if (absl::Status synced = sync_folder(above, place_); !synced.ok()) return synced;
  }
  if (!fs::is_directory(whole, unknown)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: '{}' is no folder, wanted one; give another", place_, whole.string()));
  }
  return absl::OkStatus();
}

absl::StatusOr<committed_parts::open_part*> committed_parts::part_of(const std::string& partition) {
  if (const auto known = open_.find(partition); known != open_.end()) return &known->second;
  if (open_.size() >= options_.open_max) {
    const auto oldest = std::min_element(
        open_.begin(), open_.end(),
        [](const auto& a, const auto& b) { return a.second.written_at < b.second.written_at; });
    if (absl::Status closed = close(std::string(oldest->first)); !closed.ok()) return closed;
  }
  if (absl::Status made = make_folders(partition); !made.ok()) return made;
  open_part part{.number = next_,
                 .name = fmt::format("{}{}{}{:06}{}", partition, partition.empty() ? "" : "/",
                                     part_begin, next_, extension_),
                 .file = nullptr,
                 .opened_at = std::chrono::steady_clock::now()};
  ++next_;
  part.file = file_of(part.name);
  const absl::StatusOr<bool> started = part.file->start(std::nullopt);
  if (!started.ok()) return started.status();
  if (!header_.empty()) {
    if (absl::Status done = part.file->append(header_ + '\n'); !done.ok()) return done;
    part.bytes = header_.size() + 1;
  }
  return &(open_[partition] = std::move(part));
}

absl::Status committed_parts::append(std::string_view partition, std::string_view rows) {
  if (rows.empty()) return absl::OkStatus();
  const std::string path = safe_path(partition);
  const absl::StatusOr<open_part*> found = part_of(path);
  if (!found.ok()) return found.status();
  open_part& part = **found;
  part.written_at = ++appends_;
  if (absl::Status done = part.file->append(rows); !done.ok()) return done;
  part.bytes += rows.size();
  return part.bytes < options_.bytes_max ? absl::OkStatus() : close(path);
}

std::uint64_t committed_parts::room(std::string_view partition) const {
  const auto known = open_.find(safe_path(partition));
  const std::uint64_t bytes = known == open_.end() ? header_.size() + 1 : known->second.bytes;
  return options_.bytes_max - std::min(options_.bytes_max, bytes);
}

/// Makes a part durable and lets go of it.
absl::Status committed_parts::close(const std::string& partition) {
  const auto at = open_.find(partition);
  const absl::StatusOr<std::string> token = at->second.file->prepare();
  if (!token.ok()) return token.status();
  closed_[at->second.number] = {at->second.name, *token};
  open_.erase(at);
  return absl::OkStatus();
}

absl::StatusOr<std::string> committed_parts::prepare() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::string> old;
  for (const auto& [partition, part] : open_) {
    if (now - part.opened_at >= options_.age_max) old.push_back(partition);
  }
  for (const std::string& partition : old) {
    if (absl::Status closed = close(partition); !closed.ok()) return closed;
  }
  std::string token = fmt::format("{}{}\n", token_kind, next_);
  for (const auto& [number, part] : closed_) {
    token += fmt::format("closed {} 0 {} {}\n", number, part.token, part.name);
  }
  for (auto& [partition, part] : open_) {
    const absl::StatusOr<std::string> file_token = part.file->prepare();
    if (!file_token.ok()) return file_token.status();
    token += fmt::format("open {} {} {} {}\n", part.number, part.bytes, *file_token, part.name);
  }
  return token;
}

absl::StatusOr<committed_parts::listing> committed_parts::decode(std::string_view token) const {
  const auto damaged = absl::InvalidArgumentError(
      place_ +
      ": the token in the checkpoint is not one of parts; rerun with the build that wrote it");
  const auto number = [](std::string_view text, std::uint64_t& out) {
    const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && after == text.data() + text.size();
  };
  const auto take_until = [&token](char end) {
    const std::size_t at = std::min(token.find(end), token.size());
    const std::string_view taken = token.substr(0, at);
    token.remove_prefix(std::min(at + 1, token.size()));
    return taken;
  };
  listing found;
  if (!token.starts_with(token_kind)) return damaged;
  token.remove_prefix(token_kind.size());
  if (!number(take_until('\n'), found.next)) return damaged;
  while (!token.empty()) {
    entry each;
    const std::string_view what = take_until(' ');
    each.closed = what == "closed";
    if (!each.closed && what != "open") return damaged;
    if (!number(take_until(' '), each.number) || !number(take_until(' '), each.bytes)) {
      return damaged;
    }
    each.file_token = take_until(' ');
    each.name = take_until('\n');
    // Only names that this class gives, so that no token leads out of the folder.
    bool hidden = false;
    const std::string_view folder = folder_of(each.name);
    const std::string_view file =
        std::string_view(each.name).substr(folder.empty() ? 0 : folder.size() + 1);
    if (safe_path(each.name) != each.name || number_of(file, extension_, hidden) != each.number) {
      return damaged;
    }
    found.entries.push_back(std::move(each));
  }
  return found;
}

absl::Status committed_parts::commit(std::string_view token, bool last) {
  const absl::StatusOr<listing> found = decode(token);
  if (!found.ok()) return found.status();
  for (const entry& each : found->entries) {
    if (!each.closed && !last) continue;
    if (absl::Status done = publish(each); !done.ok()) return done;
  }
  if (!last || (open_.empty() && closed_.empty())) return absl::OkStatus();
  return absl::FailedPreconditionError(
      place_ + ": rows came after those that were prepared; prepare again before the last commit");
}

absl::Status committed_parts::publish(const entry& part) {
  const std::string partition(folder_of(part.name));
  const auto open = open_.find(partition);
  if (open != open_.end() && open->second.number == part.number) {
    absl::Status done = open->second.file->commit(part.file_token, true);
    if (done.ok()) open_.erase(open);
    return done;
  }
  const auto closed = closed_.find(part.number);
  if (closed == closed_.end()) return absl::OkStatus();  // Published before.
  std::unique_ptr<committed_file> file = file_of(part.name);
  // Neither name is there when it was published before a crash, and then taken away by a reader.
  const std::filesystem::path whole = std::filesystem::path(folder_) / part.name;
  const std::string hidden = "." + whole.filename().string() + std::string(in_progress);
  std::error_code unknown;
  if (std::filesystem::exists(whole.parent_path() / hidden, unknown) ||
      std::filesystem::exists(whole, unknown)) {
    const absl::StatusOr<bool> started = file->start(closed->second.token);
    if (!started.ok()) return started.status();
    if (absl::Status done = file->commit(part.file_token, true); !done.ok()) return done;
  }
  closed_.erase(closed);
  return absl::OkStatus();
}

}  // namespace freshet::detail
