// Reading CSV into structs: header, types, dead letters, positions, errors.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using csv_test::read_split;
using csv_test::temporary_folder;

namespace {

struct payment {
  std::string card;
  double amount = 0;
  bool fraud = false;
  fr::timestamp at;

  bool operator==(const payment&) const = default;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, fraud, at))

struct payment_of_later {
  std::string card;
  std::optional<std::string> merchant;
  double amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment_of_later, (), (card, merchant, amount, at))

struct everything {
  std::int8_t small = 0;
  std::uint64_t large = 0;
  float real = 0;
  char letter = ' ';
  std::chrono::seconds length{0};
  std::optional<int> count;
  std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(everything, (), (small, large, real, letter, length, count, note))

struct flexible {
  std::string key;
  double value = 0;
  fr::timestamp at;
  fr::csv::raw_record raw;
};
BOOST_DESCRIBE_STRUCT(flexible, (), (key, value, at, raw))

struct text_only {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(text_only, (), (text))

constexpr fr::timestamp morning = fr::timestamp{fr::duration{1'372'930'200'000'000}};

std::string message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

/// The reasons for which the one record under `header` is refused.
template <class T>
std::string reason(const std::string& header, const std::string& line,
                   fr::csv::read_options options = {}) {
  const temporary_folder folder;
  const auto all =
      read_split(fr::csv::read<T>(folder.file("one.csv", header + "\n" + line + "\n"), options));
  REQUIRE(all.status.ok());
  REQUIRE(all.rows.empty());
  REQUIRE(all.dead.size() == 1);
  CHECK(all.dead[0].record == line);
  CHECK(all.dead[0].line == 2);
  CHECK(all.dead[0].sequence == header.size() + 1);
  return all.dead[0].reason;
}

std::string open_error(const std::string& path, fr::csv::read_options options = {}) {
  const auto all = read_split(fr::csv::read<payment>(path, options));
  REQUIRE_FALSE(all.status.ok());
  return message(all.status);
}

constexpr const char* everything_header = "small,large,real,letter,length,count,note";

}  // namespace

TEST_CASE("csv::read matches columns with fields by name in any order", "[connectors][csv]") {
  const temporary_folder folder;
  const auto all = read_split(fr::csv::read<payment>(
      folder.file("a.csv",
                  "\xEF\xBB\xBF"
                  "at, unused ,\"fraud\", amount,card\r\n"
                  "2013-07-04T09:30:00Z,x,TRUE, +1.5 ,\"a \"\"b\"\"\nc\"\r\n\r\n"
                  "2013-07-04 09:30,,0,-2e3, d")));
  REQUIRE(all.status.ok());
  REQUIRE(all.dead.empty());
  REQUIRE(all.rows ==
          std::vector<payment>{{"a \"b\"\nc", 1.5, true, morning}, {" d", -2000, false, morning}});
  REQUIRE(all.sequences == std::vector<std::uint64_t>{37, 87});
}

TEST_CASE("csv::read fills every type of field that it documents", "[connectors][csv]") {
  const temporary_folder folder;
  const auto all = read_split(fr::csv::read<everything>(folder.file(
      "a.csv", std::string(everything_header) + "\n-128,18446744073709551615,inf,\",\",1min30s,,\n"
                                                " 127\t,+7,NaN,x, 90 ,3,\"\"\n")));
  REQUIRE(all.dead.empty());
  REQUIRE(all.rows.size() == 2);
  CHECK(all.rows[0].small == -128);
  CHECK(all.rows[0].large == std::numeric_limits<std::uint64_t>::max());
  CHECK(all.rows[0].real == std::numeric_limits<float>::infinity());
  CHECK((all.rows[0].letter == ',' && all.rows[1].letter == 'x'));
  CHECK((all.rows[0].length == 90s && all.rows[1].length == 90s));
  CHECK((all.rows[0].count == std::nullopt && all.rows[1].count == 3));
  CHECK(std::isnan(all.rows[1].real));
  CHECK((all.rows[0].note == std::nullopt && all.rows[1].note == ""));
}

TEST_CASE("csv::read turns a field of the wrong kind into a dead letter", "[connectors][csv]") {
  const std::string header = "card,amount,fraud,at";
  CHECK(reason<payment>(header, "a,abc,0,2013-07-04") ==
        "column 'amount': found 'abc', wanted a number");
  CHECK(reason<payment>(header, "a,,0,2013-07-04") == "column 'amount': found '', wanted a number");
  CHECK(reason<payment>(header, "a,1e999,0,2013-07-04") ==
        "column 'amount': found '1e999', wanted a number");
  CHECK(reason<payment>(header, "a,+-1,0,2013-07-04") ==
        "column 'amount': found '+-1', wanted a number");
  CHECK(reason<payment>(header, "a,1,2,2013-07-04") ==
        "column 'fraud': found '2', wanted true, false, 1, or 0");
  CHECK(reason<payment>(header, "a,1,0,2013-02-29") ==
        "column 'at': found '2013-02-29', wanted a time like 2013-07-04T09:30:00Z");
  const fr::csv::read_options milliseconds = {.time_format = fr::csv::timestamp_format::epoch_ms};
  CHECK(reason<payment>(header, "a,1,0,1e3", milliseconds) ==
        "column 'at': found '1e3', wanted a time in milliseconds since 1970");
  CHECK(reason<payment>(header, "a," + std::string(100, 'z') + ",0,2013-07-04") ==
        "column 'amount': found '" + std::string(60, 'z') + "'..., wanted a number");
}

TEST_CASE("csv::read refuses numbers that do not fit their field", "[connectors][csv]") {
  const std::string header = everything_header;
  CHECK(reason<everything>(header, "128,1,1,x,1,1,") ==
        "column 'small': found '128', wanted a whole number from -128 to 127");
  CHECK(reason<everything>(header, "1,-1,1,x,1,1,") ==
        "column 'large': found '-1', wanted a whole number from 0 to 18446744073709551615");
  CHECK(reason<everything>(header, "1,1,1,xy,1,1,") ==
        "column 'letter': found 'xy', wanted one character");
  const std::string wanted =
      ", wanted a duration like 90s or 1h30min, or a count of the field's unit";
  CHECK(reason<everything>(header, "1,1,1,x,1500ms,1,") ==
        "column 'length': found '1500ms'" + wanted);
  CHECK(reason<everything>(header, "1,1,1,x,9223372036855,1,") ==
        "column 'length': found '9223372036855'" + wanted);
  CHECK(reason<everything>(header, "1,1,1,x,1,1.5,") ==
        "column 'count': found '1.5', wanted a whole number from -2147483648 to 2147483647 or "
        "nothing");
}

TEST_CASE("csv::read turns a record of the wrong shape into a dead letter", "[connectors][csv]") {
  const std::string header = "card,amount,fraud,at";
  CHECK(reason<payment>(header, "a,1,0") == "3 fields, wanted 4");
  CHECK(reason<payment>(header, "a") == "1 field, wanted 4");
  CHECK(reason<payment>(header, "a,1,0,2013-07-04,") == "5 fields, wanted 4");
  CHECK(reason<payment>(header, "\"a\"b,1,0,2013-07-04") ==
        "field 1: found text after its closing quote, wanted a delimiter or the end of the line; "
        "double the quotes inside a quoted field");
  CHECK(reason<payment>(header, "a,\"1,0,2013-07-04") == "quote opened at line 2 is never closed");
}

TEST_CASE("csv::read cuts long records in dead letters and says so", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string path = folder.file(
      "a.csv", "text\n" + std::string(5'000, 'x') + ",\n" + std::string(9'000, 'y') + "\nz\n");
  const auto all = read_split(fr::csv::read<text_only>(path, {.record_bytes_max = 8'000}));
  REQUIRE(all.dead.size() == 2);
  CHECK(all.dead[0].record == std::string(4'096, 'x') + " [cut: 4096 of 5001 bytes]");
  CHECK(all.dead[0].reason == "2 fields, wanted 1");
  CHECK(all.dead[1].record == std::string(4'096, 'y') + " [cut: 4096 of 9000 bytes]");
  CHECK(all.dead[1].reason == "longer than 8000 bytes");
  REQUIRE(all.rows.size() == 1);
  CHECK(all.rows[0].text == "z");
}

TEST_CASE("a quote that is never closed costs its own line only", "[connectors][csv]") {
  const temporary_folder folder;
  const auto all =
      read_split(fr::csv::read<text_only>(folder.file("a.csv", "text\na\n\"b\nc\nd,e\nf\n")));
  REQUIRE(all.rows.size() == 3);
  CHECK((all.rows[0].text == "a" && all.rows[1].text == "c" && all.rows[2].text == "f"));
  REQUIRE(all.dead.size() == 2);
  CHECK((all.dead[0].record == "\"b" && all.dead[0].line == 3));
  CHECK(all.dead[0].reason == "quote opened at line 3 is never closed");
  CHECK((all.dead[1].record == "d,e" && all.dead[1].line == 5));
}

TEST_CASE("csv::read passes NUL bytes and invalid UTF-8 through", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string bytes("\0\xff\xc3(\x80", 5);
  const auto all = read_split(fr::csv::read<text_only>(folder.file("a.csv", "text\n" + bytes)));
  REQUIRE(all.rows.size() == 1);
  REQUIRE(all.rows[0].text == bytes);
}

TEST_CASE("csv::read renames fields and keeps the record's own text", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string path =
      folder.file("a.csv", "when;who;how much\r\n1436918400.25;\"x;\r\ny\";1\r\n");
  const fr::csv::read_options options = {
      .delimiter = ';',
      .time_format = fr::csv::timestamp_format::epoch_s,
      .rename = {{"key", "who"}, {"value", "how much"}, {"at", "when"}}};
  const auto all = read_split(fr::csv::read<flexible>(path, options));
  REQUIRE(all.rows.size() == 1);
  CHECK(all.rows[0].key == "x;\r\ny");
  CHECK(all.rows[0].raw.text == "1436918400.25;\"x;\r\ny\";1");
  CHECK(all.rows[0].at == fr::timestamp{1'436'918'400'250ms});
  const auto header = fr::csv::read_header(path, options);
  REQUIRE(header.ok());
  CHECK(header->columns == std::vector<std::string>{"when", "who", "how much"});
  CHECK(header->text == "when;who;how much");
}

TEST_CASE("one column can fill several fields", "[connectors][csv]") {
  const temporary_folder folder;
  const fr::csv::read_options options = {.time_format = fr::csv::timestamp_format::any,
                                         .rename = {{"key", "v"}, {"value", "v"}, {"at", "t"}}};
  const auto all =
      read_split(fr::csv::read<flexible>(folder.file("a.csv", "t,v\n5,1.25\n"), options));
  REQUIRE(all.rows.size() == 1);
  CHECK((all.rows[0].key == "1.25" && all.rows[0].value == 1.25));
  CHECK(all.rows[0].at == fr::timestamp{5us});
}

TEST_CASE("csv::read without a header goes by position", "[connectors][csv]") {
  const temporary_folder folder;
  const auto all = read_split(fr::csv::read<payment>(
      folder.file("a.csv", "a,1,0,2013-07-04T09:30:00Z\nb,2,1,2013-07-04T09:30:00Z,more\nc,3,1\n"),
      {.header = false}));
  REQUIRE(all.rows == std::vector<payment>{{"a", 1, false, morning}, {"b", 2, true, morning}});
  REQUIRE(all.dead.size() == 1);
  REQUIRE(all.dead[0].reason == "3 fields, wanted at least 4");
}

TEST_CASE("a missing column is an error unless its field is optional", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.csv", "card,amout,fraud,at\nx\n");
  CHECK(open_error(path) == "csv::read '" + path +
                                "': no column 'amount' in the header (card, amout, fraud, at), "
                                "wanted one for the field 'amount'; give the column's name in "
                                ".rename, or make the field a "
                                "std::optional");
  const std::string without = folder.file("b.csv", "small,large,real,letter,length\n1,1,1,x,1\n");
  const auto all = read_split(fr::csv::read<everything>(without));
  REQUIRE(all.rows.size() == 1);
  CHECK((!all.rows[0].count && !all.rows[0].note));
}

TEST_CASE("a header that cannot be used is an error before the first record", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string twins = folder.file("twins.csv", "card,amount,fraud,at,card,x,x\n");
  CHECK(open_error(twins) == "csv::read '" + twins +
                                 "': columns 1 and 5 of the header are both named 'card', wanted "
                                 "one; rename one in the file");
  const std::string empty = folder.file("empty.csv", "\n\r\n");
  CHECK(open_error(empty) == "csv::read '" + empty +
                                 "': the file is empty, wanted a header line; set .header = false "
                                 "if it has none");
  const std::string open = folder.file("open.csv", "card,\"amount,fraud,at\n");
  CHECK(open_error(open) ==
        "csv::read '" + open + "': line 1, the header: quote opened at line 1 is never closed");
}

TEST_CASE("csv::read names files that cannot be opened", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string missing = folder / "missing.csv";
  CHECK(open_error(missing) ==
        "csv::read '" + missing + "': cannot open (No such file or directory)");
  std::filesystem::create_directory(folder / "sub");
  CHECK(open_error(folder / "sub") == "csv::read '" + (folder / "sub") +
                                          "': is a directory, wanted a file; give the files in it "
                                          "one by one");
  const std::string file = folder.file("a.csv", "card,amount,fraud,at\n");
  CHECK(message(fr::csv::read<payment>({file, file}).open().status()) ==
        "csv::read '" + file + "': given twice, wanted each file once; drop the repetition");
  CHECK(message(fr::csv::read<payment>(std::vector<std::string>{}).open().status()) ==
        "csv::read: no path, wanted at least one; give it a file");
}

TEST_CASE("csv::read refuses unusable options while composing", "[connectors][csv]") {
  CHECK_THROWS_AS(fr::csv::read<payment>("a", {.delimiter = '"'}), std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::read<payment>("a", {.delimiter = '\n'}), std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::read<payment>("a", {.record_bytes_max = 63}), std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::read<payment>("a", {.block_bytes = 0}), std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::read<payment>("a", {.header = false, .rename = {{"card", "x"}}}),
                  std::invalid_argument);
  CHECK_THROWS_WITH(fr::csv::read<payment>("a", {.rename = {{"crad", "x"}}}),
                    "csv::read: .rename names the field 'crad', wanted one of card, amount, fraud, "
                    "at; correct it");
  CHECK_THROWS_AS(fr::csv::read<payment>("a", {.rename = {{"card", "x"}, {"card", "y"}}}),
                  std::invalid_argument);
}

TEST_CASE("each file is a split with its own header", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string first = folder.file("1.csv", "card,amount,fraud,at\na,1,0,2013-07-04\n");
  const std::string second = folder.file("2.csv", "at,fraud,amount,card\n2013-07-04,1,2,b\n");
  const auto description = fr::csv::read<payment>({first, second});
  auto source = description.open();
  REQUIRE(source.ok());
  CHECK((*source)->splits() == std::vector<std::string>{first, second});
  CHECK(((*source)->bounded() && (*source)->replayable()));
  CHECK(read_split(description, 0).rows.at(0).card == "a");
  CHECK(read_split(description, 1).rows.at(0).card == "b");
}

TEST_CASE("a read delivers at most its limit of rows and dead letters", "[connectors][csv]") {
  const temporary_folder folder;
  std::string text = "card,amount,fraud,at\n";
  for (int row = 0; row < 30; ++row) text += row % 3 == 0 ? "bad\n" : "a,1,0,2013-07-04\n";
  auto source = fr::csv::read<payment>(folder.file("a.csv", text)).open();
  auto reader = (*source)->open(0, std::nullopt);
  std::size_t taken = 0;
  for (auto state = fr::read_state::more; state == fr::read_state::more;) {
    fr::batch<payment> rows;
    std::vector<fr::dead_letter> dead;
    state = (*reader)->read(4, rows, dead).value();
    REQUIRE(rows.size() + dead.size() <= 4);
    REQUIRE(rows.positions.size() == rows.size());
    taken += rows.size() + dead.size();
  }
  REQUIRE(taken == 30);
}

TEST_CASE("reading goes on from the position after every record", "[connectors][csv]") {
  const temporary_folder folder;
  std::string text = "card,amount,fraud,at\r\n";
  for (int row = 0; row < 40; ++row) {
    text += row % 7 == 3 ? "bad\r\n" : "\"a\n" + std::to_string(row) + "\",1,0,2013-07-04\r\n";
  }
  const auto description = fr::csv::read<payment>(folder.file("a.csv", text));
  const auto whole = read_split(description);
  const auto one_by_one = read_split(description, 0, std::nullopt, 1);
  REQUIRE(one_by_one.rows == whole.rows);
  REQUIRE(one_by_one.positions.size() == 41);
  for (const std::string& position : one_by_one.positions) {
    const auto rest = read_split(description, 0, position);
    REQUIRE(rest.status.ok());
    const auto skipped = static_cast<std::ptrdiff_t>(whole.rows.size() - rest.rows.size());
    CHECK(std::vector<payment>(whole.rows.begin() + skipped, whole.rows.end()) == rest.rows);
    CHECK((rest.dead.empty() || rest.dead.back().line == whole.dead.back().line));
    CHECK(rest.positions.back() == whole.positions.back());
  }
}

TEST_CASE("a position that does not fit the file is an error", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.csv", "card,amount,fraud,at\na,1,0,2013-07-04\n");
  const auto at = [&path](const char* position) {
    return message(read_split(fr::csv::read<payment>(path), 0, position).status);
  };
  const std::string advice =
      ", where the checkpoint goes on; put back the file that was read, or start without the "
      "checkpoint";
  CHECK(at("csv1:38:3:0").empty());
  CHECK(at("csv1:39:3:0") == "csv::read '" + path +
                                 "': the file ends at byte 38, wanted the start "
                                 "of a record at byte 39" +
                                 advice);
  CHECK(at("csv1:18446744073709551615:3:0") ==
        "csv::read '" + path +
            "': the file ends at byte 38, wanted the start of a record at byte "
            "18446744073709551615" +
            advice);
  CHECK(at("csv1:30:2:0") == "csv::read '" + path +
                                 "': the byte before is not the end of a line, "
                                 "wanted the start of a record at byte 30" +
                                 advice);
  CHECK(at("csv1:3:1:0") == "csv::read '" + path +
                                "': byte lies before the first record, wanted "
                                "the start of a record at byte 3" +
                                advice);
  CHECK(at("nonsense") == "csv::read '" + path +
                              "': the position in the checkpoint is not one of "
                              "csv::read; rerun with the build that wrote it");
}

TEST_CASE("a reader describes what a resumed job must not change", "[connectors][csv]") {
  const std::string plain = fr::csv::read<payment>("a.csv").describe();
  CHECK(plain == fr::csv::read<payment>("b.csv", {.block_bytes = 7}).describe());
  CHECK(plain != fr::csv::read<payment>("a.csv", {.delimiter = ';'}).describe());
  CHECK(plain != fr::csv::read<payment>("a.csv", {.header = false}).describe());
  CHECK(
      plain !=
      fr::csv::read<payment>("a.csv", {.time_format = fr::csv::timestamp_format::any}).describe());
  CHECK(plain != fr::csv::read<payment>("a.csv", {.rename = {{"card", "pan"}}}).describe());
  // Fields come and go, unless only their order says which column is theirs.
  CHECK(plain == fr::csv::read<payment_of_later>("a.csv").describe());
  CHECK(fr::csv::read<payment>("a.csv", {.header = false}).describe() !=
        fr::csv::read<payment_of_later>("a.csv", {.header = false}).describe());
}
