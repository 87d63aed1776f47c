#include "manifest.hpp"

#include <freshet/core/hash.hpp>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace freshet::detail {

namespace {

constexpr std::uint64_t magic = 0x74656873657266ULL;  // "freshet" in little-endian bytes.
constexpr std::uint32_t version = 3;

}  // namespace

std::string encode_manifest(const manifest& of) {
  std::string bytes;
  byte_writer writer(bytes);
  encode(writer, magic);
  encode(writer, version);
  encode(writer, of);
  encode(writer, hash_bytes(bytes.data(), bytes.size()));
  return bytes;
}

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
  manifest of;
  if (!decode(reader, of)) return absl::DataLossError("its manifest is damaged");
  const std::size_t covered = bytes.size() - reader.remaining();
  std::uint64_t checksum = 0;
  if (!decode(reader, checksum) || reader.remaining() != 0 ||
      checksum != hash_bytes(bytes.data(), covered)) {
    return absl::DataLossError("its manifest fails its checksum");
  }
  return of;
}

}  // namespace freshet::detail
