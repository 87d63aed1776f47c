// What `jsonl::write` writes, and that it is published exactly once.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/jsonl.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/testing/sink_contract.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fr = freshet;
using csv_test::content;
using csv_test::temporary_folder;
using namespace std::chrono_literals;

namespace {

enum class colour { red = 1 };

struct inner {
  int x = 0;
  std::optional<int> y;
  bool operator==(const inner&) const = default;
};
BOOST_DESCRIBE_STRUCT(inner, (), (x, y))

struct wide {
  std::uint64_t big = std::numeric_limits<std::uint64_t>::max();
  double price = 0.1;
  float ratio = 0.1F;
  bool paid = true;
  char letter = 'x';
  colour shade = colour::red;
  std::string text;
  fr::timestamp at{};
  fr::duration lasted = 90min;
  inner nested;
  std::optional<inner> maybe;
  std::vector<inner> several = {{1, 2}, {3, {}}};
  std::vector<bool> bits = {true, false};
};
BOOST_DESCRIBE_STRUCT(wide, (),
                      (big, price, ratio, paid, letter, shade, text, at, lasted, nested, maybe,
                       several, bits))

template <class T>
std::string written(const std::vector<T>& rows, fr::jsonl::write_options options = {},
                    const std::vector<std::string>& columns = {}) {
  const temporary_folder folder;
  auto sink = fr::jsonl::write(folder / "out.jsonl", options).open<T>(columns).value();
  fr::batch<T> batch;
  batch.values = rows;
  REQUIRE(sink->start(std::nullopt).ok());
  REQUIRE(sink->write(batch).ok());
  const auto token = sink->prepare();
  REQUIRE((token.ok() && sink->commit(*token, true).ok()));
  return content(folder / "out.jsonl");
}

struct numbers {
  double number = 0;
};
BOOST_DESCRIBE_STRUCT(numbers, (), (number))

struct timed {
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(timed, (), (at))

struct texts {
  std::string text;
  bool operator==(const texts&) const = default;
};
BOOST_DESCRIBE_STRUCT(texts, (), (text))

}  // namespace

TEST_CASE("a row is one object with its fields in order", "[connectors][jsonl]") {
  CHECK(written<wide>({{}}) ==
        R"({"big":18446744073709551615,"price":0.1,"ratio":0.1,"paid":true,"letter":"x","shade":1,)"
        R"("text":"","at":"1970-01-01T00:00:00Z","lasted":"90min","nested":{"x":0,"y":null},)"
        R"("maybe":null,"several":[{"x":1,"y":2},{"x":3,"y":null}],"bits":[true,false]})"
        "\n");
}

TEST_CASE("keys are the names of the columns", "[connectors][jsonl]") {
  CHECK(written<inner>({{1, 2}}, {}, {"first \"one\"", "second"}) ==
        "{\"first \\\"one\\\"\":1,\"second\":2}\n");
  CHECK(written<int>({7}) == "{\"value\":7}\n");
  CHECK(written<fr::csv::raw_record>({{"{ }"}}) == "{ }\n");
  CHECK(written<inner>({}).empty());
}

TEST_CASE("numbers without a JSON word are strings", "[connectors][jsonl]") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(written<numbers>({{-infinity}, {infinity}, {std::numeric_limits<double>::quiet_NaN()}}) ==
        "{\"number\":\"-inf\"}\n{\"number\":\"inf\"}\n{\"number\":\"nan\"}\n");
  CHECK(written<numbers>({{1e300}, {-0.0}, {5e-324}}) ==
        "{\"number\":1e+300}\n{\"number\":-0}\n{\"number\":5e-324}\n");
}

TEST_CASE("times are written as the format says", "[connectors][jsonl]") {
  const std::vector<timed> rows{{fr::timestamp{1'500'000us}}};
  using fr::jsonl::timestamp_format;
  CHECK(written(rows) == "{\"at\":\"1970-01-01T00:00:01.5Z\"}\n");
  CHECK(written(rows, {.time_format = timestamp_format::epoch_s}) == "{\"at\":1.5}\n");
  CHECK(written(rows, {.time_format = timestamp_format::epoch_us}) == "{\"at\":1500000}\n");
  CHECK_THROWS_AS(fr::jsonl::write("a", {.time_format = timestamp_format::any}),
                  std::invalid_argument);
}

TEST_CASE("strings are escaped, and made UTF-8", "[connectors][jsonl]") {
  const auto text = [](const std::string& bytes) {
    const std::string line = written<texts>({{bytes}});
    return line.substr(9, line.size() - 12);
  };
  CHECK(text("\"\\/\n\r\t\b\x01\x7F") == "\\\"\\\\/\\n\\r\\t\\u0008\\u0001\x7F");
  CHECK(text("é€😀") == "é€😀");
  CHECK(text("\x80") == "\uFFFD");
  CHECK(text("\xC3(") == "\uFFFD(");
  CHECK(text("\xE2\x82") == "\uFFFD");  // A character that is cut off: one mark.
  CHECK(text("\xE2\x82x") == "\uFFFDx");
  CHECK(text("\xC0\xAF") == "\uFFFD\uFFFD");            // Longer than it need be.
  CHECK(text("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");  // Half a surrogate pair.
  CHECK(text("\xF5") == "\uFFFD");
}

TEST_CASE("sampled rows carry their weights as keys", "[connectors][jsonl]") {
  const std::vector<fr::sampled<inner>> rows(1);
  const std::string line = written(rows);
  CHECK(line.starts_with("{\"x\":0,\"y\":null,"));
  CHECK(line.ends_with("}\n"));
}

TEST_CASE("jsonl::write keeps the sink contract", "[connectors][jsonl][contract]") {
  int round = 0;
  const temporary_folder folder;
  const auto make_place = [&] {
    const std::string path = folder / (std::to_string(++round) + ".jsonl");
    return fr::sink_place<texts>{
        .open = [path] { return fr::jsonl::write(path).open<texts>({}); },
        .published =
            [path] {
              if (!std::filesystem::exists(path)) return std::vector<texts>();
              return csv_test::read_split(fr::jsonl::read<texts>(path)).rows;
            }};
  };
  fr::check_sink<texts>(make_place, {{"a"}, {"b\n"}, {"c"}, {"d"}, {"é"}}, {.at_end_only = true});
}
