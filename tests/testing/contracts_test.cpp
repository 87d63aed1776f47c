// The contracts must catch what is wrong: assigners and aggregates with one fault each.
#include "catch.hpp"

#include <freshet/testing/contracts.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// --- Assigners -----------------------------------------------------------------------------------

using assign_function = void (*)(fr::timestamp, std::vector<fr::window_span>&);

// An assigner that does what it is told.
template <bool Merges>
struct scripted {
  assign_function assign_spans;
  std::string description = "scripted";
  std::string fault = {};

  static constexpr bool merges = Merges;
  void assign(fr::timestamp at, std::vector<fr::window_span>& out) const { assign_spans(at, out); }
  std::string describe() const { return description; }
  std::string check() const { return fault; }
};

template <bool Merges = false>
std::string window_violation(assign_function assign) {
  try {
    fr::check_window_assigner(scripted<Merges>{assign});
  } catch (const fr::contract_violation& violation) {
    return violation.what();
  }
  return "none";
}

// One that says that its spans part time among them.
struct scripted_partition : scripted<false> {
  static constexpr bool partitions = true;
};

std::string partition_violation(assign_function assign) {
  try {
    fr::check_window_assigner(scripted_partition{{assign}});
  } catch (const fr::contract_violation& violation) {
    return violation.what();
  }
  return "none";
}

// One whose spans are as long as the record says.
template <bool Merges>
struct by_length {
  static constexpr bool merges = Merges;
  fr::duration reach{0};

  void assign(fr::timestamp at, const fr::duration& length,
              std::vector<fr::window_span>& out) const {
    if (length <= fr::duration::zero()) return;
    out.push_back({fr::saturating_subtract(at, reach), fr::saturating_add(at, length)});
  }
  std::string describe() const { return "by length"; }
  std::string check() const { return {}; }
};

template <class Assigner>
std::string record_violation(const Assigner& assigner) {
  try {
    fr::check_window_assigner(assigner, [](fr::contract_random& random) {
      return fr::duration{static_cast<std::int64_t>(random() % 10) - 2};
    });
  } catch (const fr::contract_violation& violation) {
    return violation.what();
  }
  return "none";
}

constexpr fr::tumbling minutes(1min);

// --- Aggregates ----------------------------------------------------------------------------------

struct total {
  mutable double sum = 0;  // One of the aggregates below takes it from a const state.
  std::int64_t rows = 0;
};
BOOST_DESCRIBE_STRUCT(total, (), (sum, rows))

using add_function = void (*)(total&, double, const fr::order_key&);
using merge_function = void (*)(total&, const total&);

// An aggregate that does what it is told.
struct scripted_aggregate {
  using state = total;
  add_function add_row = [](total& to, double value, const fr::order_key&) {
    to.sum += value;
    ++to.rows;
  };
  merge_function merge_states = [](total& into, const total& from) {
    into.sum += from.sum;
    into.rows += from.rows;
  };
  double (*result_from)(const total&) = [](const total& of) { return of.sum; };
  std::string name = "scripted";

  void add(state& to, double value, const fr::order_key& key) const { add_row(to, value, key); }
  void merge(state& into, const state& from) const { merge_states(into, from); }
  double result(const state& of) const { return result_from(of); }
};

// A sum that takes back `factor` times what was added.
struct subtracting_aggregate {
  using state = total;
  std::string name = "subtracting";
  double factor = 1;

  void add(state& to, double value) const { to.sum += value; }
  void subtract(state& from, double value) const { from.sum -= factor * value; }
  void merge(state& into, const state& from) const { into.sum += from.sum; }
  double result(const state& of) const { return of.sum; }
};

double draw_integer(fr::contract_random& random) {
  return static_cast<double>(random() % 1000);
}
double draw_fraction(fr::contract_random& random) {
  return std::ldexp(static_cast<double>(random() >> 11), -53);
}

template <class A>
std::string aggregate_violation(const A& aggregate,
                                double (*draw)(fr::contract_random&) = draw_integer,
                                fr::aggregate_contract_options options = {}) {
  try {
    fr::check_aggregate(aggregate, draw, options);
  } catch (const fr::contract_violation& violation) {
    return violation.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("the window contract accepts an assigner without fault", "[contract][window]") {
  REQUIRE(window_violation([](fr::timestamp at, auto& out) { minutes.assign(at, out); }) == "none");
  REQUIRE(window_violation([](fr::timestamp, std::vector<fr::window_span>&) {}) == "none");
}

TEST_CASE("the window contract names the assigner, the case, and the seed", "[contract][window]") {
  const scripted<false> wrong{[](fr::timestamp at, auto& out) { out.push_back({at, at}); },
                              "my windows"};
  REQUIRE_THROWS_WITH(fr::check_window_assigner(wrong, {.seed = 77}),
                      Contains("window assigner 'my windows', case ") && Contains("seed 77"));
}

TEST_CASE("the window contract refuses spans that do not hold their event time",
          "[contract][window]") {
  // Truncating instead of flooring, wrong before the epoch only.
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 const auto begin =
                     fr::timestamp{at.time_since_epoch() / 1min * fr::duration(1min)};
                 out.push_back({begin, fr::saturating_add(begin, 1min)});
               }),
               Contains("wanted begin <= at < end"));
  // Closed at the end instead of open.
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 const auto before = fr::saturating_subtract(at, 1us);
                 out.push_back({minutes.span_of(before).begin, minutes.span_of(before).end});
               }),
               Contains("wanted begin <= at < end"));
}

TEST_CASE("the window contract refuses spans whose end moves when their begin saturates",
          "[contract][window]") {
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 const auto begin = minutes.span_of(at).begin;
                 out.push_back({begin, fr::saturating_add(begin, 1min)});
               }),
               Contains("is missing for"));
}

TEST_CASE("the window contract refuses spans aligned to the record", "[contract][window]") {
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 out.push_back({at, fr::saturating_add(at, 1min)});
               }),
               Contains("is missing for"));
}

TEST_CASE("the window contract refuses a sliding assigner that forgets a span",
          "[contract][window]") {
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 fr::sliding(3min, 1min).assign(at, out);
                 if (out.back().end.time_since_epoch() % 7min == 0min) out.pop_back();
               }),
               Contains("is missing for"));
}

TEST_CASE("the window contract refuses a span given twice", "[contract][window]") {
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 minutes.assign(at, out);
                 minutes.assign(at, out);
               }),
               Contains("wanted each span once"));
}

TEST_CASE("the window contract refuses an assigner that does not append", "[contract][window]") {
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 out.clear();
                 minutes.assign(at, out);
               }),
               Contains("wanted assign to append"));
}

TEST_CASE("the window contract refuses spans that depend on more than the event time",
          "[contract][window]") {
  REQUIRE_THAT(window_violation([](fr::timestamp at, auto& out) {
                 static int calls = 0;
                 if (++calls % 50 != 0) minutes.assign(at, out);
               }),
               Contains("asked again") || Contains("is missing for"));
}

TEST_CASE("the window contract refuses a merging assigner without exactly one span",
          "[contract][window]") {
  REQUIRE_THAT(window_violation<true>([](fr::timestamp, std::vector<fr::window_span>&) {}),
               Contains("wanted exactly one"));
  REQUIRE_THAT(window_violation<true>(
                   [](fr::timestamp at, auto& out) { fr::sliding(2min, 1min).assign(at, out); }),
               Contains("wanted exactly one"));
}

TEST_CASE("the window contract refuses a merging span that reaches back over one that has ended",
          "[contract][window]") {
  REQUIRE(window_violation<true>([](fr::timestamp at, auto& out) {
            out.push_back({at, fr::saturating_add(at, 1min)});
          }) == "none");
  // Aligned spans reach back to their begin, and never over the end of the one before.
  REQUIRE(window_violation<true>([](fr::timestamp at, auto& out) { minutes.assign(at, out); }) ==
          "none");
  REQUIRE_THAT(window_violation<true>([](fr::timestamp at, auto& out) {
                 out.push_back({fr::saturating_subtract(at, 1s), fr::saturating_add(at, 1min)});
               }),
               Contains("wanted a span that does not reach back over"));
}

TEST_CASE("the window contract refuses partitions with gaps, overlaps, or no span",
          "[contract][window]") {
  REQUIRE(partition_violation([](fr::timestamp at, auto& out) { minutes.assign(at, out); }) ==
          "none");
  REQUIRE_THAT(partition_violation(
                   [](fr::timestamp at, auto& out) { fr::sliding(2min, 1min).assign(at, out); }),
               Contains("wanted exactly one, because the assigner says that it partitions time"));
  REQUIRE_THAT(partition_violation(
                   [](fr::timestamp at, auto& out) { fr::sliding(1min, 2min).assign(at, out); }),
               Contains("wanted exactly one, because the assigner says that it partitions time"));
}

TEST_CASE("the window contract tries assigners that see the record with records",
          "[contract][window]") {
  REQUIRE(record_violation(by_length<true>{}) == "none");
  REQUIRE_THAT(record_violation(by_length<true>{1us}), Contains("reach back over"));
  REQUIRE_THAT(record_violation(by_length<false>{}), Contains("is missing for"));
}

TEST_CASE("the window contract refuses unusable parameters and an empty description",
          "[contract][window]") {
  scripted<false> assigner{[](fr::timestamp at, auto& out) { minutes.assign(at, out); }};
  assigner.fault = "size 0s is not positive";
  REQUIRE_THROWS_WITH(fr::check_window_assigner(assigner), Contains("size 0s is not positive"));
  assigner.fault.clear();
  assigner.description.clear();
  REQUIRE_THROWS_WITH(fr::check_window_assigner(assigner), Contains("describe() gave nothing"));
}

TEST_CASE("the aggregate contract accepts an aggregate without fault", "[contract][aggregate]") {
  REQUIRE(aggregate_violation(scripted_aggregate{}) == "none");
}

TEST_CASE("the aggregate contract names the aggregate, the case, and the seed",
          "[contract][aggregate]") {
  scripted_aggregate wrong;
  wrong.merge_states = [](total&, const total&) {};
  REQUIRE_THROWS_WITH(fr::check_aggregate(wrong, draw_integer, {.seed = 78}),
                      Contains("aggregate 'scripted', case ") && Contains("seed 78"));
}

TEST_CASE("the aggregate contract refuses a subtract that does not undo add",
          "[contract][aggregate]") {
  subtracting_aggregate aggregate;
  REQUIRE(aggregate_violation(aggregate) == "none");
  aggregate.factor = 2;
  REQUIRE_THAT(aggregate_violation(aggregate), Contains("taking rows back"));
  REQUIRE(aggregate_violation(aggregate, draw_integer, {.subtract = false}) == "none");
}

TEST_CASE("the aggregate contract refuses results that depend on arrival",
          "[contract][aggregate]") {
  scripted_aggregate last_to_arrive;
  last_to_arrive.add_row = [](total& to, double value, const fr::order_key&) { to.sum = value; };
  REQUIRE_THAT(aggregate_violation(last_to_arrive), Contains("adding the rows in another order"));
}

TEST_CASE("the aggregate contract refuses a merge that disagrees with add",
          "[contract][aggregate]") {
  scripted_aggregate mean;  // The mean of means.
  mean.result_from = [](const total& of) { return of.rows == 0 ? 0 : of.sum; };
  mean.add_row = [](total& to, double value, const fr::order_key&) {
    to.sum = (to.sum * static_cast<double>(to.rows) + value) / static_cast<double>(to.rows + 1);
    ++to.rows;
  };
  mean.merge_states = [](total& into, const total& from) {
    if (from.rows == 0) return;
    into.sum = into.rows == 0 ? from.sum : (into.sum + from.sum) / 2;
    into.rows += from.rows;
  };
  REQUIRE_THAT(aggregate_violation(mean, draw_integer, {.tolerance = 1e-9}),
               Contains("merging partial states gave"));
}

TEST_CASE("the aggregate contract refuses a merge that is not commutative",
          "[contract][aggregate]") {
  scripted_aggregate largest;  // But of two states the one merged last.
  largest.add_row = [](total& to, double value, const fr::order_key&) {
    to.sum = to.rows++ == 0 ? value : std::fmax(to.sum, value);
  };
  largest.merge_states = [](total& into, const total& from) {
    if (from.rows > 0) into = from;
  };
  REQUIRE_THAT(aggregate_violation(largest), Contains("merging partial states gave"));
}

TEST_CASE("the aggregate contract refuses a default state that is not neutral",
          "[contract][aggregate]") {
  scripted_aggregate smallest;  // 0 stands for nothing, and is smaller than all values.
  smallest.add_row = [](total& to, double value, const fr::order_key&) {
    to.sum = to.rows++ == 0 ? value : std::fmin(to.sum, value);
  };
  smallest.merge_states = [](total& into, const total& from) {
    into.sum = std::fmin(into.sum, from.sum);
    into.rows += from.rows;
  };
  REQUIRE_THAT(aggregate_violation(smallest), Contains("merging no rows into the state"));
}

TEST_CASE("the aggregate contract refuses a state that shares what it merges",
          "[contract][aggregate]") {
  scripted_aggregate thief;
  thief.merge_states = [](total& into, const total& from) {
    into.sum += from.sum;
    from.sum = 0;  // As a state that shares a pointer might.
  };
  REQUIRE_THAT(aggregate_violation(thief), Contains("changed the state it merged from"));
}

TEST_CASE("the aggregate contract refuses rounding that was not declared",
          "[contract][aggregate]") {
  REQUIRE(aggregate_violation(scripted_aggregate{}, draw_fraction, {.tolerance = 1e-12}) == "none");
  REQUIRE_THAT(aggregate_violation(scripted_aggregate{}, draw_fraction),
               Contains("in another order"));
}

namespace {

// Its bytes leave the sum out.
struct forgetful {
  double sum = 0;
};

struct forgetful_aggregate {
  using state = forgetful;
  std::string name = "forgetful";
  void add(state& to, double value) const { to.sum += value; }
  void merge(state& into, const state& from) const { into.sum += from.sum; }
  double result(const state& of) const { return of.sum; }
};

}  // namespace

template <>
struct freshet::codec<forgetful> {
  static void encode(byte_writer& writer, const forgetful&) { writer.write_byte(0); }
  static bool decode(byte_reader& reader, forgetful& value) {
    std::uint8_t byte = 0;
    value = {};
    return reader.read_byte(byte);
  }
  static std::string format() { return "forgetful"; }
};

TEST_CASE("the aggregate contract refuses a state that its bytes do not hold",
          "[contract][aggregate]") {
  REQUIRE_THAT(aggregate_violation(forgetful_aggregate{}), Contains("restored from its bytes"));
}

TEST_CASE("the same seed draws the same cases", "[contract]") {
  scripted_aggregate wrong;
  wrong.merge_states = [](total&, const total&) {};
  REQUIRE(aggregate_violation(wrong, draw_integer, {.seed = 5}) ==
          aggregate_violation(wrong, draw_integer, {.seed = 5}));
}
