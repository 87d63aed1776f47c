// Tests of aggregate/aggregate.hpp with aggregates as an application would write them.
#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/basic.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>

namespace fr = freshet;
using namespace freshet::test;

namespace {

// The longest label; of several, the one first in the alphabet.
struct longest_label {
  struct state {
    std::string longest;
  };

  std::string name;

  void add(state& to, const reading& row) const { keep(to, row.label); }
  void merge(state& into, const state& from) const { keep(into, from.longest); }
  std::string result(const state& of) const { return of.longest; }

  static void keep(state& in, const std::string& label) {
    const bool longer = label.size() > in.longest.size();
    if (longer || (label.size() == in.longest.size() && label < in.longest)) in.longest = label;
  }
};
BOOST_DESCRIBE_STRUCT(longest_label::state, (), (longest))

// The time between the first and the last row, with a state that depends on the row type.
struct activity {
  template <class T>
  struct kept {
    std::optional<fr::timestamp> from;
    std::optional<fr::timestamp> until;
    BOOST_DESCRIBE_CLASS(kept, (), (from, until), (), ())
  };
  template <class T>
  using state_for = kept<T>;

  std::string name;

  template <class T>
  void add(kept<T>& to, const T&, const fr::order_key& key) const {
    merge(to, kept<T>{key.at, key.at});
  }
  template <class T>
  void merge(kept<T>& into, const kept<T>& from) const {
    if (!from.from) return;
    into.from = into.from ? std::min(*into.from, *from.from) : *from.from;
    into.until = into.until ? std::max(*into.until, *from.until) : *from.until;
  }
  template <class T>
  fr::duration result(const kept<T>& of) const {
    return of.from ? fr::saturating_between(*of.from, *of.until) : fr::duration{0};
  }
};

struct without_merge {
  using state = longest_label::state;
  std::string name;
  void add(state&, const reading&) const {}
  int result(const state&) const { return 0; }
};

struct changes_itself {
  using state = longest_label::state;
  std::string name;
  void add(state&, const reading&) {}
  void merge(state&, const state&) const {}
  int result(const state&) const { return 0; }
};

struct undescribed_state {
  struct state {
    int rows = 0;
  };
  std::string name;
  void add(state&, const reading&) const {}
  void merge(state&, const state&) const {}
  int result(const state&) const { return 0; }
};

struct without_name {
  using state = longest_label::state;
  void add(state&, const reading&) const {}
  void merge(state&, const state&) const {}
  int result(const state&) const { return 0; }
};

}  // namespace

TEST_CASE("an application's aggregate is recognised by its members", "[aggregate]") {
  STATIC_REQUIRE(fr::aggregate_of<longest_label, reading>);
  STATIC_REQUIRE(fr::aggregate_of<activity, reading>);
  STATIC_REQUIRE(fr::require_aggregate<activity, int>());
  STATIC_REQUIRE(std::is_same_v<fr::aggregate_state<longest_label, reading>, longest_label::state>);
  STATIC_REQUIRE(std::is_same_v<fr::aggregate_state<activity, int>, activity::kept<int>>);
  STATIC_REQUIRE(std::is_same_v<fr::aggregate_result<activity, int>, fr::duration>);
}

TEST_CASE("what lacks a part of an aggregate is none", "[aggregate]") {
  STATIC_REQUIRE_FALSE(fr::aggregate_of<longest_label, int>);  // It adds rows of another type.
  STATIC_REQUIRE_FALSE(fr::aggregate_of<without_merge, reading>);
  STATIC_REQUIRE_FALSE(fr::aggregate_of<changes_itself, reading>);
  STATIC_REQUIRE_FALSE(fr::aggregate_of<undescribed_state, reading>);
  STATIC_REQUIRE_FALSE(fr::aggregate_of<without_name, reading>);
}

TEST_CASE("aggregate_add passes the order key on to those who ask for it", "[aggregate]") {
  REQUIRE(result_of(activity{"active"}, std::vector<reading>(5)) == fr::duration{4});
  std::vector<reading> rows(3);
  rows[0].label = "wren";
  rows[1].label = "magpie";
  rows[2].label = "dunnock";
  REQUIRE(result_of(longest_label{"longest"}, rows) == "dunnock");
}

TEST_CASE("an application's aggregates can keep the aggregate contract", "[aggregate][contract]") {
  REQUIRE_NOTHROW(fr::check_aggregate(longest_label{"longest"}, draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(activity{"active"}, draw_reading));
}

TEST_CASE("the aggregates that need a number tell numbers from characters", "[aggregate]") {
  STATIC_REQUIRE(fr::summable<bool>);
  STATIC_REQUIRE(fr::summable<signed char>);
  STATIC_REQUIRE(fr::summable<unsigned long long>);
  STATIC_REQUIRE(fr::summable<float>);
  STATIC_REQUIRE_FALSE(fr::summable<char>);
  STATIC_REQUIRE_FALSE(fr::summable<long double>);
  STATIC_REQUIRE_FALSE(fr::summable<std::string>);
}
