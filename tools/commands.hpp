// What freshet-state does, apart from reading its command line. All of it only reads, but for
// `copy`, which makes a new folder.
//
// Reports go to standard output. Errors are statuses whose message is one line for people.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace freshet_state {

enum class row_format { csv, jsonl };

/// Commits and copies of a checkpoint directory, newest first.
absl::Status list(const std::string& directory);

/// Operators, sources, sinks and counts of one commit. `place`: the folder of a commit, copy or
/// savepoint; or a checkpoint directory, of which the newest commit is meant. So everywhere below.
absl::Status show(const std::string& place);

/// DataLoss with the name of the first file that is not what it was. Of a checkpoint directory:
/// every commit and copy.
absl::Status verify(const std::string& place);

/// How many rows of each operator were added, changed and removed from one commit to another.
absl::Status diff(const std::string& before, const std::string& after);

/// The rows of one operator. `name`: its name, or kind and name as `show` prints them.
absl::Status export_rows(const std::string& place, const std::string& name, row_format format);

/// The bytes of a commit's manifest, as they are.
absl::Status print_manifest(const std::string& place);

/// A durable copy of a commit, in a folder that is new or empty.
absl::Status copy(const std::string& place, const std::string& to);

}  // namespace freshet_state
