// The checkpoint of operators with several instances: who gets which rows back, and until when.
#include "catch.hpp"

#include "runtime/checkpoint.hpp"

#include <freshet/core/key_group.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/state/memory.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace fr = freshet;
using fr::detail::checkpointer;
using fr::detail::snapshot_draft;

namespace {

fr::timestamp tick(std::int64_t count) {
  return fr::timestamp{fr::duration{count}};
}

struct stored_row {
  std::uint64_t hash = 0;
  std::string key;
  fr::timestamp expires_at = fr::timestamp_max;
  std::string value;

  friend auto operator<=>(const stored_row&, const stored_row&) = default;
};

/// Writes what it is told to, and remembers what it is given.
struct scripted_state final : fr::detail::runtime_operator {
  std::vector<stored_row> writes;
  std::string summary;
  fr::timestamp frontier = fr::timestamp_min;

  std::vector<stored_row> read;
  std::vector<std::string> summaries;
  std::map<std::uint64_t, fr::timestamp> frontiers;

  fr::detail::inlet_base& input(std::size_t) override { std::abort(); }
  fr::detail::outlet_base& output(std::size_t) override { std::abort(); }
  void snapshot(fr::detail::state_writer& to) override {
    to.summary(summary, frontier);
    for (const stored_row& each : writes) to.put(each.hash, each.key, each.expires_at, each.value);
  }
  void restore(fr::detail::state_reader& from) override {
    for (const std::string_view each : from.summaries()) summaries.emplace_back(each);
    from.rows([&](std::uint64_t hash, std::string_view key, std::string_view value) {
      REQUIRE(from.owns(hash));
      read.push_back({hash, std::string(key), fr::timestamp_max, std::string(value)});
      frontiers[hash] = from.frontier_of(hash);
    });
  }
};

/// A job of operators that keep state, by their names; what is made of them plays no part.
struct job {
  explicit job(std::vector<std::pair<std::string, std::string>> kinds_and_names,
               std::shared_ptr<fr::memory_checkpoint> in)
      : graph("job") {
    for (auto& [kind, name] : kinds_and_names) {
      fr::detail::node fresh;
      fresh.kind = kind;
      fresh.state_name = name;
      fresh.format = "text";
      graph.add(std::move(fresh));
    }
    options.checkpoint.backend = [in]() -> absl::StatusOr<std::unique_ptr<fr::state_backend>> {
      return fr::memory_backend(in);
    };
    checkpoints.emplace(graph, options);
  }
  absl::Status open() { return checkpoints->open(); }
  void commit(snapshot_draft draft) {
    REQUIRE(checkpoints->commit(std::move(draft), {}, {}, {}, false).ok());
  }

  fr::detail::graph graph;
  fr::run_options options;
  std::optional<checkpointer> checkpoints;
};

std::array<fr::key_group_set, 2> halves() {
  std::array<fr::key_group_set, 2> sets;
  for (std::uint32_t group = 0; group < fr::key_groups; ++group) {
    sets[group < 64 ? 0 : 1].insert_group(group);
  }
  return sets;
}

constexpr std::uint64_t low_hash = 5;
constexpr std::uint64_t high_hash = std::uint64_t{1} << 63 | 5;

}  // namespace

TEST_CASE("rows come back to whoever owns their key groups now", "[runtime][checkpoint]") {
  const auto store = std::make_shared<fr::memory_checkpoint>();
  std::mt19937_64 random(3);
  std::vector<stored_row> all;
  for (int i = 0; i < 2'000; ++i) {
    all.push_back({random() % 10 == 0 ? low_hash : random(), std::to_string(i), fr::timestamp_max,
                   std::to_string(random() % 1'000)});
  }
  job writing({{"window", "w"}, {"window", "other"}}, store);
  REQUIRE(writing.open().ok());
  snapshot_draft draft;
  for (std::size_t i = 0; i < 2; ++i) {
    scripted_state instance;
    instance.summary = "summary " + std::to_string(i);
    for (const stored_row& each : all) {
      if (halves()[i].contains(each.hash)) instance.writes.push_back(each);
    }
    snapshot_draft own;
    (void)writing.checkpoints->collect(0, i, halves()[i], instance, own);
    (void)writing.checkpoints->collect(1, i, halves()[i], instance, own);
    draft.add(std::move(own));
  }
  writing.commit(std::move(draft));

  job reading({{"window", "w"}, {"window", "other"}}, store);
  REQUIRE(reading.open().ok());
  std::array<fr::key_group_set, 3> owned;
  for (std::uint32_t group = 0; group < fr::key_groups; ++group) {
    owned[random() % owned.size()].insert_group(group);
  }
  std::vector<stored_row> read;
  for (const fr::key_group_set& groups : owned) {
    scripted_state instance;
    reading.checkpoints->restore(0, groups, instance);
    REQUIRE(instance.summaries == std::vector<std::string>{"summary 0", "summary 1"});
    REQUIRE(std::is_sorted(instance.read.begin(), instance.read.end()));
    for (const stored_row& each : instance.read) REQUIRE(groups.contains(each.hash));
    read.insert(read.end(), instance.read.begin(), instance.read.end());
  }
  std::sort(read.begin(), read.end());
  std::sort(all.begin(), all.end());
  REQUIRE(read == all);
}

TEST_CASE("a row expires with the frontier of the instance that had its key",
          "[runtime][checkpoint]") {
  const auto store = std::make_shared<fr::memory_checkpoint>();
  job writing({{"window", "w"}}, store);
  REQUIRE(writing.open().ok());
  snapshot_draft draft;
  for (const std::size_t i : {0U, 1U}) {
    scripted_state instance;
    const std::uint64_t hash = i == 0 ? low_hash : high_hash;
    instance.frontier = tick(i == 0 ? 100 : 50);
    for (const int expires_at : {50, 51, 100, 101}) {
      instance.writes.push_back({hash, std::to_string(expires_at), tick(expires_at), ""});
    }
    (void)writing.checkpoints->collect(0, i, halves()[i], instance, draft);
  }
  writing.commit(std::move(draft));
  REQUIRE(store->rows.size() == 6);  // Nobody misses what expired at 50.

  job reading({{"window", "w"}}, store);
  REQUIRE(reading.open().ok());
  scripted_state instance;
  reading.checkpoints->restore(0, fr::key_group_set::all(), instance);
  std::vector<std::pair<std::uint64_t, std::string>> kept;
  for (const stored_row& each : instance.read) kept.emplace_back(each.hash, each.key);
  REQUIRE(kept ==
          std::vector<std::pair<std::uint64_t, std::string>>{
              {low_hash, "101"}, {high_hash, "100"}, {high_hash, "101"}, {high_hash, "51"}});
  REQUIRE(instance.frontiers.at(low_hash) == tick(100));
  REQUIRE(instance.frontiers.at(high_hash) == tick(50));
}

TEST_CASE("a new state gets the number of no other, also when one has gone",
          "[runtime][checkpoint]") {
  // A merge may go. Its number was the first; the states behind it keep theirs.
  const auto store = std::make_shared<fr::memory_checkpoint>();
  const std::vector<std::vector<std::pair<std::string, std::string>>> versions{
      {{"merge", "m"}, {"window", "w"}}, {{"window", "w"}}, {{"window", "w"}, {"window", "fresh"}}};
  for (const auto& version : versions) {
    job writing(version, store);
    REQUIRE(writing.open().ok());
    snapshot_draft draft;
    for (std::size_t node = 0; node < version.size(); ++node) {
      scripted_state instance;
      instance.writes = {{low_hash, "key", fr::timestamp_max, version[node].second}};
      (void)writing.checkpoints->collect(node, 0, fr::key_group_set::all(), instance, draft);
    }
    writing.commit(std::move(draft));
  }
  job reading(versions.back(), store);
  REQUIRE(reading.open().ok());
  for (std::size_t node = 0; node < 2; ++node) {
    scripted_state instance;
    reading.checkpoints->restore(node, fr::key_group_set::all(), instance);
    REQUIRE(instance.read.size() == 1);
    REQUIRE(instance.read[0].value == versions.back()[node].second);
  }
}

TEST_CASE("a commit with other key groups is refused, and one without instances is damage",
          "[runtime][checkpoint]") {
  const auto store = std::make_shared<fr::memory_checkpoint>();
  fr::detail::manifest of;
  of.epoch = 1;
  of.key_groups = 64;
  of.operators = {{"window", "w", "text", 0, {}}};
  store->manifest = fr::detail::encode_manifest(of);
  job other({{"window", "w"}}, store);
  const absl::Status refused = other.open();
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(refused.message() ==
          "checkpoint: its state has 64 key groups, this build has 128; rerun with the build that "
          "wrote it");

  of.key_groups = fr::key_groups;
  store->manifest = fr::detail::encode_manifest(of);
  job damaged({{"window", "w"}}, store);
  REQUIRE(damaged.open().ok());
  scripted_state instance;
  try {
    damaged.checkpoints->restore(0, fr::key_group_set::all(), instance);
    FAIL("it was taken");
  } catch (const fr::detail::job_failure& failure) {
    REQUIRE(failure.status().code() == absl::StatusCode::kDataLoss);
  }
}
