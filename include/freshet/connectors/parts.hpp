// Output in many files that follow each other: when one is full or old, and one for each partition.
//
//     payments | fr::to("archive", fr::csv::write_parts("archive", fr::daily(&payment::at),
//                                                       {.bytes_max = 64 << 20}));
//
// writes `archive/day=2026-11-28/part-000000.csv` and so on, exactly once. A part is written under
// a hidden name, `.part-000000.csv.inprogress`, and gets its name with the first checkpoint after
// it was closed: whoever looks for `part-*` sees whole files of committed rows only, and may take
// them away. Each row is in one part; which part, and how many there are, depends on when
// checkpoints come. Parts hold rows in the order in which they arrive.
//
// A job that resumes cuts open parts back to the checkpoint and removes parts that came after it;
// one that falls back to an older checkpoint takes back what was published since. One that starts
// anew wants a folder without parts, so that nothing is overwritten or mixed; it removes hidden
// ones. A folder belongs to one sink.
//
// Memory: 256 KiB for each open part.
#pragma once

#include <freshet/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace freshet {

/// When a part is closed, besides at the end of the job.
struct roll {
  /// As soon as it has so many bytes; at least 1. It has up to one row more.
  std::uint64_t bytes_max = std::uint64_t{128} << 20U;

  /// At the first checkpoint after so long a time; zero closes it at every checkpoint.
  duration age_max = std::chrono::hours(1);

  /// How many partitions have an open part; at least 1. A further one closes that which was written
  /// to least recently. Each needs memory and a file descriptor.
  std::size_t open_max = 64;
};

/// All rows into the folder itself.
struct in_one_folder {
  template <class T>
  std::string operator()(const T&) const {
    return {};
  }
};

namespace detail {

/// `day=2026-11-28`, and `/hour=04` behind it.
std::string day_folder(timestamp at);
std::string hour_folder(timestamp at);

}  // namespace detail

/// A partition for each day, in UTC, of the time that `at` gives: a member or a function.
template <class F>
auto daily(F at) {
  return [at = std::move(at)](const auto& row) { return detail::day_folder(std::invoke(at, row)); };
}

/// A partition for each hour, below that of its day.
template <class F>
auto hourly(F at) {
  return
      [at = std::move(at)](const auto& row) { return detail::hour_folder(std::invoke(at, row)); };
}

/// A partition for each value of a key that is text, such as `by_value("country", &row::country)`:
/// `country=DE`. Bytes that have a meaning in paths are written as `%2F`.
template <class F>
auto by_value(std::string name, F key) {
  return [name = std::move(name), key = std::move(key)](const auto& row) {
    std::string folder = name + '=';
    for (const char byte : std::string_view(std::invoke(key, row))) {
      if (byte == '/') {
        folder += "%2F";
      } else if (byte == '%') {
        folder += "%25";
      } else {
        folder += byte;
      }
    }
    return folder;
  };
}

}  // namespace freshet
