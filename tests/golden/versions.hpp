// Two versions of the structs of one application. The second has fields in another order, wider
// ones, and new ones; one is gone.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time.hpp>
#include <freshet/state/keyed_state.hpp>

#include <boost/describe/class.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace golden {

/// What sinks are given: the same text in both versions.
struct line {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(line, (), (text))

namespace v1 {

struct visit {
  std::string key;
  std::int32_t amount = 0;
  freshet::timestamp at;
};
BOOST_DESCRIBE_STRUCT(visit, (), (key, amount, at))

struct note {
  std::int32_t amount = 0;
  std::string page;
  bool seen = false;
};
BOOST_DESCRIBE_STRUCT(note, (), (amount, page, seen))

struct total {
  std::int32_t sum = 0;
};
BOOST_DESCRIBE_STRUCT(total, (), (sum))

struct kept {
  freshet::value_state<note> last;
  freshet::list_state<note> recent;
  freshet::map_state<std::string, note> by_page;
};
BOOST_DESCRIBE_STRUCT(kept, (), (last, recent, by_page))

struct types {
  using visit = v1::visit;
  using note = v1::note;
  using total = v1::total;
  using kept = v1::kept;
};

inline std::string mark_of(const visit&) {
  return "web";
}

}  // namespace v1

namespace v2 {

struct visit {
  freshet::timestamp at;
  std::string key;
  std::int64_t amount = 0;
  std::string channel = "web";
};
BOOST_DESCRIBE_STRUCT(visit, (), (at, key, amount, channel))

struct note {
  std::string page;
  std::int64_t amount = 0;
  std::string author = "unknown";
};
BOOST_DESCRIBE_STRUCT(note, (), (page, amount, author))

struct total {
  std::uint32_t unused = 0;
  std::int64_t sum = 0;
};
BOOST_DESCRIBE_STRUCT(total, (), (unused, sum))

struct kept {
  freshet::map_state<std::string, note> by_page;
  freshet::list_state<note> recent;
  freshet::value_state<note> newest;  ///< Was called last.
  freshet::value_state<std::string> comment;
  static constexpr std::array former_names{freshet::former_name{"newest", "last"}};
};
BOOST_DESCRIBE_STRUCT(kept, (), (by_page, recent, newest, comment))

struct types {
  using visit = v2::visit;
  using note = v2::note;
  using total = v2::total;
  using kept = v2::kept;
};

inline std::string mark_of(const visit& of) {
  return of.channel;
}

}  // namespace v2

}  // namespace golden
