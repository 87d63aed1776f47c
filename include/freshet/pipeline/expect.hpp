// expect: only records whose field is as expected go on; the others become dead letters.
//
//     const auto sane = payments | fr::expect(&payment::amount, fr::check::between(0, 1e6));
//     const auto known = sane | fr::expect(&payment::currency, fr::check::one_of({"EUR", "USD"}));
//     sane.dead() | fr::to("refused", fr::csv::write("refused.csv"));
//
// A dead letter names the field, its value and what was wanted: `amount is -3, wanted between 0 and
// 1000000`. Each check is an operator of its own, so that its counts are those of its
// `operator_metrics`: `records_in`, and `dead` for what was refused. Record-wise: no state, and
// `event_time` may stand below. The rows are a function of the records alone.
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/quality/check.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

template <class T, class P, class Check>
class expect_operator final : public unary_operator<T, T> {
 public:
  expect_operator(std::string field, P projection, Check check)
      : field_(std::move(field)), projection_(std::move(projection)), check_(std::move(check)) {}

  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return dead_;
  }

  void consume(batch<T>& rows) override {
    this->count_in(rows);
    batch<dead_letter> letters;
    std::size_t at = 0;
    try {
      rows.keep_rows([&](std::size_t row) {
        at = row;
        const auto& value = std::invoke(projection_, std::as_const(rows.values[row]));
        if (passes(value)) return true;
        const position& where = rows.positions[row];
        letters.values.push_back({this->context().place,
                                  {},
                                  where.sequence,
                                  0,
                                  field_ + " is " + text_of(value) + ", wanted " + check_.wanted(),
                                  {}});
        letters.positions.push_back(where);
        return false;
      });
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[at]);
    }
    operator_counters::add(this->context().counters->dead, letters.size());
    this->count_out(rows);
    this->out().emit(rows);
    dead_.emit(letters);
  }

 protected:
  void forward(const control& what) override {
    this->out().signal(what);
    dead_.signal(what);
  }

 private:
  template <class V>
  bool passes(const V& value) const {
    if constexpr (is_optional<V>) {
      if (!value) return !std::is_same_v<Check, not_null_check>;
      return check_.passes(*value);
    } else {
      return check_.passes(value);
    }
  }
  template <class V>
  static std::string text_of(const V& value) {
    if constexpr (is_optional<V>) {
      return value ? value_text(*value) : "null";
    } else {
      return value_text(value);
    }
  }

  std::string field_;
  P projection_;
  Check check_;
  outlet<dead_letter> dead_;
};

/// What is wrong with a check itself; empty for nothing.
template <class Check>
std::string check_the_check(const Check& check) {
  if constexpr (requires { check.low; }) {
    if (!not_less(check.high, check.low)) {
      return "nothing is " + check.wanted() + "; give the smaller bound first";
    }
  }
  if constexpr (requires { check.values.empty(); }) {
    if (check.values.empty()) return "nothing is one of no values; give at least one";
  }
  return {};
}

}  // namespace detail

/// Lets records pass whose `projection`, a function of the record, gives a value that passes
/// `check`. `field` is what dead letters call it. The stream's `dead()` has the others. Throws
/// `std::invalid_argument` for checks that nothing can pass.
template <class P, class Check>
auto expect(std::string field, P projection, Check check) {
  return [field = std::move(field), projection = std::move(projection),
          check = std::move(check)]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_v<const P&, const T&>,
                  "freshet: expect needs a member pointer or a function of one record");
    using value = typename detail::without_optional<
        std::remove_cvref_t<std::invoke_result_t<const P&, const T&>>>::type;
    static_assert(check_of<Check, value>,
                  "freshet: this check cannot judge values of the field's type; give bounds and "
                  "values of that type");
    if constexpr (check_of<Check, value>) {
      if (const std::string wrong = detail::check_the_check(check); !wrong.empty()) {
        throw std::invalid_argument("expect '" + field + "': " + wrong);
      }
      detail::node fresh;
      fresh.kind = "expect";
      fresh.name = field + " " + check.wanted();
      fresh.record_wise = true;
      fresh.timed = upstream.graph()->timed(upstream.from());
      fresh.inputs = {upstream.from()};
      fresh.make = [field, projection, check] {
        return std::make_unique<detail::expect_operator<T, P, Check>>(field, projection, check);
      };
      const detail::node_id id = upstream.graph()->add(std::move(fresh));
      return checked_stream<T>(upstream.graph(), {id, 0}, upstream.columns());
    }
  };
}

/// The same for a member, under its own name. Throws `std::invalid_argument` also for a member
/// that is not described.
template <class Record, class V, class Check>
  requires std::is_object_v<V>
auto expect(V Record::* member, Check check) {
  std::string field(member_name(member));
  if (field.empty()) {
    throw std::invalid_argument(
        "expect: the member has no name; describe its struct with BOOST_DESCRIBE_STRUCT, or give "
        "the name first: expect(\"name\", member, check)");
  }
  return expect(std::move(field), member, std::move(check));
}

}  // namespace freshet
