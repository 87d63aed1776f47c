#include <freshet/window/trailing.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace freshet {

std::string trailing_span::label() const {
  if (!name.empty()) return name;
  // A day is what people call 24h when it stands beside 1h.
  return length == std::chrono::hours(24) ? std::string("24h") : to_text(length);
}

std::string trailing_span::check() const {
  if (length <= duration::zero()) {
    return fmt::format("span {} is not positive; give a positive duration, such as 1h",
                       to_text(length));
  }
  if (resolution < duration::zero()) {
    return fmt::format(
        "span {}: resolution {} is negative; give a positive one, or none for an "
        "exact span",
        label(), to_text(resolution));
  }
  if (resolution >= length) {
    return fmt::format(
        "span {}: resolution {} is not shorter than its length {}; give a shorter "
        "one, or none for an exact span",
        label(), to_text(resolution), to_text(length));
  }
  return {};
}

namespace detail {

std::vector<std::string> trailing_columns(const std::vector<trailing_span>& spans,
                                          const std::vector<std::string>& aggregates) {
  std::vector<std::string> all;
  for (const trailing_span& span : spans) {
    for (const std::string& aggregate : aggregates) all.push_back(aggregate + "_" + span.label());
  }
  return all;
}

std::string check_trailing_columns(const std::vector<std::string>& columns) {
  for (auto column = columns.begin(); column != columns.end(); ++column) {
    if (std::find(columns.begin(), column, *column) == column) continue;
    return fmt::format(
        "its row has two columns '{}', and each is known by its name; give aggregates names that "
        "differ from each other and from the record's members, or a span a .name",
        *column);
  }
  return {};
}

std::string describe_trailing(const std::vector<trailing_span>& spans,
                              const trailing_options& options, const std::string& key,
                              const std::string& aggregates) {
  std::string text = "trailing";
  for (const trailing_span& span : spans) {
    text += " " + to_text(span.length);
    if (span.resolution > duration::zero()) text += "/" + to_text(span.resolution);
  }
  return fmt::format("{}{}{} lateness {} | key {} | {}", text,
                     options.include_self ? " with itself" : "",
                     options.emit == emit::on_arrival ? " on arrival" : "",
                     to_text(options.allowed_lateness), key, aggregates);
}

}  // namespace detail

}  // namespace freshet
