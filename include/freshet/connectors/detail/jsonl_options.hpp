// The options of `jsonl::read` and `jsonl::write`.
//
// Plain values. Include <freshet/connectors/jsonl.hpp> instead of this file.
#pragma once

#include <freshet/connectors/detail/csv_options.hpp>
#include <freshet/connectors/follow.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::jsonl {

/// How points of time stand in a file: `iso` as strings, the `epoch_` formats as numbers (strings
/// of digits are read, too), `any` as either.
using csv::timestamp_format;

/// How to read. Everything has a default.
struct read_options {
  timestamp_format time_format = timestamp_format::iso;

  /// Pairs of a field of the struct and the key that fills it, for the fields whose key has another
  /// name. Several fields cannot have one key. Fields of nested structs keep their names.
  std::vector<std::pair<std::string, std::string>> rename = {};

  /// How deep objects and arrays may be nested, also in values that no field wants; from 1 to 1000.
  std::size_t depth_max = 32;

  /// Longest line, its end included; a longer one is a dead letter. It bounds the memory. From 64
  /// to 1 GiB.
  std::size_t record_bytes_max = std::size_t{16} << 20U;

  /// How much is read at once; at least 1. Results do not depend on it.
  std::size_t block_bytes = std::size_t{256} << 10U;

  /// Set, files have no end: see follow.hpp.
  std::optional<freshet::follow> follow = std::nullopt;
};

/// How to write. Everything has a default.
struct write_options {
  timestamp_format time_format = timestamp_format::iso;  ///< Any but `any`.
};

}  // namespace freshet::jsonl
