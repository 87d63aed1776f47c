#include <freshet/pipeline/windowing.hpp>

#include <fmt/format.h>

namespace freshet::detail {

std::string describe_windows(const std::string& assigner, const window_options& options,
                             const std::string& key, const std::string& aggregates,
                             const std::string& records) {
  return fmt::format("{} lateness {}{} | key {} | {} | records {}", assigner,
                     to_text(options.allowed_lateness),
                     options.fire == firing::on_time ? "" : " at close", key, aggregates, records);
}

}  // namespace freshet::detail
