#include "catch.hpp"

#include <freshet/core/key_group.hpp>
#include <freshet/pipeline/detail/target_lists.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace fr = freshet;

TEST_CASE("target_lists has every row in its target's list, in order", "[pipeline][exchange]") {
  std::mt19937_64 random(2);
  for (std::size_t targets = 1; targets <= fr::key_groups; ++targets) {
    fr::detail::key_group_owners owners{};
    for (auto& owner : owners) owner = static_cast<std::uint16_t>(random() % targets);
    fr::detail::target_lists lists(targets);
    for (int round = 0; round < 4; ++round) {
      std::vector<std::uint64_t> hashes(random() % 300);
      for (std::uint64_t& hash : hashes) hash = random();
      lists.assign(hashes, owners);
      std::vector<std::vector<std::uint32_t>> wanted(targets);
      for (std::uint32_t row = 0; row < hashes.size(); ++row) {
        wanted[owners[fr::key_group_of(hashes[row])]].push_back(row);
      }
      for (std::size_t target = 0; target < targets; ++target) {
        const std::vector<std::uint32_t> found(lists[target].begin(), lists[target].end());
        REQUIRE(found == wanted[target]);
      }
    }
  }
}
