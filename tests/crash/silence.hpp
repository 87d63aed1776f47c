// A row of the crash job, which its test reads back from the job's checkpoint.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>

namespace freshet::test {

struct silence {
  std::string device;
  timestamp since;
  std::int64_t heard = 0;  ///< How many records came before it.
};
BOOST_DESCRIBE_STRUCT(silence, (), (device, since, heard))

}  // namespace freshet::test
