#include "catch.hpp"

#include <guard.hpp>

#include <sstream>
#include <string>

using namespace kernels;

namespace {

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

std::string refusal(const std::string& text) {
  std::istringstream in(text);
  baseline unused;
  return read_baseline(in, unused);
}

}  // namespace

TEST_CASE("more than 5 % more instructions fail, with the figure", "[suite][guard]") {
  const counts known{{"tumbling", 100}, {"session", 200}};
  CHECK(judge({{"tumbling", 104.9}, {"session", 191}}, known).holds);
  const verdict found = judge({{"tumbling", 105.2}, {"session", 200}}, known);
  CHECK(!found.holds);
  CHECK(says(found.text, "105.20 instructions per event, baseline 100.00, +5.2 %"));
  CHECK(says(found.text, "--update"));
}

TEST_CASE("fewer instructions ask for a new baseline", "[suite][guard]") {
  const verdict found = judge({{"tumbling", 94}}, {{"tumbling", 100}});
  CHECK(found.holds);
  CHECK(says(found.text, "cheaper than the baseline"));
}

TEST_CASE("kernels of one side only fail", "[suite][guard]") {
  CHECK(!judge({{"tumbling", 100}, {"new", 1}}, {{"tumbling", 100}}).holds);
  CHECK(!judge({{"tumbling", 100}}, {{"tumbling", 100}, {"old", 1}}).holds);
}

TEST_CASE("a baseline comes back from its text", "[suite][guard]") {
  const baseline known{"12.2.0", {{"tumbling", 81.25}, {"session", 120.5}}};
  std::istringstream in(text_of(known));
  baseline read;
  CHECK(read_baseline(in, read).empty());
  CHECK(read.compiler == "12.2.0");
  CHECK(read.of == known.of);
}

TEST_CASE("a baseline that makes no sense is refused", "[suite][guard]") {
  CHECK(says(refusal(""), "no line 'compiler VERSION'"));
  CHECK(says(refusal("compiler 12\n"), "no kernel"));
  CHECK(says(refusal("compiler 12\ntumbling\n"), "line 2: found 'tumbling'"));
  CHECK(says(refusal("compiler 12\ntumbling -1\n"), "line 2"));
  CHECK(says(refusal("compiler 12\ntumbling 1 2\n"), "line 2"));
  CHECK(says(refusal("compiler 12\na 1\na 2\n"), "'a' is there twice"));
}

TEST_CASE("totals are read from callgrind's files", "[suite][guard]") {
  std::istringstream good(
      "# callgrind format\nversion: 1\ndesc: Trigger: Client Request: tumbling 60000\n"
      "events: Ir\n1 2\n\ntotals: 123456\n");
  const auto found = read_dump(good);
  REQUIRE(found);
  CHECK(found->trigger == "tumbling 60000");
  CHECK(found->total == 123456);
  std::istringstream at_end("desc: Trigger: Program termination\ntotals: 5\n");
  CHECK(!read_dump(at_end));
  std::istringstream cut("desc: Trigger: Client Request: tumbling 60000\n1 2\n");
  CHECK(!read_dump(cut));
}
