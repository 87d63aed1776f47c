// A dead letter: a record that could not be used, with the reason and the place it came from.
//
// An immutable value that owns its text. Malformed input becomes dead letters instead of vanishing:
// they are counted, and a stream of them is there for whoever asks (`stream.dead()`).
#pragma once

#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>

namespace freshet {

struct dead_letter {
  std::string source;          ///< Name of the source or operator that refused the record.
  std::string split;           ///< File, channel, or partition; empty where there is none.
  std::uint64_t sequence = 0;  ///< Position within the split, as the source counts: a file's byte.
  std::uint64_t line = 0;  ///< Line of a text file where the record starts, from 1; 0 elsewhere.
  std::string reason;      ///< What was found and what was wanted.
  std::string record;      ///< The record as it was read; empty when it has no text form.
};
BOOST_DESCRIBE_STRUCT(dead_letter, (), (source, split, sequence, line, reason, record))

}  // namespace freshet
