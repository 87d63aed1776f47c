#include <freshet/state/backend.hpp>
#include <freshet/state/memory.hpp>
#include <freshet/testing/backend_contract.hpp>

#include "catch.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fr = freshet;

namespace {

std::string text(const auto& bytes) {
  return std::string(bytes.begin(), bytes.end());
}

fr::timestamp at(std::int64_t microseconds) {
  return fr::timestamp{fr::duration{microseconds}};
}

// A backend with one fault, to show that the contract finds it.
class faulty_backend final : public fr::state_backend {
 public:
  enum class fault {
    loses_a_row,
    keeps_deleted_rows,
    forgets_manifest,
    scans_backwards,
    reads_nothing,
    none
  };

  faulty_backend(std::shared_ptr<fr::memory_checkpoint> checkpoint, fault kind)
      : inner_(fr::memory_backend(std::move(checkpoint))), fault_(kind) {}

  absl::StatusOr<std::optional<std::string>> manifest() override {
    auto found = inner_->manifest();
    if (fault_ == fault::forgets_manifest && found.ok()) found->reset();
    return found;
  }
  absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view, std::string_view)> row) override {
    std::vector<std::pair<std::string, std::string>> rows;
    absl::Status status = inner_->scan(prefix, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return absl::OkStatus();
    });
    if (fault_ == fault::scans_backwards) std::reverse(rows.begin(), rows.end());
    for (std::size_t i = 0; status.ok() && i < rows.size(); ++i)
      status = row(rows[i].first, rows[i].second);
    return status;
  }
  absl::Status commit(std::vector<fr::state_change> changes, std::string_view manifest,
                      const std::vector<fr::state_horizon>& horizons) override {
    if (fault_ == fault::loses_a_row && !changes.empty()) changes.pop_back();
    if (fault_ == fault::keeps_deleted_rows) {
      std::erase_if(changes, [](const fr::state_change& change) { return !change.value; });
    }
    return inner_->commit(std::move(changes), manifest, horizons);
  }
  bool reads_rows() const override { return true; }
  absl::Status read_rows(std::span<const std::string_view> keys,
                         absl::FunctionRef<void(std::size_t, std::string_view)> row) override {
    return fault_ == fault::reads_nothing ? absl::OkStatus() : inner_->read_rows(keys, row);
  }
  absl::Status scan_newest(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view, std::string_view)> row) override {
    return inner_->scan_newest(prefix, row);
  }

 private:
  std::unique_ptr<fr::state_backend> inner_;
  fault fault_;
};

void check_with_fault(faulty_backend::fault kind) {
  const auto checkpoint = std::make_shared<fr::memory_checkpoint>();
  fr::testing::check_backend(
      [&]() -> absl::StatusOr<std::unique_ptr<fr::state_backend>> {
        return std::make_unique<faulty_backend>(checkpoint, kind);
      },
      3);
}

}  // namespace

TEST_CASE("an expiry survives its encoding, and encoded expiries sort as timestamps do",
          "[state][backend]") {
  const std::vector<fr::timestamp> ascending = {
      fr::timestamp_min, at(-256), at(-1), at(0), at(1), at(255), at(256), fr::timestamp_max};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    REQUIRE(fr::decode_expiry(text(fr::encode_expiry(ascending[i]))) == ascending[i]);
    if (i > 0)
      REQUIRE(text(fr::encode_expiry(ascending[i - 1])) < text(fr::encode_expiry(ascending[i])));
  }
  REQUIRE(text(fr::encode_expiry(at(1))) == std::string("\x80\0\0\0\0\0\0\x01", 8));
}

TEST_CASE("a state number survives its encoding, most significant byte first", "[state][backend]") {
  REQUIRE(text(fr::encode_state_number(0x01020380)) == "\x01\x02\x03\x80");
  for (const std::uint32_t state : {0U, 1U, 0x80U, 0xffffffffU}) {
    REQUIRE(fr::decode_state_number(text(fr::encode_state_number(state)) + "rest") == state);
  }
}

TEST_CASE("a row expires at its horizon, in its own state only", "[state][backend]") {
  const std::string key = text(fr::encode_state_number(5)) + "k";
  const std::string value = text(fr::encode_expiry(at(100))) + "v";
  REQUIRE(fr::is_expired(key, value, {{.state = 5, .frontier = at(100)}}));
  REQUIRE_FALSE(fr::is_expired(key, value, {{.state = 5, .frontier = at(99)}}));
  REQUIRE_FALSE(fr::is_expired(key, value, {{.state = 4, .frontier = at(100)}}));
  REQUIRE_FALSE(fr::is_expired(key, value, {}));
  REQUIRE_FALSE(fr::is_expired(key, "short", {{.state = 5, .frontier = fr::timestamp_max}}));
}

TEST_CASE("memory keeps the state backend contract", "[state][memory][contract]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto checkpoint = std::make_shared<fr::memory_checkpoint>();
    REQUIRE_NOTHROW(fr::testing::check_backend(
        [&]() -> absl::StatusOr<std::unique_ptr<fr::state_backend>> {
          return fr::memory_backend(checkpoint);
        },
        seed));
  }
}

TEST_CASE(
    "the state backend contract finds lost rows, zombies, a lost manifest, wrong order, and bad "
    "reads",
    "[state][contract]") {
  using fault = faulty_backend::fault;
  REQUIRE_NOTHROW(check_with_fault(fault::none));
  for (const fault kind : {fault::loses_a_row, fault::keeps_deleted_rows, fault::forgets_manifest,
                           fault::scans_backwards, fault::reads_nothing}) {
    CAPTURE(static_cast<int>(kind));
    REQUIRE_THROWS_AS(check_with_fault(kind), std::runtime_error);
  }
}

TEST_CASE("a commit that is made to fail in memory changes nothing", "[state][memory]") {
  const auto checkpoint = std::make_shared<fr::memory_checkpoint>();
  REQUIRE(fr::memory_backend(checkpoint)->commit({{"0000a", "1"}}, "first", {}).ok());
  checkpoint->commit_failure = absl::UnavailableError("disk");
  REQUIRE(fr::memory_backend(checkpoint)->commit({{"0000a", "2"}}, "second", {}).code() ==
          absl::StatusCode::kUnavailable);
  REQUIRE(checkpoint->manifest == "first");
  REQUIRE(checkpoint->rows.at("0000a") == "1");
  REQUIRE(checkpoint->commits == 1);
}
