// Runs the program bench/nexmark as a user would, and reads what it prints.
#pragma once

#include "process/program.hpp"

#include <answer.hpp>
#include <generator.hpp>

#include <map>
#include <string>

namespace nexmark::test {

using freshet::test::arguments;
using freshet::test::operator+;

/// The options that say which log.
arguments options_of(const log_options& log);

/// Runs it to its end. What it said is in `errors`.
freshet::test::ending run_nexmark(const arguments& given);

/// The rows and checksums that `printed`, a JSON object for each query, tells; fails the test where
/// a line is anything else.
std::map<std::string, answer> answers_in(const std::string& printed);

}  // namespace nexmark::test
