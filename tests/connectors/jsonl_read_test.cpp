// What `jsonl::read` takes, and what it says of lines that it does not take.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/jsonl.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/testing/source_contract.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using csv_test::read_split;
using csv_test::temporary_folder;
using namespace std::chrono_literals;

namespace {

struct place {
  double latitude = 0;
  std::optional<std::string> name;
  bool operator==(const place&) const = default;
};
BOOST_DESCRIBE_STRUCT(place, (), (latitude, name))

struct ride {
  std::int64_t id = 0;
  std::uint64_t big = 0;
  std::int8_t small = 0;
  double price = 0;
  bool paid = false;
  std::string text;
  fr::timestamp at;
  std::chrono::seconds lasted{};
  place from;
  std::optional<place> to;
  std::vector<std::int32_t> stops;
  std::vector<place> via;
  bool operator==(const ride&) const = default;
};
BOOST_DESCRIBE_STRUCT(ride, (),
                      (id, big, small, price, paid, text, at, lasted, from, to, stops, via))

struct two {
  int a = 0;
  std::optional<std::string> b;
  bool operator==(const two&) const = default;
};
BOOST_DESCRIBE_STRUCT(two, (), (a, b))

struct timed {
  fr::timestamp at;
  bool operator==(const timed&) const = default;
};
BOOST_DESCRIBE_STRUCT(timed, (), (at))

struct kept {
  int number = 0;
  fr::csv::raw_record original;
};
BOOST_DESCRIBE_STRUCT(kept, (), (number, original))

/// What the dead letter says when `line` stands between two good ones.
std::string reason_of(const std::string& line, fr::jsonl::read_options options = {}) {
  const temporary_folder folder;
  const auto all = read_split(fr::jsonl::read<two>(
      folder.file("a.jsonl", "{\"a\":1}\n" + line + "\n{\"a\":3}\n"), options));
  REQUIRE(all.status.ok());
  REQUIRE(all.rows == std::vector<two>{{1, {}}, {3, {}}});
  REQUIRE(all.dead.size() == 1);
  CHECK((all.dead[0].line == 2 && all.dead[0].sequence == 8 && all.dead[0].record == line));
  return all.dead[0].reason;
}

template <class T>
std::vector<T> rows_of(const std::string& text, fr::jsonl::read_options options = {}) {
  const temporary_folder folder;
  const auto all = read_split(fr::jsonl::read<T>(folder.file("a.jsonl", text), options));
  CAPTURE(text);
  REQUIRE(all.status.ok());
  REQUIRE((all.dead.empty() ? "" : all.dead[0].reason) == "");
  return all.rows;
}

}  // namespace

TEST_CASE("one line of JSON fills fields of every type", "[connectors][jsonl]") {
  const auto rows = rows_of<ride>(
      R"( { "small":-128, "more":{"a":[1,{"id":7}]}, "id":-9223372036854775808,)"
      R"("big":18446744073709551615,"price":1e-3,"paid":true,)"
      R"("text":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é\u0000",)"
      R"("at":"2026-11-28T04:00:00Z","lasted":"1h30min","from":{"name":null,"latitude":48.1},)"
      R"("to":{"latitude":-1,"name":"x"},"stops":[1,-2,3],)"
      R"("via":[{"latitude":1},{"latitude":2}] } )");
  REQUIRE(rows.size() == 1);
  const ride expected{.id = std::numeric_limits<std::int64_t>::min(),
                      .big = std::numeric_limits<std::uint64_t>::max(),
                      .small = -128,
                      .price = 1e-3,
                      .paid = true,
                      .text = std::string("\"\\/\b\f\n\r\té😀é\0", 17),
                      .at = fr::parse_iso_8601("2026-11-28T04:00:00Z").value(),
                      .lasted = 90min,
                      .from = {48.1, {}},
                      .to = place{-1, "x"},
                      .stops = {1, -2, 3},
                      .via = {{1, {}}, {2, {}}}};
  CHECK(rows[0].text == expected.text);
  CHECK((rows[0] == expected));
}

TEST_CASE("lines that are no such record are dead letters with the reason", "[connectors][jsonl]") {
  CHECK(reason_of(R"({"a":1)") == "byte 6: the text ends in the middle of a value");
  CHECK(reason_of(R"({"a":1} x)") == "byte 8: found more text behind the object, wanted none");
  CHECK(reason_of(R"({"a":1}{"a":2})") == "byte 7: found more text behind the object, wanted none");
  CHECK(reason_of(R"({"a":1,})") == "byte 7: found text that is not JSON (syntax error)");
  CHECK(reason_of(R"({'a':1})") == "byte 1: found text that is not JSON (syntax error)");
  CHECK(reason_of(R"({"a":01})") == "byte 6: found text that is not JSON (syntax error)");
  CHECK(reason_of(R"({"a":NaN})") == "byte 5: found text that is not JSON (syntax error)");
  CHECK(reason_of(R"([1])") == "found an array, wanted an object");
  CHECK(reason_of("7") == "found a value, wanted an object");
  CHECK(reason_of("null") == "found null, wanted an object");
  CHECK(reason_of(R"({"b":"x"})") ==
        "no field 'a', wanted a whole number from -2147483648 to 2147483647");
  CHECK(reason_of(R"({"a":1,"b":"x","a":2})") == "field 'a': found twice, wanted once");
  CHECK(reason_of(R"({"a":"1"})") ==
        "field 'a': found \"1\", wanted a whole number from -2147483648 to 2147483647");
  CHECK(reason_of(R"({"a":2147483648})") ==
        "field 'a': found 2147483648, wanted a whole number from -2147483648 to 2147483647");
  CHECK(reason_of(R"({"a":1.0})") ==
        "field 'a': found 1.0, wanted a whole number from -2147483648 to 2147483647");
  CHECK(reason_of(R"({"a":null})") ==
        "field 'a': found null, wanted a whole number from -2147483648 to 2147483647");
  CHECK(reason_of(R"({"a":{}})") ==
        "field 'a': found an object, wanted a whole number from -2147483648 to 2147483647");
  CHECK(reason_of(R"({"a":1,"b":7})") == "field 'b': found 7, wanted a string or null");
  CHECK(reason_of(R"({"a":1,"b":[]})") == "field 'b': found an array, wanted a string or null");
  CHECK(reason_of("{\"a\":1,\"b\":\"\xC3\x28\"}") ==
        "byte 13: found text that is not JSON (syntax error)");
  CHECK(reason_of("{\"a\":1,\"b\":\"\x01\"}") ==
        "byte 12: found text that is not JSON (syntax error)");
  CHECK(reason_of(R"({"a":1,"b":"\ud800"})") ==
        "byte 18: found text that is not JSON (syntax error)");
  CHECK(reason_of(R"({"a":1,"c":1e99999999999})").find("exponent") != std::string::npos);
}

TEST_CASE("a nested mistake is told with its path", "[connectors][jsonl]") {
  const temporary_folder folder;
  const std::string path = folder.file(
      "a.jsonl",
      R"({"id":1,"big":1,"small":1,"price":1,"paid":true,"text":"","at":"2026-11-28T04:00:00Z",)"
      R"("lasted":1,"from":{"latitude":1},"stops":[],"via":[{"latitude":1},{"latitude":"x"}]})");
  const auto all = read_split(fr::jsonl::read<ride>(path));
  REQUIRE(all.dead.size() == 1);
  CHECK(all.dead[0].reason == "field 'via[1].latitude': found \"x\", wanted a number");
}

TEST_CASE("text that is nested deeper than allowed is a dead letter", "[connectors][jsonl]") {
  const auto nested = [](int depth) {
    return R"({"a":2,"c":)" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };
  CHECK(rows_of<two>(nested(31)).size() == 1);
  CHECK(reason_of(nested(32)) == "byte 42: nested more than 32 deep; set .depth_max");
  CHECK(rows_of<two>(nested(900), {.depth_max = 1000}).size() == 1);
  CHECK(reason_of(nested(2'000)).find("nested more than 32 deep") != std::string::npos);
}

TEST_CASE("a line that is longer than allowed is a dead letter of its beginning",
          "[connectors][jsonl]") {
  const temporary_folder folder;
  const std::string text =
      "{\"a\":1}\n{\"a\":2,\"b\":\"" + std::string(5'000, 'x') + "\"}\n{\"a\":3}";
  for (const std::size_t block : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
    const auto all = read_split(fr::jsonl::read<two>(
        folder.file("a.jsonl", text), {.record_bytes_max = 64, .block_bytes = block}));
    CHECK(all.rows == std::vector<two>{{1, {}}, {3, {}}});
    REQUIRE(all.dead.size() == 1);
    CHECK(all.dead[0].reason == "longer than 64 bytes");
    CHECK(all.dead[0].line == 2);
  }
}

TEST_CASE("times are read as the format says", "[connectors][jsonl]") {
  using fr::jsonl::timestamp_format;
  const timed expected{fr::timestamp{1'372'930'200'500'000us}};
  const auto read = [](const std::string& value, timestamp_format format) {
    return rows_of<timed>("{\"at\":" + value + "}", {.time_format = format});
  };
  CHECK(read("\"2013-07-04T09:30:00.5Z\"", timestamp_format::iso) == std::vector{expected});
  CHECK(read("1372930200.5", timestamp_format::epoch_s) == std::vector{expected});
  CHECK(read("1372930200500", timestamp_format::epoch_ms) == std::vector{expected});
  CHECK(read("1372930200500000", timestamp_format::epoch_us) == std::vector{expected});
  CHECK(read("1372930200500000", timestamp_format::any) == std::vector{expected});
  CHECK(read("\"2013-07-04T09:30:00.5Z\"", timestamp_format::any) == std::vector{expected});
}

TEST_CASE("a field may have another key, and the record's own text", "[connectors][jsonl]") {
  const auto rows = rows_of<kept>("{ \"n\" : 4 }\r\n\n", {.rename = {{"number", "n"}}});
  REQUIRE(rows.size() == 1);
  CHECK((rows[0].number == 4 && rows[0].original.text == "{ \"n\" : 4 }"));
}

TEST_CASE("options of jsonl::read that cannot be are refused", "[connectors][jsonl]") {
  CHECK_THROWS_AS(fr::jsonl::read<two>("a", {.depth_max = 0}), std::invalid_argument);
  CHECK_THROWS_AS(fr::jsonl::read<two>("a", {.record_bytes_max = 63}), std::invalid_argument);
  CHECK_THROWS_AS(fr::jsonl::read<two>("a", {.block_bytes = 0}), std::invalid_argument);
  CHECK_THROWS_AS(fr::jsonl::read<two>("a", {.rename = {{"c", "x"}}}), std::invalid_argument);
  CHECK_THROWS_AS(fr::jsonl::read<two>("a", {.rename = {{"a", "b"}}}), std::invalid_argument);
  CHECK(fr::jsonl::read<two>("a", {.rename = {{"a", "x"}}}).describe() ==
        "jsonl, times iso, depth_max 32, record_bytes_max 16777216, a=x b=b");
}

TEST_CASE("doubles and integers of every size survive", "[connectors][jsonl]") {
  std::mt19937_64 random(3);
  fr::jsonl::detail::jsonl_lines<ride> lines({}, fr::columns<ride>::names());
  std::string text;
  std::vector<ride> rows;
  for (int round = 0; round < 3'000; ++round) {
    ride made;
    made.id = static_cast<std::int64_t>(random() >> random() % 64);
    made.big = random() >> random() % 64;
    const std::uint64_t bits = random();
    std::memcpy(&made.price, &bits, sizeof bits);
    if (!std::isfinite(made.price)) made.price = std::numeric_limits<double>::infinity();
    for (std::uint64_t left = random() % 9; left > 0; --left) {
      // Any bytes below 128, and two characters of more.
      made.text += random() % 8 == 0 ? "é" : random() % 8 == 0 ? "😀" : "";
      made.text += static_cast<char>(random() % 128);
    }
    if (random() % 2 == 0) made.to = place{0.1, made.text};
    for (std::uint64_t left = random() % 3; left > 0; --left) made.stops.push_back(-7);
    made.via.resize(random() % 3);
    lines.append(made, text);
    rows.push_back(std::move(made));
  }
  REQUIRE((rows_of<ride>(text) == rows));
}

TEST_CASE("damaged lines are rows or dead letters, whatever is damaged", "[connectors][jsonl]") {
  std::mt19937_64 random(5);
  const std::string line =
      R"({"id":1,"big":2,"small":3,"price":1.5e3,"paid":true,"text":"a\u00e9\n","at":)"
      R"("2026-11-28T04:00:00Z","lasted":"90s","from":{"latitude":1},"to":null,"stops":[1,2],)"
      R"("via":[{"latitude":1,"name":"x"}]})";
  const std::string pieces = R"("\{}[],:1e)";
  std::string text;
  for (int round = 0; round < 3'000; ++round) {
    std::string damaged = line;
    for (std::uint64_t left = 1 + random() % 3; left > 0; --left) {
      const std::size_t at = random() % damaged.size();
      if (random() % 3 == 0) {
        damaged.resize(at + 1);
      } else {
        damaged[at] = random() % 3 == 0 ? static_cast<char>(random() % 256) : pieces[random() % 10];
      }
      if (damaged[at] == '\n') damaged[at] = ' ';
    }
    text += "x" + damaged.substr(1) + "\n" + damaged + "\n";
  }
  const temporary_folder folder;
  const auto all = read_split(fr::jsonl::read<ride>(folder.file("a.jsonl", text)));
  REQUIRE(all.status.ok());
  CHECK(all.rows.size() + all.dead.size() == 6'000);
  CHECK(all.dead.size() > 4'000);
}

TEST_CASE("jsonl::read keeps the source contract", "[connectors][jsonl][contract]") {
  std::string text = "\xEF\xBB\xBF";
  for (int number = 0; number < 120; ++number) {
    text += number % 9 == 4 ? std::string("{\"a\":[]}") : "{\"a\":" + std::to_string(number) + "}";
    text += number % 5 == 0 ? "\r\n\n" : "\n";
    if (number % 50 == 7) text += std::string(200, '[') + "\n";
  }
  const temporary_folder folder;
  folder.file("b-1.jsonl", text);
  folder.file("b-2.jsonl", text.substr(3) + "{\"a\":121}");
  fr::check_source(fr::jsonl::read<two>(
      std::vector<std::string>{folder.file("a.jsonl", text), folder / "b-*.jsonl"},
      {.record_bytes_max = 100, .block_bytes = 50}));
}
