// What callgrind has counted, held against what is known. Plain values; no processes.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kernels {

/// Instructions per event, by kernel.
using counts = std::vector<std::pair<std::string, double>>;

/// One of callgrind's files.
struct dump {
  std::string trigger;  ///< The text of the client request that wrote it.
  std::uint64_t total = 0;
};

/// Nothing for a file that no client request wrote, or that has no total.
std::optional<dump> read_dump(std::istream& in);

/// A file of known counts: `# comment`, `compiler VERSION`, `KERNEL INSTRUCTIONS`.
struct baseline {
  std::string compiler;
  counts of;
};
/// \return what is wrong with the text; empty when it was read.
std::string read_baseline(std::istream& in, baseline& known);
std::string text_of(const baseline& known);

struct verdict {
  bool holds = false;
  std::string text;  ///< A line for each kernel, and what to do.
};

/// Holds when no kernel takes more than 5 % more than is known, and both sides name the same
/// kernels. 5 % less asks to update the file, or the next regression hides in the difference.
verdict judge(const counts& found, const counts& known);

}  // namespace kernels
