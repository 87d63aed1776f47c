#include <freshet/testing/every_mode.hpp>

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace freshet::detail {

namespace {

scenario_mode mode(std::string name, std::string suspicion) {
  scenario_mode made;
  made.options.mode = std::move(name);
  made.suspicion = std::move(suspicion);
  return made;
}

}  // namespace

std::vector<scenario_mode> scenario_modes() {
  std::vector<scenario_mode> modes = {mode("plain", "look at the scenario itself")};
  modes.push_back(
      mode("restored between all items",
           "look for what a snapshot does not hold, such as a counter in a function given to map"));
  modes.back().options.restore_between_items = true;
  modes.push_back(mode("killed between all items",
                       "look for what a kill does not take back, such as a counter that a function "
                       "reaches through a pointer"));
  modes.back().options.kill_between_items = true;
  for (const std::size_t rows : {2U, 7U, 256U}) {
    modes.push_back(
        mode(fmt::format("in batches of up to {}", rows),
             "look for what happens once per batch, or for two functions that share something"));
    modes.back().options.batch_rows = rows;
  }
  return modes;
}

void report_difference(const scenario_mode& mode, const std::string& found,
                       const std::string& wanted) {
  throw contract_violation(
      fmt::format("in_every_mode: {}, {}; wanted what it is when run plainly, "
                  "where {}; {}",
                  mode.options.mode, found, wanted, mode.suspicion));
}

void report_exception(const scenario_mode& mode, std::string_view what) {
  throw contract_violation(fmt::format("in_every_mode: {}, the scenario threw ({}); {}",
                                       mode.options.mode, what, mode.suspicion));
}

}  // namespace freshet::detail
