// What the tests of csv_windows share: the program run as a user would, and compressed inputs.
#pragma once

#include "process/program.hpp"

#include <string>

namespace csv_windows_test {

using freshet::test::arguments;
using freshet::test::content;
using freshet::test::contents_of;
using freshet::test::ending;
using freshet::test::exists;
using freshet::test::has_commits;
using freshet::test::medium;
using freshet::test::moment_range;
using freshet::test::operator+;
using freshet::test::says;
using freshet::test::scratch_folder;

/// `text`, compressed by `.gz` or `.xz`.
std::string compressed(const std::string& text, const std::string& kind);

/// A csv_windows process. Its standard output is to stay empty.
struct running_program : freshet::test::running_program {
  running_program(const arguments& given, std::string errors_path);
};

/// Runs csv_windows to its end.
ending run_program(const arguments& given);

/// As `run_program`, and it must succeed; returns what it said.
std::string run_successfully(const arguments& given);

}  // namespace csv_windows_test
