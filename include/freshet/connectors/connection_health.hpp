// How a connection is, for whoever looks after a job: dashboards, probes, tests.
//
// A handle on shared figures: give a connector a copy, and keep one. Threads: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {

class connection_health {
 public:
  struct report {
    bool failing = false;        ///< Whether the last that happened was a failure.
    std::uint64_t failures = 0;  ///< Since the handle was made.
    std::string last_failure;    ///< Its text; empty when there was none.
  };

  connection_health();

  report now() const;

  /// For connectors: something went wrong that is being tried again.
  void failed(std::string_view what) const;
  /// For connectors: the service has answered.
  void answered() const;

 private:
  struct figures;
  std::shared_ptr<figures> figures_;
};

}  // namespace freshet
