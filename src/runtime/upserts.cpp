// Tables of `upsert`, read from outside of their job.
#include <freshet/pipeline/upsert.hpp>

#include "evolution.hpp"
#include "manifest.hpp"

#include <freshet/state/rocksdb.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace freshet::detail {

namespace {

std::string key_of_row(std::uint32_t state, std::uint64_t hash, std::string_view key) {
  const auto number = encode_state_number(state);
  std::string bytes(number.begin(), number.end());
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(hash >> shift));
  return bytes.append(key);
}

absl::StatusOr<operator_record> find_table(const manifest& of, const std::string& place,
                                           const std::string& name) {
  std::string known;
  for (const operator_record& each : of.operators) {
    if (each.kind != "upsert") continue;
    if (each.name == name) return each;
    known += (known.empty() ? "'" : ", '") + each.name + "'";
  }
  return absl::NotFoundError(fmt::format("{}: it has no upsert '{}'; its tables are {}", place,
                                         name, known.empty() ? "none" : known));
}

}  // namespace

absl::StatusOr<std::shared_ptr<stored_upserts>> stored_upserts::open(const std::string& directory,
                                                                     const std::string& job,
                                                                     const std::string& name,
                                                                     const std::string& key_format,
                                                                     const value_schema& row) {
  const std::string place = fmt::format("checkpoint '{}'", directory);
  // Opening a checkpoint for a job would create it.
  std::error_code failure;
  if (std::filesystem::is_empty(directory, failure) || failure) {
    return absl::NotFoundError(
        fmt::format("{}: {}; give the checkpoint directory of a job that has committed", place,
                    failure ? failure.message() : "it is empty"));
  }
  absl::StatusOr<std::unique_ptr<state_backend>> backend =
      open_rocksdb({.directory = directory, .job = job});
  if (!backend.ok()) return backend.status();
  return open(*std::move(backend), place, name, key_format, row);
}

absl::StatusOr<std::shared_ptr<stored_upserts>> stored_upserts::open(
    std::unique_ptr<state_backend> backend, const std::string& place, const std::string& name,
    const std::string& key_format, const value_schema& row) {
  const absl::StatusOr<std::optional<std::string>> bytes = backend->manifest();
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) {
    return absl::NotFoundError(place + ": nothing is committed there; run the job first");
  }
  const absl::StatusOr<manifest> found = decode_manifest(**bytes);
  if (!found.ok()) {
    return absl::Status(found.status().code(),
                        fmt::format("{}: {}", place, std::string(found.status().message())));
  }
  const absl::StatusOr<operator_record> table = find_table(*found, place, name);
  if (!table.ok()) return table.status();
  const std::string wanted = "key " + key_format;
  if (table->format != wanted) {
    return absl::FailedPreconditionError(
        fmt::format("{}: upsert '{}' has format [{}], wanted [{}]; read it with the type of key "
                    "that its job has",
                    place, name, table->format, wanted));
  }
  if (table->row_formats.size() != 1) {
    return absl::DataLossError(
        fmt::format("{}: upsert '{}' does not say what its rows look like; "
                    "go back to a copy of the directory",
                    place, name));
  }
  const std::string& format = table->row_formats.front().format;
  absl::StatusOr<value_converter> convert = value_converter::make(format, row);
  if (!convert.ok()) {
    return absl::FailedPreconditionError(
        fmt::format("{}: upsert '{}' has rows of format [{}], wanted [{}]: {}; read them with the "
                    "type of row that its job has",
                    place, name, format, row.text, std::string(convert.status().message())));
  }
  return std::shared_ptr<stored_upserts>(
      new stored_upserts(std::move(backend), fmt::format("{}: upsert '{}'", place, name),
                         table->state, *std::move(convert)));
}

absl::Status stored_upserts::damaged(const absl::Status& why) const {
  return absl::DataLossError(
      fmt::format("{}: its state is damaged ({}); go back to a copy of the directory", place_,
                  std::string(why.message())));
}

absl::StatusOr<std::optional<std::string>> stored_upserts::get(std::uint64_t hash,
                                                               std::string_view key) const {
  const std::string wanted = key_of_row(state_, hash, key);
  std::optional<std::string> row;
  absl::Status done =
      backend_->scan(wanted, [&](std::string_view found, std::string_view value) -> absl::Status {
        if (found != wanted) return absl::OkStatus();
        if (value.size() < expiry_bytes) return damaged(absl::DataLossError("a row is too short"));
        absl::StatusOr<std::string> converted = convert_.convert(value.substr(expiry_bytes));
        if (!converted.ok()) return damaged(converted.status());
        row = *std::move(converted);
        return absl::OkStatus();
      });
  if (!done.ok()) return done;
  return row;
}

absl::Status stored_upserts::for_each(
    absl::FunctionRef<absl::Status(std::string_view, std::string_view)> visit) const {
  const auto number = encode_state_number(state_);
  return backend_->scan(
      std::string_view(number.data(), number.size()),
      [&](std::string_view key, std::string_view value) -> absl::Status {
        if (key.size() < key_prefix_bytes || value.size() < expiry_bytes) {
          return damaged(absl::DataLossError("a row is too short"));
        }
        const absl::StatusOr<std::string> converted = convert_.convert(value.substr(expiry_bytes));
        if (!converted.ok()) return damaged(converted.status());
        absl::Status visited = visit(key.substr(key_prefix_bytes), *converted);
        return visited.code() == absl::StatusCode::kDataLoss ? damaged(visited) : visited;
      });
}

}  // namespace freshet::detail
