#include "golden/compose.hpp"

namespace golden {

absl::Status run_v2(run_of& run, const sinks& into) {
  return run_version<v2::types>(run, into);
}

}  // namespace golden
