// Where checkpoints live: an ordered map of state rows and one manifest, replaced together.
//
// The engine keeps all state in memory and writes only what changed, once per checkpoint. A backend
// makes each commit atomic: after a crash at any moment it holds one whole commit, the newest or
// the one before. Threads: one thread at a time, not always the same; but for what says otherwise.
#pragma once

#include <freshet/core/time.hpp>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// A change of one state row. Keys begin with the four bytes (big endian) that number the state.
struct state_change {
  std::string key;
  std::optional<std::string> value;  ///< Nothing: the row is deleted.
};

/// The same where somebody else keeps the bytes.
struct state_change_view {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// Until when rows of one state are wanted: those whose `expires_at` (the first eight bytes of
/// their value: big endian, sign bit flipped) is at or before `frontier` may be forgotten.
struct state_horizon {
  std::uint32_t state = 0;
  timestamp frontier = timestamp_min;
};

/// How many bytes of a key number the state.
inline constexpr std::size_t state_number_bytes = 4;

/// How many bytes of a value say until when it is wanted, in states that have horizons.
inline constexpr std::size_t expiry_bytes = 8;

/// The state that `key` belongs to. \pre key.size() >= state_number_bytes.
std::uint32_t decode_state_number(std::string_view key) noexcept;

/// The first bytes of every key of `state`. In their order keys sort by state first.
std::array<char, state_number_bytes> encode_state_number(std::uint32_t state) noexcept;

/// When the row of `value` expires. \pre value.size() >= expiry_bytes.
timestamp decode_expiry(std::string_view value) noexcept;

/// The first bytes of a value that expires. They sort as the timestamps do.
std::array<char, expiry_bytes> encode_expiry(timestamp expires_at) noexcept;

/// Whether `horizons` lets a backend forget this row. Rows of states without a horizon, and values
/// too short to say when they expire, stay.
/// \cost Linear in the number of horizons: pipelines have few states.
bool is_expired(std::string_view key, std::string_view value,
                const std::vector<state_horizon>& horizons) noexcept;

class state_backend {
 public:
  virtual ~state_backend() = default;

  /// The manifest of the newest commit, or nothing if there is no commit yet.
  virtual absl::StatusOr<std::optional<std::string>> manifest() = 0;

  /// Calls `row(key, value)` for every row whose key starts with `prefix`, in ascending key order.
  /// Stops at the first error and returns it. May be called only before the first `commit`.
  virtual absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) = 0;

  /// Replaces the manifest and applies `changes` (any order; at most one per key) in one atomic,
  /// durable step. `horizons` lets the backend forget expired rows, now or at any later time.
  /// After kInvalidArgument (a key twice, or without state number) nothing has changed. After any
  /// other error it is unknown whether the commit happened; a new backend over the place knows.
  virtual absl::Status commit(std::vector<state_change> changes, std::string_view manifest,
                              const std::vector<state_horizon>& horizons) = 0;

  /// The same for changes whose bytes stay until it returns. A backend that needs no copies of them
  /// overrides it. \pre keys have a state number, and ascend, each once.
  virtual absl::Status commit_sorted(std::span<const state_change_view> changes,
                                     std::string_view manifest,
                                     const std::vector<state_horizon>& horizons);

  /// Whether `read_rows` and `scan_newest` work, which `state_options::memory_limit` needs.
  virtual bool reads_rows() const { return false; }
  /// Calls `row(index, value)` for those of `keys` that the newest commit has, in any order. A
  /// commit under way may be in it already, or not, for each key. \pre keys ascend, each once.
  /// Threads: any number, also while another function of this object is at work.
  virtual absl::Status read_rows(
      std::span<const std::string_view> keys,
      absl::FunctionRef<void(std::size_t index, std::string_view value)> row);
  /// As `scan`, at any time; of a commit under way as `read_rows`. Threads: the same.
  virtual absl::Status scan_newest(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row);

  /// Whether a commit takes so little time that a job of one task waits for it, and goes on when
  /// sinks have published. Others are written by a thread of their own while tasks go on.
  virtual bool commits_quickly() const { return false; }
  /// Keeps a copy of the newest commit that damage to the commit's own files does not reach, in
  /// place of the one before. \pre a `commit` has succeeded. Errors: DataLoss when what should be
  /// copied is damaged, so that no later commit would be worth anything. After others the copy
  /// before is still there.
  virtual absl::Status keep_copy() { return absl::OkStatus(); }
  /// Whether there is such a copy, of any commit.
  virtual bool has_copy() const { return true; }

  /// Copies the newest commit to `directory`, which is new or empty, and belongs to the caller
  /// then.
  /// \pre as `keep_copy`.
  virtual absl::Status save(const std::string& directory);

  /// What is wrong with the place, and what was done about it when it was opened. Sentences.
  virtual std::vector<std::string> warnings() const { return {}; }
  /// Why the commit found may be older than one that has been reported as done: a clause that can
  /// follow "because". Empty: it is the newest.
  virtual std::string older_because() const { return {}; }
};

}  // namespace freshet
