// Operators whose state can be read while the job runs. Internal.
//
// Threads: the task's, between two slices.
#pragma once

#include <freshet/core/time.hpp>

#include <cstdint>
#include <typeinfo>
#include <vector>

namespace freshet::detail {

class readable {
 public:
  virtual ~readable() = default;
  /// That of `readable_rows<Key, Row>`.
  virtual const std::type_info& row_type() const = 0;
  /// The watermark that the rows reflect.
  virtual timestamp reads_at() const = 0;
};

/// An operator that gives rows of type `Row` for a key.
template <class Key, class Row>
class readable_rows : public readable {
 public:
  const std::type_info& row_type() const final { return typeid(readable_rows); }
  /// Appends what the key has now.
  virtual void read(std::uint64_t hash, const Key& key, std::vector<Row>& into) const = 0;
};

}  // namespace freshet::detail
