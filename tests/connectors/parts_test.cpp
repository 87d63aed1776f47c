// Output in parts: which files there are, and that they hold what was committed, once.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/jsonl.hpp>
#include <freshet/connectors/lines.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/testing/sink_contract.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace fr = freshet;
namespace fs = std::filesystem;
using csv_test::content;
using csv_test::temporary_folder;
using namespace std::chrono_literals;

namespace {

struct row {
  int number = 0;
  std::string text;
  fr::timestamp at{};
  bool operator==(const row&) const = default;
};
BOOST_DESCRIBE_STRUCT(row, (), (number, text, at))

using texts = std::vector<std::string>;

/// The files below `folder` whose names a reader looks for, or all.
texts files_in(const std::string& folder, bool all = false) {
  texts found;
  for (const auto& each : fs::recursive_directory_iterator(folder)) {
    const std::string name = each.path().filename().string();
    if (each.is_regular_file() && (all || name.starts_with("part-"))) {
      found.push_back(fs::relative(each.path(), folder).string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The numbers in all published parts, sorted.
std::vector<int> numbers_in(const std::string& folder) {
  std::vector<int> numbers;
  for (const std::string& each : files_in(folder)) {
    const auto part = csv_test::read_split(fr::csv::read<row>(folder + "/" + each));
    REQUIRE((part.status.ok() && part.dead.empty()));
    for (const row& one : part.rows) numbers.push_back(one.number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

const auto by_parity = [](const row& one) { return one.number % 2 == 0 ? "even" : "odd"; };

using opened = std::unique_ptr<fr::sink<row>>;

opened open(const auto& description) {
  return description.template open<row>({}).value();
}

void write(fr::sink<row>& sink, const std::vector<row>& rows) {
  fr::batch<row> batch;
  batch.values = rows;
  const absl::Status status = sink.write(batch);
  CAPTURE(std::string(status.message().data(), status.message().size()));
  REQUIRE(status.ok());
}

std::string prepared(fr::sink<row>& sink) {
  const auto token = sink.prepare();
  REQUIRE(token.ok());
  return *token;
}

std::string message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace

TEST_CASE("a part gets its name with the first commit after it was closed", "[connectors][parts]") {
  const temporary_folder folder;
  const auto sink = open(fr::csv::write_parts(folder / "out", by_parity, {.bytes_max = 50}));
  REQUIRE(sink->start(std::nullopt).ok());
  write(*sink, {{1, "a"}, {2, "b"}, {3, "c"}});
  CHECK(files_in(folder / "out").empty());
  CHECK(files_in(folder / "out", true) ==
        texts{"even/.part-000001.csv.inprogress", "odd/.part-000000.csv.inprogress"});
  const std::string token = prepared(*sink);
  CHECK(files_in(folder / "out").empty());
  REQUIRE(sink->commit(token, false).ok());
  CHECK(files_in(folder / "out") == texts{"odd/part-000000.csv"});  // Full after two rows.
  CHECK(content(folder / "out/odd/part-000000.csv") ==
        "number,text,at\n1,a,1970-01-01T00:00:00Z\n3,c,1970-01-01T00:00:00Z\n");
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(files_in(folder / "out", true) == texts{"even/part-000001.csv", "odd/part-000000.csv"});
}

TEST_CASE("a row with line ends in it stays in one part", "[connectors][parts]") {
  const temporary_folder folder;
  const auto sink =
      open(fr::csv::write_parts(folder / "out", fr::in_one_folder{}, {.bytes_max = 60}));
  REQUIRE(sink->start(std::nullopt).ok());
  std::vector<int> expected;
  for (int number = 0; number < 40; ++number) {
    write(*sink, {{number, "a\nb\n\n" + std::string(static_cast<std::size_t>(number), '\n')}});
    expected.push_back(number);
  }
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(numbers_in(folder / "out") == expected);
  CHECK(files_in(folder / "out").size() > 10);
}

TEST_CASE("parts hold what was committed whatever crashes", "[connectors][parts]") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 16; ++round) {
    const temporary_folder folder;
    const bool at_once = round % 2 == 0;  // Parts are closed at every checkpoint.
    const auto description = fr::csv::write_parts(
        folder / "out", [](const row& one) { return std::to_string(one.number % 4); },
        {.bytes_max = 40 + random() % 200,
         .age_max = at_once ? fr::duration(0) : fr::duration(1h),
         .open_max = 1 + random() % 4});
    struct point {
      std::string token;
      std::vector<int> rows;
    };
    std::vector<point> commits;
    std::vector<int> rows;
    opened sink = open(description);
    REQUIRE(sink->start(std::nullopt).ok());
    const auto commit = [&](bool last) {
      const std::string token = prepared(*sink);
      // The checkpoint holds the token now; its commit may come late, or by the next start.
      commits.push_back({token, rows});
      if (!last && random() % 3 == 0) return;
      REQUIRE(sink->commit(token, last).ok());
      if (at_once || last) REQUIRE(numbers_in(folder / "out") == rows);
    };
    commit(false);
    int next = 0;
    for (int step = 0; step < 20; ++step) {
      switch (random() % 4) {
        case 0:
          commit(false);
          break;
        case 1: {  // A crash; sometimes with the newest checkpoints gone.
          if (random() % 3 == 0) {
            while (commits.size() > 1 && random() % 2 == 0) commits.pop_back();
          } else if (random() % 2 == 0) {
            (void)prepared(*sink);
          }
          sink = open(description);
          REQUIRE(sink->start(commits.back().token).ok());
          rows = commits.back().rows;
          if (random() % 2 == 0) REQUIRE(sink->commit(commits.back().token, false).ok());
          break;
        }
        default: {
          std::vector<row> more;
          for (std::uint64_t left = random() % 6; left > 0; --left) {
            more.push_back({next, "x", {}});
            rows.push_back(next++);
          }
          write(*sink, more);
        }
      }
      const std::vector<int> found = numbers_in(folder / "out");
      REQUIRE(std::adjacent_find(found.begin(), found.end()) == found.end());
    }
    commit(true);
    REQUIRE(files_in(folder / "out", true) == files_in(folder / "out"));  // Nothing is left over.
  }
}

TEST_CASE("write_parts keeps the sink contract", "[connectors][parts][contract]") {
  int round = 0;
  const temporary_folder folder;
  const auto make_place = [&] {
    const std::string path = folder / std::to_string(++round);
    return fr::sink_place<std::string>{
        .open =
            [path] {
              return fr::lines::write_parts(path, [](const std::string& line) { return line; })
                  .open<std::string>({});
            },
        .published =
            [path] {
              texts all;
              for (const std::string& each : fs::exists(path) ? files_in(path) : texts()) {
                const auto part = csv_test::read_split(fr::lines::read(path + "/" + each));
                all.insert(all.end(), part.rows.begin(), part.rows.end());
              }
              return all;
            }};
  };
  fr::check_sink<std::string>(make_place, {"a", "b", "c", "d", "e"}, {.at_end_only = true});
}

TEST_CASE("no partition leads out of the folder", "[connectors][parts]") {
  const temporary_folder folder;
  const auto sink = open(fr::jsonl::write_parts(folder / "out", &row::text, {.open_max = 2}));
  REQUIRE(sink->start(std::nullopt).ok());
  const std::string byte_zero("a\0b", 3);
  for (const std::string& name :
       {std::string("../../x"), std::string("/x"), std::string("a//b"), std::string(".."),
        std::string("."), byte_zero, std::string("line\nend"), std::string(1000, 'y'),
        std::string("part-000000.jsonl")}) {
    write(*sink, {{1, name}});
  }
  const std::string token = prepared(*sink);
  REQUIRE(open(fr::jsonl::write_parts(folder / "out", &row::text))->start(token).ok());
  REQUIRE(sink->commit(token, true).ok());
  const texts found = files_in(folder / "out");
  CHECK(found.size() == 9);
  CHECK(std::find(found.begin(), found.end(), "%2E./%2E./x/part-000000.jsonl") != found.end());
  CHECK(files_in(folder / "").size() == 9);
}

TEST_CASE("a fresh start wants a folder without parts", "[connectors][parts]") {
  const temporary_folder folder;
  const auto description = fr::csv::write_parts(folder / "out");
  {
    const auto sink = open(description);
    REQUIRE(sink->start(std::nullopt).ok());
    write(*sink, {{1, ""}});
    (void)prepared(*sink);
  }
  const auto sink = open(description);  // The hidden part is gone with the crash.
  REQUIRE(sink->start(std::nullopt).ok());
  write(*sink, {{2, ""}});
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(numbers_in(folder / "out") == std::vector<int>{2});
  CHECK(message(open(description)->start(std::nullopt)) ==
        "csv::write_parts '" + (folder / "out") + "': '" + (folder / "out/part-000000.csv") +
            "' is there already, wanted a folder without parts for a job that starts anew; remove "
            "them, or give another folder");
  CHECK(numbers_in(folder / "out") == std::vector<int>{2});
}

TEST_CASE("published parts may be taken away", "[connectors][parts]") {
  const temporary_folder folder;
  const auto description =
      fr::csv::write_parts(folder / "out", fr::in_one_folder{}, {.age_max = 0us});
  std::string token;
  {
    const auto sink = open(description);
    REQUIRE(sink->start(std::nullopt).ok());
    write(*sink, {{1, ""}});
    token = prepared(*sink);
    REQUIRE(sink->commit(token, false).ok());
    fs::remove(folder / "out/part-000000.csv");
  }
  const auto sink = open(description);
  REQUIRE(sink->start(token).ok());
  REQUIRE(sink->commit(token, false).ok());
  write(*sink, {{2, ""}});
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(files_in(folder / "out") == texts{"part-000001.csv"});
}

TEST_CASE("a full disk is an error, and no part is published", "[connectors][parts]") {
  if (::access("/dev/full", W_OK) != 0) return;  // Only Linux has a disk that is always full.
  const temporary_folder folder;
  const auto sink = open(fr::csv::write_parts(folder / "out"));
  REQUIRE(sink->start(std::nullopt).ok());
  fs::create_symlink("/dev/full", folder / "out/.part-000000.csv.inprogress");
  write(*sink, {{1, ""}});
  CHECK(message(sink->prepare().status())
            .ends_with("(No space left on device); free some space and start again"));
  CHECK_FALSE(sink->commit("parts1:1\n", true).ok());
  CHECK(files_in(folder / "out").empty());
}

TEST_CASE("hostile tokens of parts are refused", "[connectors][parts]") {
  const temporary_folder folder;
  const std::string file = "file2:1:1:1";
  for (const std::string& token :
       {std::string(), std::string("parts1:"), std::string("parts1:x\n"),
        std::string("file2:1:1:1"), "parts1:1\nopen 0 0 " + file + " ../part-000000.csv\n",
        "parts1:1\nopen 0 0 " + file + " /part-000000.csv\n",
        "parts1:1\nopen 1 0 " + file + " part-000000.csv\n",
        "parts1:1\nopen 0 0 " + file + " other.csv\n",
        "parts1:1\nmaybe 0 0 " + file + " part-000000.csv\n",
        "parts1:1\nopen 0 0 " + file + " part-000000.csv\n"}) {
    CAPTURE(token);
    CHECK_FALSE(open(fr::csv::write_parts(folder / "out"))->start(token).ok());
  }
}

TEST_CASE("partitions have the names that other tools know", "[connectors][parts]") {
  const row one{7, "a/b%", fr::parse_iso_8601("2026-11-28T04:59:59.999999Z").value()};
  CHECK(fr::daily(&row::at)(one) == "day=2026-11-28");
  CHECK(fr::hourly(&row::at)(one) == "day=2026-11-28/hour=04");
  CHECK(fr::by_value("text", &row::text)(one) == "text=a%2Fb%25");
  CHECK(fr::in_one_folder{}(one).empty());
  CHECK_THROWS_AS(fr::csv::write_parts("a", fr::in_one_folder{}, {.bytes_max = 0}),
                  std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::write_parts("a", fr::in_one_folder{}, {.open_max = 0}),
                  std::invalid_argument);
  CHECK_THROWS_AS(fr::csv::write_parts("a", fr::in_one_folder{}, {.age_max = -1us}),
                  std::invalid_argument);
}
