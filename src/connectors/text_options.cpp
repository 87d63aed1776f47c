// Options that the readers of text files share.
#include "connectors/text_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

void check_text_sizes(std::string_view reader, std::size_t record_bytes_max,
                      std::size_t block_bytes) {
  if (record_bytes_max < 64 || record_bytes_max > (std::size_t{1} << 30U)) {
    throw std::invalid_argument(
        fmt::format("{}: record_bytes_max is {}, wanted 64 to 1 GiB; set .record_bytes_max", reader,
                    record_bytes_max));
  }
  if (block_bytes == 0) {
    throw std::invalid_argument(
        fmt::format("{}: block_bytes is 0, wanted at least 1; set .block_bytes", reader));
  }
}

void check_rename(std::string_view reader, const rename_list& rename,
                  const std::vector<std::string_view>& fields) {
  for (std::size_t index = 0; index < rename.size(); ++index) {
    const std::string& name = rename[index].first;
    if (std::find(fields.begin(), fields.end(), name) == fields.end()) {
      throw std::invalid_argument(
          fmt::format("{}: .rename names the field '{}', wanted one of {}; correct it", reader,
                      name, listed(fields)));
    }
    for (std::size_t earlier = 0; earlier < index; ++earlier) {
      if (rename[earlier].first == name) {
        throw std::invalid_argument(fmt::format(
            "{}: .rename names the field '{}' twice, wanted it once; drop one", reader, name));
      }
    }
  }
}

std::string_view renamed(const rename_list& rename, std::string_view field) {
  for (const auto& [name, other] : rename) {
    if (name == field) return other;
  }
  return field;
}

std::string list_renamed(const rename_list& rename, const std::vector<std::string_view>& fields) {
  std::string text;
  for (const std::string_view field : fields) {
    text += fmt::format(" {}={}", field, renamed(rename, field));
  }
  return text;
}

std::string_view name_of(csv::timestamp_format format) {
  static constexpr std::string_view names[] = {"iso", "epoch_s", "epoch_ms", "epoch_us", "any"};
  return names[static_cast<std::size_t>(format)];
}

std::string listed(const std::vector<std::string_view>& names) {
  constexpr std::size_t names_shown = 20;
  std::string text;
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (index == names_shown) {
      text += fmt::format(", and {} more", names.size() - index);
      break;
    }
    if (index > 0) text += ", ";
    text += names[index];
  }
  return text;
}

}  // namespace freshet::detail
