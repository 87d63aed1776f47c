// expect: freshet: this watermark generator does not fit these records; give punctuated a member
// A promise must be a point of event time; a flag does not say how far the split is complete.
#include <freshet/pipeline/event_time.hpp>

#include <optional>

struct payment {
  freshet::timestamp at;
  bool last_of_its_hour = false;
  std::optional<freshet::timestamp> complete_until;
};

auto timed(const freshet::stream<payment>& payments) {
#ifdef FRESHET_FIXED
  const auto promise = &payment::complete_until;
#else
  const auto promise = &payment::last_of_its_hour;
#endif
  return payments | freshet::event_time(&payment::at, freshet::punctuated(promise));
}
