// The contract of state backends, as a check for whoever writes one.
//
// Runs a seeded history of commits, restarts, and scans, and compares the backend with an ordered
// map. Depends on no test framework: a violation is a std::runtime_error that says what was
// expected, what was found, and the seed. Time: plays no part but in expiry.   Threads: everything
// runs in the caller's. Memory: a few megabytes.
#pragma once

#include <freshet/state/backend.hpp>

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace freshet::testing {

/// Opens the backend under test, each time over the same place: what the backend before it has
/// committed must be there. The one before has been destroyed. The place is empty at the first
/// call.
using backend_opener = std::function<absl::StatusOr<std::unique_ptr<state_backend>>()>;

/// Checks what `state_backend` promises, atomicity under crashes apart (that needs a process to
/// kill).
/// \param  rounds How often the backend is opened anew; each round makes up to eight commits.
/// \throws std::runtime_error at the first violation.
void check_backend(const backend_opener& open, std::uint64_t seed = 1, int rounds = 40);

}  // namespace freshet::testing

// --- How it is checked; nothing below is for users
// ------------------------------------------------

#include <fmt/format.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

class backend_check {
 public:
  backend_check(const testing::backend_opener& open, std::uint64_t seed)
      : open_(open), seed_(seed), random_(seed) {}

  void run(int rounds) {
    check_first_commit();
    for (int round = 0; round < rounds; ++round) {
      std::unique_ptr<state_backend> backend = reopen();
      check_contents(*backend);
      for (std::uint64_t commits = below(9); commits > 0; --commits) commit_random(*backend);
    }
    check_contents(*reopen());
    check_refusals();
    check_contents(*reopen());
  }

 private:
  using rows = std::map<std::string, std::string>;
  using row_function =
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)>;

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  [[noreturn]] void fail(std::string_view expected, std::string_view found) const {
    throw std::runtime_error(
        fmt::format("check_backend: found {}, expected {}; seed {}", found, expected, seed_));
  }
  void require_ok(std::string_view what, const absl::Status& status) const {
    if (!status.ok()) fail(fmt::format("{} to succeed", what), status.ToString());
  }

  std::unique_ptr<state_backend> reopen() const {
    absl::StatusOr<std::unique_ptr<state_backend>> backend = open_();
    require_ok("open", backend.status());
    if (*backend == nullptr) fail("a backend", "a null pointer");
    return *std::move(backend);
  }

  void check_first_commit() {
    std::unique_ptr<state_backend> backend = reopen();
    check_contents(*backend);  // Nothing at all.
    // An empty manifest differs from none, and a commit need not change any row.
    commit(*backend, {}, "", {});
    backend.reset();
    check_contents(*reopen());
  }

  void check_manifest(state_backend& backend) const {
    const absl::StatusOr<std::optional<std::string>> found = backend.manifest();
    require_ok("manifest()", found.status());
    if (found->has_value() != manifest_.has_value()) {
      fail(manifest_ ? "a manifest" : "no manifest", *found ? "one" : "none");
    }
    if (*found != manifest_) fail("the manifest of the newest commit", "another manifest");
  }

  void check_contents(state_backend& backend) {
    check_manifest(backend);
    check_scan(backend, "");
    for (int i = 0; i < 5; ++i) check_scan(backend, random_key().substr(0, below(7)));
    check_scan(backend, std::string(5, '\xff'));
    check_early_stop(backend);
    check_reads(backend);
  }

  // At any time, where the backend says that it can.
  void check_reads(state_backend& backend) {
    if (!backend.reads_rows()) return;
    const auto scan_newest = [&](const std::string& prefix, row_function row) {
      return backend.scan_newest(prefix, row);
    };
    check_scan_by(scan_newest, random_key().substr(0, below(7)));
    std::set<std::string> drawn;
    for (std::uint64_t count = below(30); count > 0; --count) drawn.insert(random_key());
    const std::vector<std::string_view> keys(drawn.begin(), drawn.end());
    std::vector<bool> found(keys.size(), false);
    require_ok("read_rows", backend.read_rows(keys, [&](std::size_t index, std::string_view value) {
      if (index >= keys.size() || found[index]) fail("each key once", "another index");
      found[index] = true;
      const auto wanted = expected_.find(std::string(keys[index]));
      if (wanted == expected_.end()) fail("no row that is not there", "one");
      if (wanted->second != value) fail("the newest value of a row that is read", "another one");
    }));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto wanted = expected_.find(std::string(keys[i]));
      if (found[i] || wanted == expected_.end()) continue;
      if (!is_expired(wanted->first, wanted->second, horizons_)) {
        fail("every row that is read and has not expired", "one of them missing");
      }
    }
  }

  // Rows that have expired may be there or not; all others must be, with their newest value, and in
  // ascending order.
  void check_scan(state_backend& backend, const std::string& prefix) const {
    check_scan_by([&](const std::string& of, row_function row) { return backend.scan(of, row); },
                  prefix);
  }
  template <class Scan>
  void check_scan_by(const Scan& scan, const std::string& prefix) const {
    auto wanted = expected_.lower_bound(prefix);
    const auto in_prefix = [&] {
      return wanted != expected_.end() && wanted->first.starts_with(prefix);
    };
    const auto skip_expired = [&](std::optional<std::string_view> until) {
      while (in_prefix() && wanted->first != until &&
             is_expired(wanted->first, wanted->second, horizons_)) {
        ++wanted;
      }
    };
    require_ok("scan", scan(prefix, [&](std::string_view key, std::string_view value) {
                 skip_expired(key);
                 if (!in_prefix()) fail("no further row", "one");
                 if (wanted->first != key)
                   fail("each row of the prefix once, by key", "another order or row");
                 if (wanted->second != value) fail("the newest value of a row", "another one");
                 ++wanted;
                 return absl::OkStatus();
               }));
    skip_expired(std::nullopt);
    if (in_prefix()) fail("every row that has not expired", "one of them missing");
  }

  void check_early_stop(state_backend& backend) const {
    std::size_t calls = 0;
    const absl::Status status = backend.scan("", [&](std::string_view, std::string_view) {
      ++calls;
      return absl::CancelledError("enough");
    });
    if (calls > 1) fail("a scan to stop at the first error", "it going on");
    if (calls == 1 && !absl::IsCancelled(status)) fail("the caller's own status", "another one");
    if (calls == 0) require_ok("scan", status);
  }

  void commit(state_backend& backend, std::vector<state_change> changes, std::string manifest,
              const std::vector<state_horizon>& horizons) {
    for (const state_change& change : changes) {
      if (change.value) {
        expected_[change.key] = *change.value;
      } else {
        expected_.erase(change.key);
      }
    }
    horizons_ = horizons;
    manifest_ = std::move(manifest);
    require_ok("commit", backend.commit(std::move(changes), *manifest_, horizons));
    check_manifest(backend);
    const absl::Status late = backend.scan("", [](auto, auto) { return absl::OkStatus(); });
    if (late.code() != absl::StatusCode::kFailedPrecondition) {
      fail("a scan after a commit to be refused as kFailedPrecondition", "another status");
    }
    check_reads(backend);
  }

  std::string random_key() {
    const auto number = encode_state_number(static_cast<std::uint32_t>(below(3)) * 0x00ff00ffU);
    std::string key(number.begin(), number.end());
    for (std::uint64_t length = below(4); length > 0; --length) {
      constexpr std::string_view bytes("\0\x01\x7f\xff", 4);
      key += bytes[below(bytes.size())];
    }
    return key;
  }

  std::string random_value() {
    const auto expiry =
        encode_expiry(timestamp{duration{static_cast<std::int64_t>(below(100)) - 50}});
    switch (below(8)) {
      case 0:
        return {};
      case 1:
        return std::string(below(expiry_bytes), 'x');
      case 2:
        return std::string(expiry.begin(), expiry.end()) + std::string(below(20'000), 'y');
      default:
        return std::string(expiry.begin(), expiry.end()) + std::to_string(random_());
    }
  }

  void commit_random(state_backend& backend) {
    std::map<std::string, std::optional<std::string>> drawn;
    for (std::uint64_t count = below(4) == 0 ? 0 : below(40); count > 0; --count) {
      const bool put = below(3) != 0;
      drawn[random_key()] = put ? std::optional<std::string>(random_value()) : std::nullopt;
    }
    // Frontiers only rise, as watermarks do.
    frontier_ += duration{static_cast<std::int64_t>(below(2))};
    std::vector<state_change> changes;
    for (auto& [key, value] : drawn) changes.push_back({key, value});
    for (std::size_t i = changes.size(); i > 1; --i) std::swap(changes[i - 1], changes[below(i)]);
    commit(
        backend, std::move(changes), "manifest " + std::to_string(random_()),
        {{.state = 0x00ff00ffU, .frontier = frontier_}, {.state = 7, .frontier = timestamp_max}});
  }

  void check_refusals() {
    std::unique_ptr<state_backend> backend = reopen();
    const std::string key = random_key();
    const std::vector<std::vector<state_change>> invalid = {
        {{key, "1"}, {random_key() + "longer", "2"}, {key, std::nullopt}},
        {{std::string(state_number_bytes - 1, 'k'), "too short to number a state"}},
    };
    for (const std::vector<state_change>& changes : invalid) {
      const absl::Status status = backend->commit(changes, "must not appear", horizons_);
      if (status.code() != absl::StatusCode::kInvalidArgument) {
        fail("kInvalidArgument for a key twice or too short", "another status");
      }
    }
    check_manifest(*backend);
  }

  const testing::backend_opener& open_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  rows expected_;
  std::optional<std::string> manifest_;
  std::vector<state_horizon> horizons_;
  timestamp frontier_{duration{-50}};
};

}  // namespace freshet::detail

namespace freshet::testing {

inline void check_backend(const backend_opener& open, std::uint64_t seed, int rounds) {
  detail::backend_check(open, seed).run(rounds);
}

}  // namespace freshet::testing
