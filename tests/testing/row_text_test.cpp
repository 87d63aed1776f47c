// Rows as text: what every kind of cell looks like.
#include "pipeline/support.hpp"

#include <freshet/pipeline/window_row.hpp>
#include <freshet/testing/row_text.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

enum class colour { red, green };
struct opaque {};

}  // namespace

TEST_CASE("cells of every kind have a text", "[testing][row_text]") {
  REQUIRE(frt::row_text(7) == "7");
  REQUIRE(frt::row_text(true) == "true");
  REQUIRE(frt::row_text(0.1) == "0.1");
  REQUIRE(frt::row_text(colour::green) == "1");
  REQUIRE(frt::row_text(std::string("text")) == "text");
  REQUIRE(frt::row_text("text") == "text");
  REQUIRE(frt::row_text(tick(5)) == "5");
  REQUIRE(frt::row_text(fr::duration(5ms)) == "5000");
  REQUIRE(frt::row_text(std::optional<int>()) == "none");
  REQUIRE(frt::row_text(std::optional(3)) == "3");
  REQUIRE(frt::row_text(std::vector<int>{1, 2}) == "[1,2]");
  REQUIRE(frt::row_text(std::tuple(1, std::string("b"))) == "(1,b)");
  REQUIRE(frt::row_text(std::vector<event>{{"a", 1, tick(2)}}) == "[{a|1|2}]");
  REQUIRE(frt::row_text(opaque{}) == "?");
}

TEST_CASE("a row is its cells, and its event time if it is given", "[testing][row_text]") {
  REQUIRE(frt::row_text(event{"a", 1, tick(2)}) == "a|1|2");
  REQUIRE(frt::row_text(event{"", 1, tick(2)}) == "|1|2");
  REQUIRE(frt::row_text(event{"a", 1, tick(2)}, tick(-3)) == "a|1|2@-3");
  const fr::window_row<event, double> row{{"a", 1, tick(2)}, {tick(0), tick(10)}, {0.5}};
  REQUIRE(frt::row_text(row, tick(9)) == "a|1|2|0|10|0.5@9");
}
