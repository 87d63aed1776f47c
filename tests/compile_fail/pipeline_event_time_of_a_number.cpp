// expect: freshet: event_time needs a freshet::timestamp (microseconds since the epoch) or an
// A bare number does not say what it counts, nor since when.
#include <freshet/pipeline/event_time.hpp>

#include <cstdint>

struct payment {
  std::int64_t at = 0;
};

auto timed(const freshet::stream<payment>& payments) {
#ifdef FRESHET_FIXED
  const auto time = [](const payment& of) {
    return freshet::timestamp{std::chrono::milliseconds(of.at)};
  };
#else
  const auto time = &payment::at;
#endif
  return payments | freshet::event_time(time, freshet::bounded_disorder{});
}
