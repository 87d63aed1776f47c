#include "golden/compose.hpp"

namespace golden {

absl::Status run_v1(run_of& run, const sinks& into) {
  return run_version<v1::types>(run, into);
}

}  // namespace golden
