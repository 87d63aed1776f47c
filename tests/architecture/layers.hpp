// The layers of freshet as a check over source text: which folder may include which.
//
// Reads #include lines only, so an include in an inactive #if counts too. Lines inside a raw string
// or a block comment that begin with #include would count as well; our files have none. Threads: a
// pure function of the files. Cost: reads each file once.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace freshet::architecture {

/// One line that breaks a rule.
struct violation {
  std::string file;    ///< Relative to the checked root, with forward slashes.
  std::size_t line;    ///< Counted from 1; 0 when the file as a whole is misplaced.
  std::string reason;  ///< What was found and what to do.
};

/// What a check saw; an empty `violations` means nothing unless `files` is as many as expected.
struct report {
  std::size_t files = 0;     ///< Files read.
  std::size_t includes = 0;  ///< Includes of freshet headers seen.
  std::vector<violation> violations;
};

/// Checks `root`/include/freshet and, if it exists, `root`/src against DESIGN section 2:
/// - a header includes its own folder or a folder of a lower level, never its own level's others;
/// - every folder has a level; freshet.hpp is the umbrella, which nothing in the library includes
///   and which reaches up to `pipeline`;
/// - public headers include freshet as <freshet/...>, and no header of a foreign library that is
///   kept out of the interface;
/// - a source in src/FOLDER has the level of that folder; src/runtime has that of `pipeline`.
/// \return violations sorted by file and line.
report check_layers(const std::filesystem::path& root);

}  // namespace freshet::architecture
