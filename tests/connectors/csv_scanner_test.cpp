// Cutting text into records and fields: against a slow oracle, and at every block boundary.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/detail/csv_scanner.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace csv = freshet::csv;
using csv::detail::csv_scanner;
using csv::detail::scanned;

namespace {

struct record {
  std::uint64_t byte = 0;
  std::uint64_t line = 0;
  bool malformed = false;
  std::string text;
  std::vector<std::string> fields;  // None when malformed.

  bool operator==(const record&) const = default;
};

std::ostream& operator<<(std::ostream& out, const record& it) {
  out << "byte " << it.byte << " line " << it.line << (it.malformed ? " malformed " : " ");
  for (const std::string& field : it.fields) out << '[' << field << ']';
  return out << " '" << it.text << "'";
}

/// Reads the record at `begin` character by character, as csv.hpp says; `begin` becomes its end.
record naive_record(const std::string& text, std::size_t& begin, bool single_line, bool& open) {
  record now;
  now.fields = {""};
  bool closed = false;
  std::size_t start = begin;
  for (std::size_t at = begin;; ++at) {
    const char here = at < text.size() ? text[at] : '\n';
    const char next = at + 1 < text.size() ? text[at + 1] : '\n';
    if (at == text.size() || (here == '\n' && (!open || single_line))) {
      begin = at;
      now.malformed = now.malformed || open;
      return now;
    }
    if (here == '"' && open) {
      if (next == '"') {
        now.fields.back() += text[++at];
      } else {
        open = false, closed = true;
      }
    } else if (here == '"' && at == start) {
      open = true;
    } else if (here == ',' && !open) {
      now.fields.emplace_back(), closed = false, start = at + 1;
    } else if (here != '\r' || next != '\n' || open) {
      now.malformed = now.malformed || closed;
      now.fields.back() += here;
    }
  }
}

/// All records, without a limit to their length.
std::vector<record> naive_scan(const std::string& text) {
  std::vector<record> all;
  std::size_t single_lines_until = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    bool open = false;
    record now = naive_record(text, end, begin < single_lines_until, open);
    if (open && end == text.size()) {
      end = std::min(text.find('\n', begin), end);
      single_lines_until = text.size();
    }
    now.byte = begin;
    now.line = 1 + static_cast<std::uint64_t>(std::count(text.begin(), text.begin() +
                                              static_cast<std::ptrdiff_t>(begin), '\n'));
    now.text = text.substr(begin, end - begin);
    if (now.text.ends_with('\r')) now.text.pop_back();
    if (now.malformed) now.fields.clear();
    if (!now.text.empty()) all.push_back(now);
    begin = end + 1;
  }
  return all;
}

record current(const csv_scanner& scanner, scanned what) {
  record now{scanner.byte(), scanner.line(), what == scanned::malformed,
             std::string(scanner.text()), {}};
  for (std::size_t index = 0; !now.malformed && index < scanner.field_count(); ++index) {
    const auto& span = scanner.fields()[index];
    std::string& field = now.fields.emplace_back(scanner.text().substr(span.begin, span.size));
    if (span.has_quotes) csv::detail::undouble_quotes(std::string(field), field);
  }
  return now;
}

/// The records that follow, and the position before each and after the last.
std::vector<record> scan(csv_scanner& scanner, std::vector<csv::detail::scan_position>* positions) {
  std::vector<record> all;
  for (;;) {
    if (positions) positions->push_back(scanner.position());
    const scanned what = scanner.next();
    REQUIRE(what != scanned::failed);
    if (what == scanned::end) return all;
    all.push_back(current(scanner, what));
  }
}

std::vector<record> scan_file(const std::string& path, const csv::read_options& options) {
  const auto scanner = csv_scanner::open(path, options);
  REQUIRE(scanner.ok());
  return scan(**scanner, nullptr);
}

/// Text rich in quotes and line ends; some of it has long stretches of ordinary bytes.
std::string random_text(std::mt19937_64& random) {
  static const std::vector<std::string> pieces = {"\"", "\"", "\"", ",", ",", "\n", "\n", "\r\n",
                                                  "\r", "a", "b", " ", ",\"", "\",", "\"\n",
                                                  "\"\"", std::string(1, '\0'), "\xff"};
  std::string text;
  for (std::size_t count = random() % 60; count > 0; --count) {
    text += pieces[random() % pieces.size()];
    if (random() % 16 == 0) text.append(random() % 150, 'x');
  }
  return text;
}

}  // namespace

TEST_CASE("the scanner agrees with reading character by character", "[connectors][csv]") {
  const csv_test::temporary_folder folder;
  std::mt19937_64 random(3);
  for (int round = 0; round < 2'000; ++round) {
    const std::string text = random_text(random);
    const std::string path = folder.file("random.csv", text);
    const std::vector<record> expected = naive_scan(text);
    for (const std::size_t block : {1U, 2U, 3U, 5U, 7U, 64U, 4096U}) {
      CAPTURE(round, block, text);
      REQUIRE(scan_file(path, {.block_bytes = block}) == expected);
    }
  }
}

TEST_CASE("the scanner goes on from every position as if it had not stopped", "[connectors][csv]") {
  const csv_test::temporary_folder folder;
  std::mt19937_64 random(4);
  for (int round = 0; round < 200; ++round) {
    const std::string text = random_text(random);
    const std::string path = folder.file("random.csv", text);
    std::vector<csv::detail::scan_position> positions;
    auto first = csv_scanner::open(path, {});
    std::vector<record> left = scan(**first, &positions);
    for (const auto& position : positions) {
      CAPTURE(round, text, position.byte);
      const auto encoded = csv::detail::encode_position(position);
      auto second = csv_scanner::open(path, {.block_bytes = 1 + random() % 9});
      REQUIRE((*second)->skip_to(*csv::detail::decode_position(encoded)).ok());
      REQUIRE(scan(**second, nullptr) == left);
      if (!left.empty()) left.erase(left.begin());
    }
  }
}

TEST_CASE("records up to the limit are read, longer ones are given up alone", "[connectors][csv]") {
  const csv_test::temporary_folder folder;
  const std::string fits(63, 'f');
  const std::string over(64, 'o');
  const std::string path =
      folder.file("long.csv", fits + "\n" + over + "\n" + over + over + "\nlast\n" + fits + "x");
  for (const std::size_t block : {1U, 7U, 64U, 65U, 4096U}) {
    CAPTURE(block);
    const auto all = scan_file(path, {.record_bytes_max = 64, .block_bytes = block});
    REQUIRE(all.size() == 5);
    CHECK(all[0].fields == std::vector<std::string>{fits});
    CHECK(all[1].malformed);
    CHECK((all[2].malformed && all[2].line == 3));
    CHECK((all[3].text == "last" && all[3].line == 4));
    CHECK(all[4].fields == std::vector<std::string>{fits + "x"});  // 64 bytes up to the end.
  }
}

TEST_CASE("a quote open beyond the limit gives up its record's first line only",
          "[connectors][csv]") {
  const csv_test::temporary_folder folder;
  std::string text = "a,\"open\n";
  for (int line = 0; line < 20; ++line) text += "b,\"c\"\nd\n";
  const std::string path = folder.file("open.csv", text);
  for (const std::size_t block : {1U, 7U, 64U, 4096U}) {
    CAPTURE(block);
    // Inside the open field `"c` would close it, so a limit decides only for text without quotes.
    const auto all = scan_file(path, {.record_bytes_max = 64, .block_bytes = block});
    REQUIRE(all.size() == 40);
    CHECK(all[0].malformed);  // Text after the quote that closed it.
    CHECK((all[1].text == "d" && all[1].line == 3));
  }
  const std::string plain = folder.file("plain.csv", "a,\"open\n" + std::string(40, 'b') + "\n" +
                                                         std::string(40, 'c') + "\n\"d\ne\",f\n");
  for (const std::size_t block : {1U, 7U, 64U, 4096U}) {
    CAPTURE(block);
    const auto all = scan_file(plain, {.record_bytes_max = 64, .block_bytes = block});
    REQUIRE(all.size() == 4);
    CHECK((all[0].malformed && all[0].text == "a,\"open"));
    CHECK(all[1].text == std::string(40, 'b'));
    CHECK(all[2].text == std::string(40, 'c'));
    CHECK(all[3].fields == std::vector<std::string>{"d\ne", "f"});  // Beyond the region: two lines.
  }
}

TEST_CASE("a file of nothing but open quotes takes linear time", "[connectors][csv]") {
  const csv_test::temporary_folder folder;
  // From each line's start, and from inside a quoted field, the quote at its end stays open.
  const auto seconds_for = [&folder](std::size_t lines) {
    std::string text;
    for (std::size_t line = 0; line < lines; ++line) text += "a\",\"\n";
    const std::string path = folder.file("hostile.csv", text);
    const std::clock_t start = std::clock();
    REQUIRE(scan_file(path, {.record_bytes_max = std::size_t{1} << 30U}).size() == lines);
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  const double small = std::max(seconds_for(20'000), 0.002);
  // Sixteen times the input: a quadratic reader would take 256 times as long.
  REQUIRE(seconds_for(320'000) < 100 * small);
}

TEST_CASE("hostile positions are refused", "[connectors][csv]") {
  using csv::detail::decode_position;
  for (const char* wrong :
       {"", "csv1", "csv1:1:1", "csv1:1:1:1:", "csv1:-1:1:1", "csv1:1:0:1", "csv2:1:1:1",
        "csv1:1:1:99999999999999999999", "csv1: 1:1:1", "csv1:1:1:1 "}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(decode_position(wrong));
  }
  REQUIRE(decode_position("csv1:5:2:0")->byte == 5);
}
