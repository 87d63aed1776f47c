// How long check_sampler tries: see testing/sampler_contract.hpp. A plain value.
#pragma once

#include <cstddef>
#include <cstdint>

namespace freshet {

/// How long `check_sampler` tries.
struct sampler_check_options {
  std::uint64_t seed = 1;  ///< Of the first case; the others count up from it.
  std::size_t cases = 20;
  std::size_t epochs = 20;  ///< Epochs with records in each case; some between have none.
  std::size_t records_per_epoch = 100;  ///< At most.
};

}  // namespace freshet
