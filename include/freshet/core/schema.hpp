// Schemas: bytes of an older format, made into those of the present one.
//
// A format (`format_of`) says where every part of a value begins and ends. A `value_converter` is
// made once from the format in which bytes were written and the one in which they are wanted, and
// then copies values part by part: fields of structs are matched by name, those that are new get
// the value that they have in a fresh struct, those that are gone are skipped. Codecs stay as they
// are, and nothing here is compiled for each type.
//
// What may differ:  fields added, removed, renamed by `former_names`, or in another order; integers
// and floating point numbers wider than before; alternatives added behind those of a variant;
// codecs of one name and a higher version; a struct without fields, or std::monostate, that has
// fields now. What may not:     any other type; the elements of sets and the keys of maps, which
// could become equal; structs that share no field; alternatives of a variant that have changed
// places.
//
// Threads: a converter is an immutable value, safe to share. Memory: a few words for each part of
// the format. Hostile formats and bytes give errors.
#pragma once

#include <freshet/core/bytes.hpp>
#include <freshet/core/codec.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

namespace detail {
class conversion_plan;
}  // namespace detail

class value_converter {
 public:
  /// Reads bytes of the format `written` as `wanted`. Errors: FailedPrecondition when the formats
  /// differ in more than what may differ: "field 'amount' was f64, is string now; ...".
  static absl::StatusOr<value_converter> make(std::string_view written, const value_schema& wanted);

  /// Walks through bytes of a format, without another one.
  static absl::StatusOr<value_converter> of(std::string_view format);

  /// Whether the bytes are the same in both formats, so that there is nothing to convert.
  bool identical() const { return identical_; }

  /// `bytes`, all of them, in the wanted format. Errors: DataLoss where they are none of the format
  /// in which they were written; what the walk does not look at, such as the value of a flag, the
  /// decoder will. \cost One copy of the bytes; a second one of structs whose fields changed
  /// places.
  absl::StatusOr<std::string> convert(std::string_view bytes) const;

 private:
  value_converter(std::shared_ptr<const detail::conversion_plan> plan, bool identical)
      : plan_(std::move(plan)), identical_(identical) {}

  std::shared_ptr<const detail::conversion_plan> plan_;
  bool identical_;
};

namespace detail {

/// What the state rows of an operator look like whose keys begin with `tag`.
struct row_layout {
  std::string tag;
  value_schema schema;
};

/// What the bytes look like that an operator gives to `state_writer`.
struct state_layout {
  value_schema summary;
  std::vector<row_layout> rows = {};
};

}  // namespace detail

}  // namespace freshet
