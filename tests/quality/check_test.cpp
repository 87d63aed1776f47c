// Checks of single values.
#include <freshet/quality/check.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "catch.hpp"

namespace fr = freshet;

TEST_CASE("between includes both bounds, and compares by value whatever the types",
          "[quality][check]") {
  const auto check = fr::check::between(0, 1e6);
  CHECK(check.passes(0.0));
  CHECK(check.passes(-0.0));
  CHECK(check.passes(1e6));
  CHECK(check.passes(std::int64_t{1'000'000}));
  CHECK(!check.passes(std::nextafter(1e6, 2e6)));
  CHECK(!check.passes(-std::numeric_limits<double>::denorm_min()));
  CHECK(!check.passes(std::nan("")));
  CHECK(!check.passes(std::numeric_limits<double>::infinity()));
  CHECK(!check.passes(-1));
  CHECK(check.wanted() == "between 0 and 1000000");

  // Neither signs nor what double cannot hold get lost.
  CHECK(!fr::check::between(0, 10).passes(std::numeric_limits<std::uint64_t>::max()));
  CHECK(!fr::check::between(0U, 10U).passes(-1));
  const std::int64_t exact = (std::int64_t{1} << 53) + 1;
  CHECK(!fr::check::between(0, 0x1p53).passes(exact));
  CHECK(fr::check::between(0, 0x1p53).passes(exact - 1));

  CHECK(fr::check::between("b", "d").passes(std::string("c")));
  CHECK(!fr::check::between("b", "d").passes(std::string("da")));
}

TEST_CASE("one_of takes texts and numbers, and satisfying any function", "[quality][check]") {
  const auto currency = fr::check::one_of({"EUR", "USD"});
  CHECK(currency.passes(std::string("USD")));
  CHECK(!currency.passes(std::string("usd")));
  CHECK(currency.wanted() == "one of 'EUR', 'USD'");
  CHECK(fr::check::one_of({1, 2, -1}).passes(std::int8_t{-1}));
  CHECK(!fr::check::one_of({1, 2, -1}).passes(std::uint32_t{0xffffffff}));
  const auto even = fr::check::satisfying("an even number", [](int v) { return v % 2 == 0; });
  CHECK(even.passes(4));
  CHECK(!even.passes(5));
  CHECK(even.wanted() == "an even number");
}

TEST_CASE("not_null refuses NaN and nothing else that is there", "[quality][check]") {
  CHECK(!fr::check::not_null().passes(std::nan("")));
  CHECK(!fr::check::not_null().passes(std::nanf("")));
  CHECK(fr::check::not_null().passes(std::numeric_limits<double>::infinity()));
  CHECK(fr::check::not_null().passes(0));
  CHECK(fr::check::not_null().passes(std::string()));
}
