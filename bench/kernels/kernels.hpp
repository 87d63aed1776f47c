// Four jobs that go through the main kernels, compiled once for all who measure them: instructions
// per event (instructions.cpp), memory (memory_bench.cpp), and the stateless chain
// (chain_bench.cpp).
//
// Events are functions of their number. Each job runs in the calling thread, to its end, and sums
// its rows up so that their order does not matter.
#pragma once

#include <freshet/core/fields.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/time.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kernels {

namespace fr = freshet;

struct event {
  std::uint64_t key = 0;
  std::int64_t amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, amount, at))

/// Events 0 to `count` - 1, a microsecond apart. The first `keys` have a key each.
struct load {
  std::uint64_t count = 0;
  std::uint64_t keys = 1;

  event at(std::uint64_t k) const {
    const std::uint64_t bits = fr::mix_bits(k);
    return {k < keys ? k : bits % keys, static_cast<std::int64_t>(bits >> 56),
            fr::timestamp{fr::duration{static_cast<std::int64_t>(k)}}};
  }
};

struct answer {
  std::uint64_t rows = 0;
  std::uint64_t sum = 0;
  bool operator==(const answer&) const = default;
};

/// \return nothing when the job failed.
std::optional<answer> chain(const load& of);  ///< `map | filter | map`
std::optional<answer> tumbling(const load& of, fr::duration size);
std::optional<answer> sliding(const load& of, fr::duration size, fr::duration slide);
std::optional<answer> session(const load& of, fr::duration gap);

}  // namespace kernels
