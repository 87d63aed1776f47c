// Small files beside a job's checkpoint, which a later run of the same job reads.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <string>

namespace nexmark {

inline constexpr std::size_t most_splits = 128;

/// Replaces the file `path` by one with this content, all or nothing, durably.
absl::Status replace_file(const std::string& path, const std::string& content);

/// How many splits the log of the job in `folder` has: as many as when it was first started, which
/// a file there says, else `fresh`, and that is written down. So a job can go on at any
/// parallelism. Errors: DataLoss when the file is damaged; what the system says.
absl::StatusOr<std::size_t> splits_in(const std::string& folder, std::size_t fresh);

}  // namespace nexmark
