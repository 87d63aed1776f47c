// Options that the readers of text files share: sizes, times, and names of fields.
//
// The checks throw `std::invalid_argument`; `reader` is what their messages begin with.
#pragma once

#include <freshet/connectors/detail/csv_options.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

using rename_list = std::vector<std::pair<std::string, std::string>>;

void check_text_sizes(std::string_view reader, std::size_t record_bytes_max,
                      std::size_t block_bytes);

/// Every renamed field must be one of `fields`, and be there once.
void check_rename(std::string_view reader, const rename_list& rename,
                  const std::vector<std::string_view>& fields);

/// The name under which `field` stands in the file.
std::string_view renamed(const rename_list& rename, std::string_view field);

/// ` field=name` for each of `fields`.
std::string list_renamed(const rename_list& rename, const std::vector<std::string_view>& fields);

std::string_view name_of(csv::timestamp_format format);

/// `names` with commas between them, as many as a message can show.
std::string listed(const std::vector<std::string_view>& names);

}  // namespace freshet::detail
