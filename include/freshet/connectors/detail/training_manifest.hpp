// What the manifest of a training set says, and the text that says it. Internal.
//
// Plain values. Memory: as many categories and splits as the limits below.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

struct training_category {
  std::uint64_t kept = 0;
  double weight = 0;  ///< The sum over what was kept: how many records there were, without bias.
};
BOOST_DESCRIBE_STRUCT(training_category, (), (kept, weight))

struct training_split {
  std::uint64_t first = 0, last = 0;  ///< Sequences of rows that were kept.
};
BOOST_DESCRIBE_STRUCT(training_split, (), (first, last))

/// What is counted while rows are written; part of the sink's token.
struct training_counts {
  std::uint64_t rows = 0;
  std::optional<timestamp> first, last;  ///< Event times; nothing where rows have none.
  std::map<std::string, training_category> categories;
  training_category others;  ///< Of categories beyond the limit.
  std::map<std::uint32_t, training_split> splits;

  static constexpr std::size_t categories_max = 10'000;

  void add(const std::string& category, double weight, const position& where);
  void add_time(timestamp at);
};
BOOST_DESCRIBE_STRUCT(training_counts, (), (rows, first, last, categories, others, splits))

/// What does not change while rows are written.
struct training_description {
  std::string sampler;
  std::vector<std::pair<std::string, std::string>> columns;  ///< Names and kinds.
};

/// The manifest as a JSON object, with a line end.
std::string manifest_text(const training_description& of, const training_counts& counts);

/// The number of rows that the manifest in the file `path` promises. Errors name the file: it is
/// absent, or is no manifest.
absl::StatusOr<std::uint64_t> manifest_rows(const std::string& path);

/// A token of two parts, and back.
std::string join_token(std::string_view data, const training_counts& counts);
absl::StatusOr<std::pair<std::string, training_counts>> split_token(std::string_view token,
                                                                    const std::string& place);

/// Writes the manifest durably, and puts it in place of an older one.
absl::Status write_manifest(const std::string& path, const std::string& place,
                            const std::string& text);

/// `count` and a reader's position, and back; nothing for what is none.
std::string join_position(std::uint64_t count, std::string_view position);
std::optional<std::pair<std::uint64_t, std::string_view>> split_position(std::string_view joined);

}  // namespace freshet::detail
