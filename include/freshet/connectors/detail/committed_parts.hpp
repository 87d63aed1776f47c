// Files that are published one after the other, exactly once: the half of `write_parts` that knows
// no rows.
//
// Each part is a committed file. A token lists the open parts with their lengths, those that are
// closed and not yet published, and the number of the next. Threads: one at a time. Memory: that of
// the open parts.
#pragma once

#include <freshet/connectors/detail/committed_file.hpp>
#include <freshet/connectors/parts.hpp>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

class committed_parts {
 public:
  /// \param place      what error messages begin with, as `csv::write_parts 'archive'`.
  /// \param extension  of the parts' names, as `.csv`.
  /// \param header     the first line of each part, without its end; empty for none.
  committed_parts(std::string folder, std::string place, std::string extension, std::string header,
                  roll options);
  ~committed_parts();

  absl::Status start(std::optional<std::string_view> committed);

  /// Appends whole rows to the part of a partition, a folder below this one, and closes it when it
  /// is full. Components of `partition` that no folder can have, as `..`, are escaped.
  absl::Status append(std::string_view partition, std::string_view rows);
  /// How many bytes its part takes until it is full.
  std::uint64_t room(std::string_view partition) const;

  absl::StatusOr<std::string> prepare();
  absl::Status commit(std::string_view token, bool last);

 private:
  struct open_part {
    std::uint64_t number = 0;
    std::string name;  ///< Below the folder, with the partition's.
    std::unique_ptr<committed_file> file;
    std::uint64_t bytes = 0;
    std::uint64_t written_at = 0;  ///< The appends counted.
    std::chrono::steady_clock::time_point opened_at;
  };
  struct closed_part {
    std::string name;
    std::string token;
  };
  /// A line of a token.
  struct entry {
    bool closed = false;
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    std::string file_token;
    std::string name;
  };
  struct listing {
    std::uint64_t next = 0;
    std::vector<entry> entries;
  };

  std::unique_ptr<committed_file> file_of(const std::string& name) const;
  absl::StatusOr<listing> decode(std::string_view token) const;
  absl::Status take_over(const listing& from);
  absl::Status remove_from(std::uint64_t number, bool fresh);
  absl::StatusOr<open_part*> part_of(const std::string& partition);
  absl::Status make_folders(const std::string& partition);
  absl::Status close(const std::string& partition);
  absl::Status publish(const entry& part);

  std::string folder_;
  std::string place_;
  std::string extension_;
  std::string header_;
  roll options_;
  std::uint64_t next_ = 0;
  std::uint64_t appends_ = 0;
  absl::flat_hash_map<std::string, open_part> open_;  // By partition.
  std::map<std::uint64_t, closed_part> closed_;       // By number.
};

}  // namespace freshet::detail
