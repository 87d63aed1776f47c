// Fields of described structs: names, order, types, access; and plain aggregates by position.
#include <freshet/core/fields.hpp>

#include "catch.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fr = freshet;

namespace {

struct event {
  std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(event, (), (at))

struct payment : event {
  std::string card;
  double amount = 0;
  const bool fraud = false;
  int counter = 0;  // Left out of the description on purpose.
  void double_amount() { amount *= 2; }
  static inline int total = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (event), (card, amount, fraud, double_amount, total))

class account {
 public:
  std::string owner;

 private:
  int balance_ = 0;
  BOOST_DESCRIBE_CLASS(account, (), (owner), (), (balance_))
};

struct renamed_base : event {
  std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(renamed_base, (event), (at))

template <class T>
struct labelled {
  std::string label;
  T value;
  BOOST_DESCRIBE_CLASS(labelled, (), (label, value), (), ())
};

struct nothing {};
BOOST_DESCRIBE_STRUCT(nothing, (), ())

struct undescribed_base {
  int hidden;
};
struct on_undescribed : undescribed_base {
  int shown;
};
BOOST_DESCRIBE_STRUCT(on_undescribed, (undescribed_base), (shown))

struct row {
  int number = 0;
  std::string text;
};

std::vector<std::string_view> names_of(const auto& names) {
  return {names.begin(), names.end()};
}

using names = std::vector<std::string_view>;

}  // namespace

TEST_CASE("fields are the bases' members, then the struct's own", "[core][fields]") {
  CHECK(names_of(fr::field_names<payment>()) == names{"at", "card", "amount", "fraud"});
  CHECK(names_of(fr::field_names<const payment>()) == names{"at", "card", "amount", "fraud"});
  STATIC_REQUIRE(fr::field_count<payment> == 4);
  STATIC_REQUIRE(fr::field_name<payment, 1> == "card");
  STATIC_REQUIRE(std::is_same_v<fr::field_t<payment, 0>, std::int64_t>);
  STATIC_REQUIRE(std::is_same_v<fr::field_t<payment, 3>, const bool>);
}

TEST_CASE("fields leave out private and hidden members", "[core][fields]") {
  CHECK(names_of(fr::field_names<account>()) == names{"owner"});
  CHECK(names_of(fr::field_names<renamed_base>()) == names{"at"});
  renamed_base value;
  fr::field<0>(value) = 5;
  CHECK(value.at == 5);
  CHECK(value.event::at == 0);
}

TEST_CASE("fields of a template and of an empty struct are known", "[core][fields]") {
  CHECK(names_of(fr::field_names<labelled<int>>()) == names{"label", "value"});
  STATIC_REQUIRE(std::is_same_v<fr::field_t<labelled<float>, 1>, float>);
  STATIC_REQUIRE(fr::field_count<nothing> == 0);
  STATIC_REQUIRE(fr::field_names<nothing>().empty());
}

TEST_CASE("fields need a described class with described bases", "[core][fields]") {
  STATIC_REQUIRE(fr::described<payment>);
  STATIC_REQUIRE(fr::described<const payment>);
  STATIC_REQUIRE_FALSE(fr::described<row>);
  STATIC_REQUIRE_FALSE(fr::described<on_undescribed>);
  STATIC_REQUIRE_FALSE(fr::described<int>);
  STATIC_REQUIRE_FALSE(fr::described<payment&>);
  STATIC_REQUIRE_FALSE(fr::described<std::string>);
}

TEST_CASE("for_each_field visits references in order", "[core][fields]") {
  payment value{{7}, "a", 2.5, true, 9};
  std::string seen;
  fr::for_each_field(value, [&](std::string_view name, auto& member) {
    seen.append(name).append(" ");
    if constexpr (std::is_same_v<decltype(member), double&>) member = 4;
  });
  CHECK(seen == "at card amount fraud ");
  CHECK(value.amount == 4);
  const payment& constant = value;
  fr::for_each_field(constant, [](std::string_view, auto& member) {
    STATIC_REQUIRE(std::is_const_v<std::remove_reference_t<decltype(member)>>);
  });
}

TEST_CASE("for_each_field_type visits types before there is a value", "[core][fields]") {
  std::string numbers;
  fr::for_each_field_type<payment>([&]<class T>(std::string_view name, std::type_identity<T>) {
    if (std::is_arithmetic_v<T>) numbers.append(name).append(" ");
  });
  CHECK(numbers == "at amount fraud ");
}

TEST_CASE("field gives the member itself", "[core][fields]") {
  payment value;
  CHECK(&fr::field<1>(value) == &value.card);
  const payment& constant = value;
  CHECK(&fr::field<2>(constant) == &constant.amount);
  STATIC_REQUIRE(std::is_same_v<decltype(fr::field<1>(constant)), const std::string&>);
}

TEST_CASE("member_name finds described members only", "[core][fields]") {
  STATIC_REQUIRE(fr::member_name(&payment::card) == "card");
  CHECK(fr::member_name(&payment::amount) == "amount");
  CHECK(fr::member_name(&payment::fraud) == "fraud");
  CHECK(fr::member_name(&payment::at) == "at");  // An `std::int64_t event::*`.
  CHECK(fr::member_name(static_cast<std::int64_t payment::*>(&payment::at)) == "at");
  CHECK(fr::member_name(&payment::counter).empty());
  CHECK(fr::member_name(&payment::double_amount).empty());
  CHECK(fr::member_name(&row::number).empty());
  CHECK(fr::member_name(static_cast<std::string payment::*>(nullptr)).empty());
}

TEST_CASE("member_name tells members of one type apart", "[core][fields]") {
  const std::array<std::int64_t renamed_base::*, 2> both{&renamed_base::at, &event::at};
  CHECK(fr::member_name(both[0]) == "at");
  CHECK(fr::member_name(both[1]).empty());  // The base's, which is hidden.
}

TEST_CASE("transient fields are reached by position", "[core][fields]") {
  row value{3, "three"};
  STATIC_REQUIRE(fr::transient_aggregate<row>);
  STATIC_REQUIRE(fr::transient_field_count<row> == 2);
  CHECK(&fr::transient_field<1>(value) == &value.text);
  std::vector<std::size_t> sizes;
  fr::for_each_transient_field(value, [&](std::size_t index, auto& member) {
    sizes.push_back(index);
    if constexpr (std::is_same_v<decltype(member), int&>) member = 4;
  });
  CHECK(sizes == std::vector<std::size_t>{0, 1});
  CHECK(value.number == 4);
  const row& constant = value;
  STATIC_REQUIRE(std::is_same_v<decltype(fr::transient_field<0>(constant)), const int&>);
}

TEST_CASE("transient fields are for undescribed aggregates", "[core][fields]") {
  STATIC_REQUIRE_FALSE(fr::transient_aggregate<event>);
  STATIC_REQUIRE_FALSE(fr::transient_aggregate<int>);
  STATIC_REQUIRE_FALSE(fr::transient_aggregate<std::string>);
  STATIC_REQUIRE_FALSE((fr::transient_aggregate<std::array<int, 2>>));
}
