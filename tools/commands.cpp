#include "commands.hpp"

#include "runtime/manifest.hpp"
#include "state/checkpoint_directory.hpp"
#include "state/commit_listing.hpp"
#include "state/commit_reader.hpp"
#include "state/durable_files.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/key_group.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/state/backend.hpp>

#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace freshet_state {
namespace {

namespace fs = std::filesystem;
using freshet::timestamp;
using freshet::detail::commit_listing;
using freshet::detail::commit_reader;
using freshet::detail::manifest;
using freshet::detail::operator_record;
using freshet::detail::stored_commit;
using freshet::detail::to_hexadecimal;

constexpr std::size_t cache_bytes = std::size_t{8} << 20;
constexpr std::size_t hash_bytes_of_key = 8;
constexpr std::size_t key_begin = freshet::state_number_bytes + hash_bytes_of_key;

std::string text_of(const absl::Status& status) {
  return std::string(status.message());
}

absl::Status about(const fs::path& place, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("'{}': {}", place.string(), text_of(status)));
}

std::string time_text(timestamp at) {
  if (at == freshet::timestamp_min) return "none";
  if (at == freshet::timestamp_max) return "the end of time";
  return freshet::to_iso_8601(at);
}

/// Bytes of somebody else, fit for a terminal.
std::string printable(std::string_view bytes) {
  std::string text;
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte >= 0x7f || each == '\\') {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += each;
    }
  }
  return text;
}

bool is_commit(const fs::path& place) {
  std::error_code error;
  return fs::exists(place / commit_listing::file_name, error);
}

absl::StatusOr<std::vector<stored_commit>> commits_of(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    return absl::NotFoundError(fmt::format(
        "'{}': is no folder; give a checkpoint directory, or the folder of a commit or savepoint",
        directory.string()));
  }
  absl::StatusOr<std::vector<stored_commit>> all = freshet::detail::list_commits(directory);
  if (!all.ok()) return about(directory, all.status());
  if (all->empty()) {
    return absl::NotFoundError(fmt::format(
        "'{}': holds no commit; give a checkpoint directory with commits, or the folder "
        "of a commit or savepoint",
        directory.string()));
  }
  return all;
}

/// The folder of the commit that is meant.
absl::StatusOr<fs::path> folder_of(const fs::path& place) {
  if (is_commit(place)) return place;
  absl::StatusOr<std::vector<stored_commit>> all = commits_of(place);
  if (!all.ok()) return all.status();
  return all->front().folder;
}

struct opened_commit {
  std::unique_ptr<commit_reader> reader;
  manifest of;
};

absl::StatusOr<opened_commit> open_folder(const fs::path& folder) {
  absl::StatusOr<std::unique_ptr<commit_reader>> reader = commit_reader::open(folder, cache_bytes);
  if (!reader.ok()) return about(folder, reader.status());
  absl::StatusOr<manifest> decoded = freshet::detail::decode_manifest((*reader)->manifest());
  if (!decoded.ok()) return about(folder, decoded.status());
  return opened_commit{*std::move(reader), *std::move(decoded)};
}

/// A running job removes older commits; then there is a newer one.
absl::StatusOr<opened_commit> open_commit(const fs::path& place) {
  for (int tries_left = 5;; --tries_left) {
    const absl::StatusOr<fs::path> folder = folder_of(place);
    if (!folder.ok()) return folder.status();
    absl::StatusOr<opened_commit> opened = open_folder(*folder);
    std::error_code error;
    const bool was_removed = !opened.ok() && !fs::exists(*folder, error);
    if (!was_removed) return opened;
    if (is_commit(place) || tries_left == 0 || *folder == place) {
      return absl::NotFoundError(fmt::format(
          "'{}': was removed by its job meanwhile; give the checkpoint directory, for the newest",
          folder->string()));
    }
  }
}

std::string identity(const operator_record& of) {
  return fmt::format("{} '{}'", of.kind, of.name);
}

std::string prefix_of(const operator_record& of) {
  const auto number = freshet::encode_state_number(of.state);
  return {number.begin(), number.end()};
}

std::uint64_t hash_in(std::string_view key) {
  std::uint64_t hash = 0;
  for (std::size_t i = freshet::state_number_bytes; i < key_begin; ++i) {
    hash = hash << 8 | static_cast<unsigned char>(key[i]);
  }
  return hash;
}

absl::Status check_row(std::string_view key, std::string_view value) {
  if (key.size() >= key_begin && value.size() >= freshet::expiry_bytes) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("the row with key 0x{} is too short for a row of state", to_hexadecimal(key)));
}

/// Calls `row(key, value)` for every row of an operator that a job would be given. Rows that have
/// expired may still be there, until RocksDB rewrites their file. \return how many those are.
template <class Row>
absl::StatusOr<std::uint64_t> for_each_row(const commit_reader& reader, const operator_record& of,
                                           Row row) {
  timestamp smallest = freshet::timestamp_max;
  for (const auto& each : of.instances) smallest = std::min(smallest, each.frontier);
  std::array<timestamp, freshet::key_groups> frontiers{};
  frontiers.fill(smallest);
  for (const auto& each : of.instances) {
    for (std::uint32_t group = 0; group < freshet::key_groups; ++group) {
      if (each.groups.contains_group(group)) frontiers[group] = each.frontier;
    }
  }
  std::uint64_t expired = 0;
  absl::Status scanned =
      reader.scan(prefix_of(of), [&](std::string_view key, std::string_view value) {
        if (absl::Status whole = check_row(key, value); !whole.ok()) return whole;
        const timestamp frontier = frontiers[freshet::key_group_of(hash_in(key))];
        if (freshet::decode_expiry(value) <= frontier) {
          ++expired;
        } else {
          row(key, value);
        }
        return absl::OkStatus();
      });
  if (!scanned.ok()) return scanned;
  return expired;
}

/// "0-31, 64": the numbers of the groups.
std::string groups_text(const freshet::key_group_set& groups) {
  std::string text;
  for (std::uint32_t group = 0; group < freshet::key_groups; ++group) {
    if (!groups.contains_group(group)) continue;
    const std::uint32_t first = group;
    while (group + 1 < freshet::key_groups && groups.contains_group(group + 1)) ++group;
    text += text.empty() ? "" : ", ";
    text += first == group ? fmt::format("{}", first) : fmt::format("{}-{}", first, group);
  }
  return text.empty() ? "none" : text;
}

void print_ends(const manifest& of) {
  for (const auto& source : of.sources) {
    fmt::print("source '{}' [{}]\n", printable(source.name), printable(source.format));
    const auto& at = source.at;
    const std::size_t splits = std::min({at.splits.size(), at.positions.size(), at.ended.size()});
    for (std::size_t i = 0; i < splits; ++i) {
      fmt::print("  split '{}' at '{}'{}\n", printable(at.splits[i]), printable(at.positions[i]),
                 at.ended[i] ? ", at its end" : "");
    }
  }
  for (const auto& sink : of.sinks) {
    fmt::print("sink '{}' token '{}'\n", printable(sink.name), printable(sink.token));
  }
}

template <class T>
std::optional<std::string> decoded(std::string_view bytes) {
  freshet::byte_reader reader(bytes);
  T value{};
  if (!freshet::decode(reader, value)) return std::nullopt;
  return fmt::format("{}", value);
}

/// What the application's key is, by the type that the format names, where the format also says
/// that rows begin with it: those of windows of event time do.
std::optional<std::string> key_text(const operator_record& of, std::string_view key) {
  if (!of.format.ends_with(" | rows 2")) return std::nullopt;
  constexpr std::string_view before = " | key ";
  const std::size_t begin = of.format.find(before);
  if (begin == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(of.format).substr(begin + before.size());
  const std::string_view type = rest.substr(0, rest.find(" | "));
  if (type == "string") return decoded<std::string>(key);
  if (type == "bool") return decoded<bool>(key);
  if (type == "i8" || type == "u8") return std::nullopt;  // A character, or a number.
  if (type == "i16") return decoded<std::int16_t>(key);
  if (type == "i32") return decoded<std::int32_t>(key);
  if (type == "i64") return decoded<std::int64_t>(key);
  if (type == "u16") return decoded<std::uint16_t>(key);
  if (type == "u32") return decoded<std::uint32_t>(key);
  if (type == "u64") return decoded<std::uint64_t>(key);
  return std::nullopt;
}

/// One cell of CSV, in quotes.
std::string quoted_cell(std::string_view text) {
  std::string cell = "\"";
  for (const char each : text) cell += each == '"' ? std::string("\"\"") : std::string(1, each);
  return cell + '"';
}

/// A string of JSON. Bytes that are no ASCII are escaped one by one: keys need not be UTF-8.
std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte >= 0x7f || each == '"' || each == '\\') {
      quoted += fmt::format("\\u{:04x}", byte);
    } else {
      quoted += each;
    }
  }
  return quoted + '"';
}

std::string csv_line(const operator_record& of, std::string_view key, std::string_view value) {
  const std::uint64_t hash = hash_in(key);
  const std::optional<std::string> text = key_text(of, key.substr(key_begin));
  return fmt::format("{:016x},{},{},{},{},{}\n", hash, freshet::key_group_of(hash),
                     time_text(freshet::decode_expiry(value)), text ? quoted_cell(*text) : "",
                     to_hexadecimal(key.substr(key_begin)),
                     to_hexadecimal(value.substr(freshet::expiry_bytes)));
}

std::string json_line(const operator_record& of, std::string_view key, std::string_view value) {
  const std::uint64_t hash = hash_in(key);
  const std::optional<std::string> text = key_text(of, key.substr(key_begin));
  return fmt::format(
      R"({{"hash":"{:016x}","key_group":{},"expires_at":"{}","key_text":{},"key":"{}","value":"{}"}})"
      "\n",
      hash, freshet::key_group_of(hash), time_text(freshet::decode_expiry(value)),
      text ? json_string(*text) : "null", to_hexadecimal(key.substr(key_begin)),
      to_hexadecimal(value.substr(freshet::expiry_bytes)));
}

struct change_counts {
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;
  std::uint64_t same = 0;
};

/// A key without its state's number, and a checksum of its value: in the order of keys.
using known_rows = std::vector<std::pair<std::string, std::uint64_t>>;

absl::StatusOr<known_rows> rows_of(const opened_commit& commit, const operator_record* of) {
  known_rows rows;
  if (of == nullptr) return rows;
  const absl::StatusOr<std::uint64_t> expired =
      for_each_row(*commit.reader, *of, [&](std::string_view key, std::string_view value) {
        rows.emplace_back(key.substr(freshet::state_number_bytes),
                          freshet::detail::hash_bytes(value.data(), value.size()));
      });
  if (!expired.ok()) return expired.status();
  return rows;
}

change_counts compare(const known_rows& before, const known_rows& after) {
  change_counts counts;
  auto old = before.begin();
  for (const auto& [key, value] : after) {
    for (; old != before.end() && old->first < key; ++old) ++counts.removed;
    if (old == before.end() || old->first != key) {
      ++counts.added;
      continue;
    }
    ++(old->second == value ? counts.same : counts.changed);
    ++old;
  }
  counts.removed += static_cast<std::uint64_t>(before.end() - old);
  return counts;
}

const operator_record* find(const manifest& in, const std::string& wanted) {
  for (const operator_record& each : in.operators) {
    if (identity(each) == wanted) return &each;
  }
  return nullptr;
}

absl::StatusOr<const operator_record*> operator_named(const manifest& in, const std::string& name) {
  const operator_record* found = nullptr;
  std::string names;
  for (const operator_record& each : in.operators) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", identity(each));
    if (each.name != name && identity(each) != name) continue;
    if (found != nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("operator '{}': there is {} and {}; give kind and name", name,
                      identity(*found), identity(each)));
    }
    found = &each;
  }
  if (found != nullptr) return found;
  return absl::NotFoundError(fmt::format("operator '{}': is not among {}; give one of them", name,
                                         names.empty() ? "none" : names));
}

absl::Status verify_folder(const fs::path& folder) {
  absl::StatusOr<opened_commit> opened = open_folder(folder);
  if (!opened.ok()) return opened.status();
  fmt::print("{}: commit {}, {} files, {} bytes: intact\n", folder.string(),
             opened->reader->listing().number, opened->reader->listing().files.size(),
             opened->reader->listing().bytes());
  return absl::OkStatus();
}

}  // namespace

absl::Status list(const std::string& directory) {
  const absl::StatusOr<std::vector<stored_commit>> all = commits_of(directory);
  if (!all.ok()) return all.status();
  for (const stored_commit& each : *all) {
    const std::string kind = each.is_copy ? "copy" : "commit";
    absl::StatusOr<commit_listing> listing = freshet::detail::read_listing(each.folder);
    absl::Status whole = listing.status();
    if (whole.ok()) whole = freshet::detail::verify_listed(each.folder, *listing);
    std::error_code error;
    if (!whole.ok() && !fs::exists(each.folder, error)) continue;  // The job has removed it.
    if (!listing.ok()) {
      fmt::print("{} {}: damaged ({})\n", kind, each.number, text_of(whole));
      continue;
    }
    fmt::print("{} {} of job '{}': {}, {} files, {} bytes, {}\n", kind, each.number,
               printable(listing->job), time_text(timestamp{freshet::duration{listing->time}}),
               listing->files.size(), listing->bytes(),
               whole.ok() ? "intact" : fmt::format("damaged ({})", text_of(whole)));
  }
  return absl::OkStatus();
}

absl::Status show(const std::string& place) {
  const absl::StatusOr<opened_commit> commit = open_commit(place);
  if (!commit.ok()) return commit.status();
  const commit_listing& listing = commit->reader->listing();
  const manifest& of = commit->of;
  fmt::print("commit {} of job '{}': {}, {} files, {} bytes\n", listing.number,
             printable(listing.job), time_text(timestamp{freshet::duration{listing.time}}),
             listing.files.size(), listing.bytes());
  fmt::print("epoch {}, {} key groups, {}{}\n", of.epoch, of.key_groups,
             of.finished ? "finished" : "not finished", of.published ? ", published" : "");
  if (listing.origin != "none")
    fmt::print("restored from savepoint {}\n", printable(listing.origin));
  for (const operator_record& each : of.operators) {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    const absl::StatusOr<std::uint64_t> expired =
        for_each_row(*commit->reader, each, [&](std::string_view key, std::string_view value) {
          ++rows;
          bytes += key.size() + value.size();
        });
    if (!expired.ok()) return about(place, expired.status());
    fmt::print("{} '{}' [{}]\n  state {}, {} rows, {} bytes, {} expired rows, {} instances\n",
               printable(each.kind), printable(each.name), printable(each.format), each.state, rows,
               bytes, *expired, each.instances.size());
    for (const auto& instance : each.instances) {
      fmt::print("  watermark {}, key groups {}, summary of {} bytes\n",
                 time_text(instance.frontier), groups_text(instance.groups),
                 instance.summary.size());
    }
  }
  print_ends(of);
  for (const auto& each : of.counters) {
    fmt::print("{}: {} records in, {} out, {} late, {} dead\n", printable(each.place),
               each.records_in, each.records_out, each.late, each.dead);
  }
  return absl::OkStatus();
}

absl::Status verify(const std::string& place) {
  if (is_commit(place)) return verify_folder(place);
  const absl::StatusOr<std::vector<stored_commit>> all = commits_of(place);
  if (!all.ok()) return all.status();
  absl::Status first;
  for (const stored_commit& each : *all) {
    const absl::Status whole = verify_folder(each.folder);
    std::error_code error;
    if (whole.ok() || !fs::exists(each.folder, error)) continue;
    fmt::print("{}: damaged\n", each.folder.string());
    if (first.ok()) first = whole;
  }
  return first;
}

absl::Status diff(const std::string& before, const std::string& after) {
  const absl::StatusOr<opened_commit> old = open_commit(before);
  if (!old.ok()) return old.status();
  const absl::StatusOr<opened_commit> young = open_commit(after);
  if (!young.ok()) return young.status();
  std::vector<std::string> identities;
  for (const manifest* each : {&old->of, &young->of}) {
    for (const operator_record& of : each->operators) {
      const std::string name = identity(of);
      const bool known = std::find(identities.begin(), identities.end(), name) != identities.end();
      if (!known) identities.push_back(name);
    }
  }
  fmt::print("commit {} -> commit {}\n", old->reader->listing().number,
             young->reader->listing().number);
  for (const std::string& name : identities) {
    const operator_record* was = find(old->of, name);
    const operator_record* is = find(young->of, name);
    const absl::StatusOr<known_rows> rows_before = rows_of(*old, was);
    if (!rows_before.ok()) return about(before, rows_before.status());
    const absl::StatusOr<known_rows> rows_after = rows_of(*young, is);
    if (!rows_after.ok()) return about(after, rows_after.status());
    const change_counts counts = compare(*rows_before, *rows_after);
    const bool same_format = was == nullptr || is == nullptr || was->format == is->format;
    fmt::print("{}: {} rows added, {} changed, {} removed, {} as before{}{}{}\n", printable(name),
               counts.added, counts.changed, counts.removed, counts.same,
               was == nullptr ? ", new" : "", is == nullptr ? ", gone" : "",
               same_format ? "" : ", of another format");
  }
  return absl::OkStatus();
}

absl::Status export_rows(const std::string& place, const std::string& name, row_format format) {
  const absl::StatusOr<opened_commit> commit = open_commit(place);
  if (!commit.ok()) return commit.status();
  const absl::StatusOr<const operator_record*> of = operator_named(commit->of, name);
  if (!of.ok()) return about(place, of.status());
  if (format == row_format::csv) fmt::print("hash,key_group,expires_at,key_text,key,value\n");
  const absl::StatusOr<std::uint64_t> expired =
      for_each_row(*commit->reader, **of, [&](std::string_view key, std::string_view value) {
        fmt::print("{}", format == row_format::csv ? csv_line(**of, key, value)
                                                   : json_line(**of, key, value));
      });
  return expired.ok() ? absl::OkStatus() : about(place, expired.status());
}

absl::Status print_manifest(const std::string& place) {
  const absl::StatusOr<opened_commit> commit = open_commit(place);
  if (!commit.ok()) return commit.status();
  fmt::print("{}", commit->reader->manifest());
  return absl::OkStatus();
}

absl::Status copy(const std::string& place, const std::string& to) {
  const absl::StatusOr<fs::path> folder = folder_of(place);
  if (!folder.ok()) return folder.status();
  absl::StatusOr<commit_listing> listing = freshet::detail::read_listing(*folder);
  if (!listing.ok()) return about(*folder, listing.status());
  const std::uint64_t number = listing->number;
  fs::path target = fs::path(to).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  std::error_code error;
  if (target.empty() || (fs::exists(target, error) && !fs::is_empty(target, error)) || error) {
    return absl::FailedPreconditionError(
        fmt::format("'{}': is no new or empty folder; give one that a copy may become", to));
  }
  const fs::path draft = target.string() + ".draft";
  absl::Status status = freshet::detail::remove_folder(draft);
  if (status.ok()) status = freshet::detail::copy_listed(*folder, *std::move(listing), draft);
  if (status.ok()) status = freshet::detail::rename_durably(draft, target);
  if (!status.ok()) {
    static_cast<void>(freshet::detail::remove_folder(draft));
    return absl::Status(status.code(), fmt::format("'{}' cannot be copied to '{}': {}",
                                                   folder->string(), to, text_of(status)));
  }
  fmt::print("commit {} -> {}\n", number, to);
  return absl::OkStatus();
}

}  // namespace freshet_state
