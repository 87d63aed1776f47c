// What values own, as metrics see it.
#include "catch.hpp"

#include <freshet/core/detail/owned_bytes.hpp>

#include <boost/describe/class.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using freshet::detail::bytes_of;
using freshet::detail::owned_bytes;

namespace {

struct fixed {
  std::int64_t a = 0;
  double b = 0;
};

struct named {
  std::string name;
  std::optional<std::string> alias;
  std::vector<std::int32_t> numbers;
};
BOOST_DESCRIBE_STRUCT(named, (), (name, alias, numbers))

struct derived : named {
  std::pair<std::string, int> more;
};
BOOST_DESCRIBE_STRUCT(derived, (named), (more))

/// Nobody knows what is in it.
struct closed {
  std::string hidden;
};

const std::string text(100, 'x');
constexpr std::uint64_t of_text = 101;  // With the zero at its end.

}  // namespace

TEST_CASE("values of fixed size and short strings own nothing", "[core][owned_bytes]") {
  CHECK(owned_bytes(7) == 0);
  CHECK(owned_bytes(fixed{}) == 0);
  CHECK(owned_bytes(std::string("short")) == 0);
  CHECK(owned_bytes(std::tuple(1, 2.0, std::string())) == 0);
  CHECK(owned_bytes(std::optional<std::string>()) == 0);
  CHECK(owned_bytes(std::vector<int>()) == 0);
}

TEST_CASE("strings own their text, containers their elements, each like the first",
          "[core][owned_bytes]") {
  CHECK(owned_bytes(text) == of_text);
  CHECK(owned_bytes(std::optional(text)) == of_text);
  CHECK(owned_bytes(std::pair(text, text)) == 2 * of_text);
  CHECK(owned_bytes(std::array{text, text, text}) == 3 * of_text);
  CHECK(owned_bytes(std::vector<std::int64_t>(5)) == 40);
  CHECK(owned_bytes(std::vector{text, std::string()}) == 2 * (sizeof(std::string) + of_text));
  CHECK(owned_bytes(std::map<int, int>{{1, 2}, {3, 4}}) == 16);
  CHECK(owned_bytes(std::vector<std::vector<char>>{{'a', 'b'}}) == sizeof(std::vector<char>) + 2);
}

TEST_CASE("what a string owns depends on its text, not on its spare room", "[core][owned_bytes]") {
  std::string roomy = "short";
  roomy.reserve(1000);
  CHECK(owned_bytes(roomy) == 0);
  CHECK(owned_bytes(roomy) == owned_bytes(std::string(roomy)));
}

TEST_CASE("described structs own what their members do, those of bases, too",
          "[core][owned_bytes]") {
  const named one{text, text, {1, 2, 3}};
  CHECK(owned_bytes(one) == 2 * of_text + 12);
  CHECK(owned_bytes(derived{one, {text, 1}}) == 3 * of_text + 12);
  CHECK(owned_bytes(closed{text}) == 0);
}

TEST_CASE("the first row of a batch stands for all", "[core][owned_bytes]") {
  freshet::batch<fixed> plain;
  CHECK(bytes_of(plain) == 0);
  plain.values.resize(10);
  CHECK(bytes_of(plain) == 10 * sizeof(fixed));
  freshet::batch<std::string> texts;
  texts.values = {text, "", ""};
  CHECK(bytes_of(texts) == 3 * (sizeof(std::string) + of_text));
  freshet::batch<bool> bits;
  bits.values = {true, false};
  CHECK(bytes_of(bits) == 2);
}
