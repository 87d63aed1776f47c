// in_every_mode: one scenario, run as a pipeline may run in production: in batches of other sizes,
// with a restart between any two records, killed between any two records.
//
//     const auto rows = frt::in_every_mode([](const frt::harness_options& options) {
//       frt::harness h(options);
//       ...
//       return windows.take_text();
//     });
//
// What comes out must not depend on the mode; docs/reference/time.md names the exceptions. Depends
// on no test framework. Threads: the caller's. Cost: the scenario's, once per mode.
#pragma once

#include <freshet/testing/contract.hpp>
#include <freshet/testing/harness_options.hpp>
#include <freshet/testing/row_text.hpp>

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// One way of running a scenario.
struct scenario_mode {
  testing::harness_options options;  ///< With its name.
  std::string suspicion;             ///< Where to look when only this mode differs.
};

/// The modes, the plain one first.
std::vector<scenario_mode> scenario_modes();

/// Throws `contract_violation`.
[[noreturn]] void report_difference(const scenario_mode& mode, const std::string& found,
                                    const std::string& wanted);
[[noreturn]] void report_exception(const scenario_mode& mode, std::string_view what);

/// What differs between two results: the first element that does, where they are lists.
template <class Result>
std::pair<std::string, std::string> difference(const Result& found, const Result& wanted) {
  if constexpr (has_range<Result> && !std::is_convertible_v<const Result&, std::string_view>) {
    auto a = found.begin();
    auto b = wanted.begin();
    std::size_t index = 0;
    while (a != found.end() && b != wanted.end() && *a == *b) ++a, ++b, ++index;
    const auto text = [index](const Result& all, auto at) {
      const std::string element = at == all.end() ? "nothing" : testing::row_text(*at);
      return "element " + std::to_string(index) + " is " + element;
    };
    return {text(found, a), text(wanted, b)};
  } else {
    return {testing::row_text(found), testing::row_text(wanted)};
  }
}

}  // namespace detail

namespace testing {

/// Runs `scenario(options)` plainly, then with restores between all items, with kills between all
/// items, and in batches of up to 2, 7 and 256 records, and compares what it returns by `==`; it
/// may return nothing. `options.mode` names the mode, for messages of the scenario's own.
/// \return what the plain run returned.
/// \throws contract_violation naming the mode in which the result was another one, or in which the
///         scenario threw a `std::exception`; other exceptions (those of test frameworks) pass.
/// \note   Must not be seen: state that a function of the pipeline reaches through a pointer, and
///         that survives a restart unharmed; only the kills show it, by counting twice.
template <class Scenario>
auto in_every_mode(Scenario scenario) {
  using result = std::invoke_result_t<Scenario&, const harness_options&>;
  const std::vector<detail::scenario_mode> modes = detail::scenario_modes();
  const auto run = [&scenario](const detail::scenario_mode& mode) -> result {
    try {
      return scenario(mode.options);
    } catch (const std::exception& error) {
      detail::report_exception(mode, error.what());
    }
  };
  if constexpr (std::is_void_v<result>) {
    for (const detail::scenario_mode& mode : modes) run(mode);
  } else {
    result wanted = run(modes.front());
    for (std::size_t i = 1; i < modes.size(); ++i) {
      const result found = run(modes[i]);
      if (found == wanted) continue;
      const auto [here, there] = detail::difference(found, wanted);
      detail::report_difference(modes[i], here, there);
    }
    return wanted;
  }
}

}  // namespace testing

}  // namespace freshet
