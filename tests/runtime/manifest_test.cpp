// The manifest of a commit: what is written is what is read, and nothing else is taken for one.
#include "catch.hpp"

#include "runtime/manifest.hpp"

#include <freshet/core/hash.hpp>

#include <cstddef>
#include <random>
#include <string>

namespace fr = freshet;
using fr::detail::decode_manifest;
using fr::detail::encode_manifest;
using fr::detail::manifest;

namespace {

manifest some_manifest() {
  manifest of;
  of.epoch = 41;
  of.key_groups = fr::key_groups;
  of.finished = true;
  of.sources = {{"events", "csv", {{"a.csv", "b.csv"}, {"17", "4"}, {false, true}}}};
  fr::key_group_set some;
  some.insert_group(3);
  some.insert_group(127);
  of.operators = {{"window",
                   "w",
                   "tumbling 10us",
                   3,
                   {{fr::timestamp{fr::duration{-5}}, "state", some},
                    {fr::timestamp_min, "", fr::key_group_set::all()}}}};
  of.sinks = {{"out", "bytes 120"}};
  of.counters = {{"window 'w'", 1, 2, 3, 4, 5, 6, 7}};
  return of;
}

/// The same bytes with a checksum that fits them.
std::string with_checksum(std::string bytes) {
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  fr::byte_writer writer(bytes);
  fr::encode(writer, fr::detail::hash_bytes(bytes.data(), bytes.size()));
  return bytes;
}

}  // namespace

TEST_CASE("a manifest is read as it was written", "[runtime][manifest]") {
  const std::string bytes = encode_manifest(some_manifest());
  const auto read = decode_manifest(bytes);
  REQUIRE(read.ok());
  REQUIRE(read->epoch == 41);
  REQUIRE(read->finished);
  REQUIRE_FALSE(read->published);
  REQUIRE(read->sources.at(0).at.splits == std::vector<std::string>{"a.csv", "b.csv"});
  REQUIRE(read->sources.at(0).at.ended == std::vector<bool>{false, true});
  const auto& instances = read->operators.at(0).instances;
  REQUIRE(instances.size() == 2);
  REQUIRE(instances[0].frontier == fr::timestamp{fr::duration{-5}});
  REQUIRE(instances[0].groups.size() == 2);
  REQUIRE(instances[0].groups.contains_group(127));
  REQUIRE(instances[1].groups == fr::key_group_set::all());
  REQUIRE(read->counters.at(0).realigned == 6);
  REQUIRE(read->counters.at(0).regressed == 7);
  REQUIRE(encode_manifest(*read) == bytes);
}

TEST_CASE("a manifest with any bit flipped, cut short or lengthened is refused",
          "[runtime][manifest]") {
  const std::string bytes = encode_manifest(some_manifest());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    INFO("byte " << at);
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      REQUIRE_FALSE(decode_manifest(damaged).ok());
    }
    REQUIRE(decode_manifest(bytes.substr(0, at)).status().code() == absl::StatusCode::kDataLoss);
  }
  REQUIRE(decode_manifest(bytes + '\0').status().code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("bytes with a right checksum and wrong contents are refused or read, never worse",
          "[runtime][manifest]") {
  const std::string bytes = encode_manifest(some_manifest());
  std::mt19937_64 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string hostile = bytes;
    for (std::uint64_t edits = 1 + random() % 4; edits > 0; --edits) {
      hostile[12 + random() % (bytes.size() - 20)] = static_cast<char>(random());
    }
    const auto read = decode_manifest(with_checksum(hostile));
    if (read.ok()) continue;
    const absl::StatusCode code = read.status().code();
    // Where the format of the value was hit, it is that of another build.
    REQUIRE((code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kFailedPrecondition));
  }
}

namespace {

/// What a build had that knew less, and something that is gone.
struct smaller_manifest {
  std::uint32_t epoch = 0;
  std::string author;
  std::uint32_t key_groups = 0;
  std::vector<fr::detail::sink_record> sinks;
};
BOOST_DESCRIBE_STRUCT(smaller_manifest, (), (epoch, author, key_groups, sinks))

struct other_manifest {
  std::string epoch;
};
BOOST_DESCRIBE_STRUCT(other_manifest, (), (epoch))

template <class Manifest>
std::string written(const Manifest& of) {
  std::string bytes = encode_manifest({}).substr(0, 12);
  fr::byte_writer writer(bytes);
  fr::encode(writer, fr::format_of<Manifest>());
  fr::encode(writer, of);
  return with_checksum(bytes + std::string(sizeof(std::uint64_t), '\0'));
}

}  // namespace

TEST_CASE("a manifest with other fields is read by their names", "[runtime][manifest]") {
  const auto read = decode_manifest(written(smaller_manifest{41, "them", 128, {{"out", "token"}}}));
  REQUIRE(read.ok());
  REQUIRE(read->epoch == 41);
  REQUIRE(read->key_groups == 128);
  REQUIRE(read->sinks.at(0).token == "token");
  REQUIRE(read->operators.empty());
  const auto refused = decode_manifest(written(other_manifest{"first"}));
  REQUIRE(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(std::string(refused.status().message()) ==
          "its manifest is of another build (field 'epoch' was string, is u64 now); rerun with the "
          "build that wrote it");
}

TEST_CASE("a manifest of another format says which, a foreign file that it is none",
          "[runtime][manifest]") {
  for (const int version : {3, 5}) {
    std::string other = encode_manifest(some_manifest());
    other[8] = static_cast<char>(version);
    const auto refused = decode_manifest(with_checksum(other));
    REQUIRE(refused.status().code() == absl::StatusCode::kFailedPrecondition);
    REQUIRE(std::string(refused.status().message()) ==
            "its manifest has format " + std::to_string(version) +
                ", this build reads 4; rerun with the build that wrote it");
  }
  REQUIRE(std::string(decode_manifest("{\"epoch\": 1}").status().message()) ==
          "its manifest is not one of freshet's");
}
