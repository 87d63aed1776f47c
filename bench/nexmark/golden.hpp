// The answers of the specification, for seed 0, in order, 10,000 events per second.
#pragma once

#include "answer.hpp"
#include "generator.hpp"

#include <optional>
#include <string_view>

namespace nexmark {

/// The answer to `query`, where it is known for this log. Where only the order of arrival differs
/// from a known one, so does only the answer to q18, by its ties.
std::optional<answer> golden_answer(std::string_view query, const log_options& log);

}  // namespace nexmark
