// A format, taken apart.
//
// The grammar of what `format_of` writes:
//
//   type   = name | name "<" type {"," type} ">" | "array<" type "," number ">" | struct | own
//          | "^" number
//   struct = "{" field ":" type {"," field ":" type} "}" | "{}"
//   own    = '"' characters, '"' and '\' behind a '\' '"' ":" number
//
// "^1" is the innermost struct around the place, "^2" the one around that. A value of its own.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

struct format_part {
  enum class kind : std::uint8_t {
    fixed,     ///< `size` bytes.
    string,    ///< A count, and so many bytes.
    own,       ///< A version, and a string.
    optional,  ///< A flag, and perhaps its part.
    sequence,  ///< A count, and so many of its part: vectors and sets.
    map,       ///< A count, and so many of its two parts.
    array,     ///< `size` of its part.
    product,   ///< Its parts, one after the other.
    variant,   ///< A count, and the part with that number.
    record,    ///< Its parts, by name.
  };

  kind is = kind::fixed;
  std::string_view text = {};           ///< The whole of it.
  std::string_view name = {};           ///< Without what is in brackets.
  std::size_t size = 0;                 ///< Bytes, or elements.
  std::vector<std::size_t> parts = {};  ///< Indices.
  std::vector<std::string_view> fields = {};
  std::vector<std::size_t> notes = {};  ///< By field: its number among all fields of the format.
  std::uint32_t version = 0;
  std::size_t own_number = 0;  ///< Among all codecs in the format.
};

/// All parts of a format. Views the text that it was made from.
struct parsed_format {
  std::vector<format_part> parts;
  std::size_t root = 0;
};

/// Errors: InvalidArgument, when the text is no format.
absl::StatusOr<parsed_format> parse_format(std::string_view text);

}  // namespace freshet::detail
