// Writing CSV: the text of every kind of cell, and reading it back.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>

#include <boost/describe/class.hpp>

#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using csv_test::content;
using csv_test::temporary_folder;

namespace {

enum class color { red, green = 7 };

struct cells {
  std::int8_t small = 0;
  double real = 0;
  bool flag = false;
  fr::timestamp at;
  std::chrono::seconds length{0};
  std::optional<int> maybe;
  color shade = color::red;
};
BOOST_DESCRIBE_STRUCT(cells, (), (small, real, flag, at, length, maybe, shade))

struct lists {
  std::vector<double> numbers;
  std::set<std::string> words;
};
BOOST_DESCRIBE_STRUCT(lists, (), (numbers, words))

struct passenger {
  std::string name;
  std::optional<std::string> note;
  double fare = 0;
  std::int64_t id = 0;
  fr::timestamp at;
  fr::duration length{0};

  bool operator==(const passenger&) const = default;
};
BOOST_DESCRIBE_STRUCT(passenger, (), (name, note, fare, id, at, length))

struct lone {
  std::string text;
  bool operator==(const lone&) const = default;
};
BOOST_DESCRIBE_STRUCT(lone, (), (text))

/// The file that a job which writes `rows` leaves.
template <class T>
std::string written(const std::vector<T>& rows, fr::csv::write_options options = {},
                    const std::vector<std::string>& columns = {}) {
  const temporary_folder folder;
  auto sink = fr::csv::write(folder / "out.csv", std::move(options)).template open<T>(columns);
  REQUIRE(sink.ok());
  REQUIRE((*sink)->guarantee() == fr::sink_guarantee::exactly_once);
  REQUIRE((*sink)->start(std::nullopt).ok());
  fr::batch<T> batch;
  batch.values = rows;
  REQUIRE((*sink)->write(batch).ok());
  const auto token = (*sink)->prepare();
  REQUIRE(token.ok());
  REQUIRE((*sink)->commit(*token, true).ok());
  return content(folder / "out.csv");
}

std::string one_number(double number) {
  const std::string text = written<double>({number}, {.header = ""});
  return text.substr(0, text.size() - 1);
}

std::string random_string(std::mt19937_64& random) {
  static const std::string bytes = "ab \t,;\"\"\n\r\xc3\xa9" + std::string(1, '\0');
  std::string text;
  for (std::size_t count = random() % 12; count > 0; --count) {
    text += bytes[random() % bytes.size()];
  }
  return text;
}

}  // namespace

TEST_CASE("csv::write gives every kind of cell its text", "[connectors][csv]") {
  CHECK(written<cells>({{-5, 10.0, true, fr::timestamp{1ms}, 90s, 3, color::green}, {}}) ==
        "small,real,flag,at,length,maybe,shade\n"
        "-5,10,true,1970-01-01T00:00:00.001Z,90s,3,7\n"
        "0,0,false,1970-01-01T00:00:00Z,0s,,0\n");
  CHECK(written<lists>({{{1.5, 2}, {"b", "a"}}, {{}, {"x,y"}}}) ==
        "numbers,words\n1.5;2,a;b\n,\"x,y\"\n");
}

TEST_CASE("csv::write quotes only what needs quotes", "[connectors][csv]") {
  CHECK(written<lone>(
            {{"plain"}, {" blank "}, {"a,b"}, {"a\"b"}, {"a\nb"}, {"a\rb"}, {"a;b"}, {""}}) ==
        "text\nplain\n blank \n\"a,b\"\n\"a\"\"b\"\n\"a\nb\"\n\"a\rb\"\na;b\n\"\"\n");
  CHECK(written<lone>({{"a,b"}, {"a;b"}}, {.delimiter = ';'}) == "text\na,b\n\"a;b\"\n");
  CHECK(written<double>({-1.5}, {.delimiter = '.'}) == "value\n\"-1.5\"\n");
}

TEST_CASE("csv::write takes the shortest text of a number that reads back", "[connectors][csv]") {
  CHECK(one_number(10.0) == "10");
  CHECK(one_number(100000) == "100000");
  CHECK(one_number(0.1 + 0.2) == "0.30000000000000004");
  CHECK(one_number(-0.0) == "-0");
  CHECK(one_number(1e300) == "1e+300");
  CHECK(one_number(-std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(one_number(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("csv::write gives times as its time format says", "[connectors][csv]") {
  using enum fr::csv::timestamp_format;
  struct row {
    fr::csv::timestamp_format format;
    std::string text;
  };
  for (const row& each : {row{iso, "1969-12-31T23:59:59.75Z"}, row{epoch_s, "-0.25"},
                          row{epoch_ms, "-250"}, row{epoch_us, "-250000"}}) {
    std::string text;
    fr::csv::detail::append_time(fr::timestamp{-250ms}, each.format, text);
    CHECK(text == each.text);
  }
  CHECK_THROWS_AS(fr::csv::write("a", {.time_format = any}), std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::write("a", {.delimiter = '\r'}), std::invalid_argument);
}

TEST_CASE("csv::write starts with the header it is told", "[connectors][csv]") {
  CHECK(written<lone>({}) == "text\n");
  CHECK(written<lone>({}, {}, {"a,b"}) == "\"a,b\"\n");
  CHECK(written<lone>({{"x"}}, {.header = ""}) == "x\n");
  CHECK(written<lone>({{"x"}}, {.header = "any, thing"}) == "any, thing\nx\n");
}

TEST_CASE("csv::raw_record is written verbatim", "[connectors][csv]") {
  CHECK(written<fr::csv::raw_record>({{"a,\"b\nc\""}, {"1;2"}}, {.header = "x,y"}) ==
        "x,y\na,\"b\nc\"\n1;2\n");
  CHECK(written<fr::csv::raw_record>({}) == "record\n");
}

TEST_CASE("what csv::write writes, csv::read reads back equal", "[connectors][csv]") {
  std::mt19937_64 random(8);
  using enum fr::csv::timestamp_format;
  for (const auto format : {iso, epoch_s, epoch_ms, epoch_us}) {
    for (const char delimiter : {',', ';', '\t', '-', '5'}) {
      std::vector<passenger> rows;
      for (int row = 0; row < 200; ++row) {
        const auto bits = random();
        rows.push_back({random_string(random), std::nullopt, std::bit_cast<double>(random()),
                        static_cast<std::int64_t>(random()) >> (bits % 64),
                        fr::timestamp{fr::duration{static_cast<std::int64_t>(random())}},
                        fr::duration{static_cast<std::int64_t>(random()) >> (bits % 64)}});
        if (std::isnan(rows.back().fare)) rows.back().fare = 0;
        if (bits % 3 != 0) rows.back().note = random_string(random);
      }
      const temporary_folder folder;
      const std::string path = folder.file(
          "a.csv", written(rows, {.delimiter = delimiter, .time_format = format}));
      const auto all = csv_test::read_split(
          fr::csv::read<passenger>(path, {.delimiter = delimiter, .time_format = format}));
      CAPTURE(static_cast<int>(format), delimiter);
      REQUIRE(all.dead.empty());
      REQUIRE(all.rows == rows);
    }
  }
}

TEST_CASE("rows of one empty string are not lost", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.csv", written<lone>({{""}, {"x"}, {""}}));
  REQUIRE(csv_test::read_split(fr::csv::read<lone>(path)).rows ==
          std::vector<lone>{{""}, {"x"}, {""}});
}
