#include <freshet/state/backend.hpp>

namespace freshet {
namespace {

template <std::size_t Size>
std::array<char, Size> to_big_endian(std::uint64_t number) noexcept {
  std::array<char, Size> bytes{};
  for (std::size_t i = 0; i < Size; ++i) {
    bytes[i] = static_cast<char>(static_cast<unsigned char>(number >> (8 * (Size - 1 - i))));
  }
  return bytes;
}

template <std::size_t Size>
std::uint64_t from_big_endian(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < Size; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

}  // namespace

std::uint32_t decode_state_number(std::string_view key) noexcept {
  return static_cast<std::uint32_t>(from_big_endian<state_number_bytes>(key));
}

std::array<char, state_number_bytes> encode_state_number(std::uint32_t state) noexcept {
  return to_big_endian<state_number_bytes>(state);
}

timestamp decode_expiry(std::string_view value) noexcept {
  const std::uint64_t count = from_big_endian<expiry_bytes>(value) ^ sign_bit;
  return timestamp{duration{static_cast<std::int64_t>(count)}};
}

std::array<char, expiry_bytes> encode_expiry(timestamp expires_at) noexcept {
  const auto count = static_cast<std::uint64_t>(expires_at.time_since_epoch().count());
  return to_big_endian<expiry_bytes>(count ^ sign_bit);
}

bool is_expired(std::string_view key, std::string_view value,
                const std::vector<state_horizon>& horizons) noexcept {
  if (key.size() < state_number_bytes || value.size() < expiry_bytes) return false;
  const std::uint32_t state = decode_state_number(key);
  for (const state_horizon& horizon : horizons) {
    if (horizon.state == state) return decode_expiry(value) <= horizon.frontier;
  }
  return false;
}

absl::Status state_backend::commit_sorted(std::span<const state_change_view> changes,
                                          std::string_view manifest,
                                          const std::vector<state_horizon>& horizons) {
  std::vector<state_change> copies;
  copies.reserve(changes.size());
  for (const state_change_view& each : changes) {
    copies.push_back({std::string(each.key), std::nullopt});
    if (each.value) copies.back().value.emplace(*each.value);
  }
  return commit(std::move(copies), manifest, horizons);
}

absl::Status state_backend::read_rows(std::span<const std::string_view>,
                                      absl::FunctionRef<void(std::size_t, std::string_view)>) {
  return absl::UnimplementedError("this backend reads no single rows");
}

absl::Status state_backend::scan_newest(
    std::string_view, absl::FunctionRef<absl::Status(std::string_view, std::string_view)>) {
  return absl::UnimplementedError("this backend reads no rows after a commit");
}

absl::Status state_backend::save(const std::string& directory) {
  return absl::UnimplementedError(
      "savepoint '" + directory +
      "': this backend makes none; give the job a checkpoint directory");
}

}  // namespace freshet
