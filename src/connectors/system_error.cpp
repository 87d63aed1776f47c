// Errors of the operating system as statuses in our message form.
#include "connectors/system_error.hpp"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <system_error>

namespace freshet::detail {

absl::Status system_error(int error_number, std::string_view place, std::string_view what,
                          std::string_view advice) {
  // `std::error_code` rather than strerror, which is not safe between threads.
  const std::string cause = std::error_code(error_number, std::generic_category()).message();
  return {absl::ErrnoToStatusCode(error_number),
          fmt::format("{}: {} ({}){}{}", place, what, cause, advice.empty() ? "" : "; ", advice)};
}

}  // namespace freshet::detail
