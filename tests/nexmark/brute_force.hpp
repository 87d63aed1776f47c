// The queries of Nexmark evaluated by their definitions, one row after the other, as slowly as
// that is. Shares nothing with the loops but events, rows and hash.
#pragma once

#include <answer.hpp>
#include <generator.hpp>

#include <string_view>

namespace nexmark {

answer brute_force(std::string_view query, const log_options& log);

}  // namespace nexmark
