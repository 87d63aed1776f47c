// The manifest: everything of a commit that is not a state row.
//
// Replaced as a whole by every commit, atomically with the rows. Plain values.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/source_head.hpp>

#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// One instance of an operator: how far it had come, its small state, and whose keys it had.
struct instance_record {
  timestamp frontier = timestamp_min;  ///< At which rows of its key groups expire.
  std::string summary;
  key_group_set groups;
};
BOOST_DESCRIBE_STRUCT(instance_record, (), (frontier, summary, groups))

/// What the rows look like whose own keys begin with `tag`.
struct row_format {
  std::string tag;
  std::string format;
};
BOOST_DESCRIBE_STRUCT(row_format, (), (tag, format))

/// One operator's state: which rows are its own, what they look like, and its instances.
struct operator_record {
  std::string kind;
  std::string name;
  std::string format;       ///< Fingerprint: compared before anything is restored.
  std::uint32_t state = 0;  ///< The number that begins the keys of its rows.
  std::vector<instance_record> instances;
  std::string summary_format = {};  ///< Of the bytes in the instances; of nothing when empty.
  std::vector<row_format> row_formats = {};
};
BOOST_DESCRIBE_STRUCT(operator_record, (),
                      (kind, name, format, state, instances, summary_format, row_formats))

struct source_record {
  std::string name;
  std::string format;  ///< How the source reads; compared before anything is restored.
  source_commit at;
};
BOOST_DESCRIBE_STRUCT(source_record, (), (name, format, at))

struct sink_record {
  std::string name;
  std::string token;
};
BOOST_DESCRIBE_STRUCT(sink_record, (), (name, token))

/// The counts of one operator since the job began.
struct counter_record {
  std::string place;
  std::uint64_t records_in = 0;
  std::uint64_t records_out = 0;
  std::uint64_t late = 0;
  std::uint64_t dead = 0;
  std::uint64_t unassigned = 0;
  std::uint64_t realigned = 0;
  std::uint64_t regressed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t shed = 0;
};
BOOST_DESCRIBE_STRUCT(counter_record, (),
                      (place, records_in, records_out, late, dead, unassigned, realigned, regressed,
                       dropped, shed))

struct manifest {
  std::uint64_t epoch = 0;       ///< Counts the commits of the job, from 1.
  std::uint32_t key_groups = 0;  ///< How many there are; fixed when state is first written.
  bool finished = false;         ///< The input has ended and every window has closed.
  bool published = false;        ///< And every sink has completed its output.
  std::vector<source_record> sources;
  std::vector<operator_record> operators;
  std::vector<sink_record> sinks;
  std::vector<counter_record> counters;
};
BOOST_DESCRIBE_STRUCT(manifest, (),
                      (epoch, key_groups, finished, published, sources, operators, sinks, counters))

/// `manifest` in bytes: a magic word, the version of this format, the format of the value, the
/// value, and a checksum of all before. A later build reads it although its manifest has other
/// fields.
std::string encode_manifest(const manifest& of);

/// The reverse. Errors: DataLoss for anything that `encode_manifest` does not write,
/// FailedPrecondition for another version.
absl::StatusOr<manifest> decode_manifest(std::string_view bytes);

}  // namespace freshet::detail
