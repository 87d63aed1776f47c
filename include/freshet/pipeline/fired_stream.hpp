// The rows that windows fire, and how they become rows of an application's own type.
//
// A handle, as every stream.
#pragma once

#include <freshet/core/fields.hpp>
#include <freshet/pipeline/detail/row_matching.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>

namespace freshet {

/// Rows with columns that only the stream can name.
template <class Row>
class fired_stream : public stream<Row> {
 public:
  using stream<Row>::stream;

  /// The rows as described structs: columns are matched with members by name (`window_start` and
  /// `window_end` are timestamps), values converted where C++ does so without narrowing kinds.
  /// Throws `std::invalid_argument` naming a member that has no column, or one of another kind.
  template <described As>
  stream<As> as() const {
    return *this | map(detail::row_matcher<Row, As>(this->columns()));
  }
};

}  // namespace freshet
