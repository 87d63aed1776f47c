// Lines as rows, read and written.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/lines.hpp>
#include <freshet/testing/sink_contract.hpp>
#include <freshet/testing/source_contract.hpp>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using csv_test::read_split;
using csv_test::temporary_folder;

namespace {

using texts = std::vector<std::string>;

/// The lines of `text`, found one byte at a time.
texts naive_lines(const std::string& text) {
  texts all;
  std::string line;
  for (const char byte : text + (text.empty() || text.ends_with('\n') ? "" : "\n")) {
    if (byte != '\n') {
      line += byte;
      continue;
    }
    if (line.ends_with('\r')) line.pop_back();
    all.push_back(std::exchange(line, {}));
  }
  return all;
}

}  // namespace

TEST_CASE("lines are what stands between line ends, in every block size", "[connectors][lines]") {
  const temporary_folder folder;
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (std::uint64_t left = random() % 60; left > 0; --left) text += "\n\r\0a "[random() % 5];
    const auto all = read_split(fr::lines::read(
        folder.file("a", text), {.record_bytes_max = 64, .block_bytes = 1 + random() % 70}));
    REQUIRE(all.status.ok());
    REQUIRE(all.dead.empty());
    REQUIRE(all.rows == naive_lines(text));
  }
}

TEST_CASE("a line that is too long is a dead letter of its beginning", "[connectors][lines]") {
  const temporary_folder folder;
  const std::string path = folder.file("a", "one\n" + std::string(64, 'x') + "\ntwo");
  const auto all = read_split(fr::lines::read(path, {.record_bytes_max = 64}));
  CHECK(all.rows == texts{"one", "two"});
  REQUIRE(all.dead.size() == 1);
  CHECK((all.dead[0].reason == "longer than 64 bytes" && all.dead[0].line == 2));
  CHECK_THROWS_AS(fr::lines::read("a", {.record_bytes_max = 0}), std::invalid_argument);
}

TEST_CASE("lines keep the contracts of sources and sinks", "[connectors][lines][contract]") {
  const temporary_folder folder;
  std::string text;
  for (int line = 0; line < 150; ++line)
    text += std::string(static_cast<std::size_t>(line * 7 % 90), 'y') + "\n";
  fr::check_source(fr::lines::read({folder.file("a", text), folder.file("b", "\r\nx")},
                                   {.record_bytes_max = 70, .block_bytes = 16}));
  int round = 0;
  const auto make_place = [&] {
    const std::string path = folder / ("out" + std::to_string(++round));
    return fr::sink_place<std::string>{
        .open = [path] { return fr::lines::write(path).open<std::string>({}); },
        .published =
            [path] {
              return std::filesystem::exists(path) ? read_split(fr::lines::read(path)).rows
                                                   : texts();
            }};
  };
  fr::check_sink<std::string>(make_place, {"a", "", "c", "d"}, {.at_end_only = true});
}
