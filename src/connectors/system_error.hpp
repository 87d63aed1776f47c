// Errors of the operating system as statuses in our message form.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

namespace freshet::detail {

/// `place: what (text of the error number)`, then `; advice` unless that is empty.
absl::Status system_error(int error_number, std::string_view place, std::string_view what,
                          std::string_view advice = {});

}  // namespace freshet::detail
