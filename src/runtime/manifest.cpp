#include "manifest.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/core/schema.hpp>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace freshet::detail {

namespace {

constexpr std::uint64_t magic = 0x74656873657266ULL;  // "freshet" in little-endian bytes.
constexpr std::uint32_t version = 4;

const value_schema& schema() {
  static const value_schema made = schema_of<manifest>();
  return made;
}

}  // namespace

std::string encode_manifest(const manifest& of) {
  std::string bytes;
  byte_writer writer(bytes);
  encode(writer, magic);
  encode(writer, version);
  encode(writer, schema().text);
  encode(writer, of);
  encode(writer, hash_bytes(bytes.data(), bytes.size()));
  return bytes;
}

namespace {

absl::StatusOr<manifest> decode_value(const std::string& format, std::string_view value) {
  if (format != schema().text) {
    const auto converter = value_converter::make(format, schema());
    if (!converter.ok()) {
      return absl::FailedPreconditionError(
          fmt::format("its manifest is of another build ({}); rerun with the build that wrote it",
                      std::string(converter.status().message())));
    }
    const auto converted = converter->convert(value);
    if (!converted.ok()) return absl::DataLossError("its manifest is damaged");
    const auto of = from_bytes<manifest>(*converted);
    if (!of.ok()) return absl::DataLossError("its manifest is damaged");
    return *of;
  }
  auto of = from_bytes<manifest>(value);
  if (!of.ok()) return absl::DataLossError("its manifest is damaged");
  return of;
}

}  // namespace

absl::StatusOr<manifest> decode_manifest(std::string_view bytes) {
  byte_reader reader(bytes);
  std::uint64_t found_magic = 0;
  std::uint32_t found_version = 0;
  if (!decode(reader, found_magic) || found_magic != magic || !decode(reader, found_version)) {
    return absl::DataLossError("its manifest is not one of freshet's");
  }
  if (found_version != version) {
    return absl::FailedPreconditionError(
        fmt::format("its manifest has format {}, this build reads {}; rerun with the build that "
                    "wrote it",
                    found_version, version));
  }
  std::string format;
  std::string_view value;
  std::uint64_t checksum = 0;
  if (!decode(reader, format) || reader.remaining() < sizeof(checksum) ||
      !reader.read_bytes(reader.remaining() - sizeof(checksum), value) ||
      !decode(reader, checksum)) {
    return absl::DataLossError("its manifest is damaged");
  }
  if (checksum != hash_bytes(bytes.data(), bytes.size() - sizeof(checksum))) {
    return absl::DataLossError("its manifest fails its checksum");
  }
  return decode_value(format, value);
}

}  // namespace freshet::detail
