// What codecs of applications are wrapped in.
#include <freshet/core/codec.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace freshet::detail {

void write_own(byte_writer& writer, std::uint32_t version, std::string_view bytes) {
  writer.write_count(version);
  writer.write_count(bytes.size());
  writer.write_bytes(bytes);
}

bool read_own(byte_reader& reader, std::uint32_t oldest, std::uint32_t newest,
              std::uint32_t& version, std::string_view& bytes) {
  std::uint64_t found = 0;
  if (!reader.read_count(found)) return false;
  if (found < oldest || found > newest) {
    return reader.fail("version " + std::to_string(found) + " of a codec found, wanted " +
                       (oldest == newest
                            ? std::to_string(newest)
                            : std::to_string(oldest) + " to " + std::to_string(newest)));
  }
  version = static_cast<std::uint32_t>(found);
  std::size_t size = 0;
  return reader.read_size(size) && reader.read_bytes(size, bytes);
}

bool end_own(byte_reader& reader, byte_reader& inside, bool decoded) {
  if (!inside.ok()) return reader.fail(inside.reason());
  if (!decoded) return reader.fail("bytes that their codec refuses");
  if (inside.remaining() > 0) {
    return reader.fail("bytes after those of a codec " + std::to_string(inside.remaining()) +
                       ", wanted 0");
  }
  return true;
}

void append_own_format(format_context& context, std::string_view name, std::uint32_t oldest,
                       std::uint32_t version) {
  context.text += '"';
  for (const char each : name) {
    if (each == '"' || each == '\\') context.text += '\\';
    context.text += each;
  }
  context.text += "\":" + std::to_string(version);
  if (context.with_notes) context.oldest_versions.push_back(oldest);
}

}  // namespace freshet::detail
