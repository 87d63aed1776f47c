// expect: freshet: this type cannot be checkpointed
#include <freshet/core/codec.hpp>

#include <chrono>
#include <string>

// The epoch of a steady clock is the machine's start: its time points mean nothing afterwards.
#ifdef FRESHET_FIXED
using clock_type = std::chrono::system_clock;
#else
using clock_type = std::chrono::steady_clock;
#endif

std::string save(clock_type::time_point value) {
  return freshet::to_bytes(value);
}
