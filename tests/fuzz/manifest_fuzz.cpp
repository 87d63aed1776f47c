// Fuzzes what a checkpoint says of itself: the manifest, and the listing of a commit's files.
//
// The first byte chooses which of the two, and whether the right checksum is put behind the bytes:
// without that no input comes further than the checksum. Whatever is read is written and read again
// as the same. Threads: one, no state between inputs. Memory: in proportion to the input.
#include "runtime/manifest.hpp"
#include "state/commit_listing.hpp"

#include <freshet/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

namespace frd = freshet::detail;

void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "manifest_fuzz: does not hold: %s\n", sentence);
  std::abort();
}

void require_expected(const absl::Status& failed) {
  require(absl::IsDataLoss(failed) || absl::IsFailedPrecondition(failed),
          "what cannot be read is damaged, or of another build");
}

void check_manifest(std::string_view bytes) {
  const absl::StatusOr<frd::manifest> read = frd::decode_manifest(bytes);
  if (!read.ok()) return require_expected(read.status());
  const std::string again = frd::encode_manifest(*read);
  const absl::StatusOr<frd::manifest> read_again = frd::decode_manifest(again);
  require(read_again.ok(), "a manifest that was written is read");
  require(frd::encode_manifest(*read_again) == again, "equal manifests are written alike");
}

void check_listing(std::string_view text) {
  absl::StatusOr<frd::commit_listing> read = frd::parse_listing(text);
  if (!read.ok()) return require_expected(read.status());
  const std::string again = frd::to_text(*read);
  absl::StatusOr<frd::commit_listing> read_again = frd::parse_listing(again);
  require(read_again.ok(), "a listing that was written is read");
  require(frd::to_text(*read_again) == again, "equal listings are written alike");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      check_manifest(bytes);
      break;
    case 1:
      freshet::byte_writer(bytes).write_fixed(
          freshet::detail::hash_bytes(bytes.data(), bytes.size()));
      check_manifest(bytes);
      break;
    case 2:
      check_listing(bytes);
      break;
    default:
      check_listing(frd::with_checksum(bytes));
  }
  return 0;
}
