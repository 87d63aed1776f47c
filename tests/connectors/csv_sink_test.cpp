// The CSV sink across crashes: a crash is a sink that is dropped without its commit.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>

#include <boost/describe/class.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

namespace fr = freshet;
using csv_test::content;
using csv_test::temporary_folder;

namespace {

struct row {
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(row, (), (number))

std::string message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

std::unique_ptr<fr::sink<row>> opened(const std::string& path) {
  return fr::csv::write(path).open<row>({}).value();
}

std::unique_ptr<fr::sink<row>> started(const std::string& path,
                                       std::optional<std::string> token = std::nullopt) {
  auto sink = opened(path);
  REQUIRE(sink->start(token).ok());
  return sink;
}

void write(fr::sink<row>& sink, const std::vector<int>& numbers) {
  fr::batch<row> rows;
  for (const int number : numbers) rows.values.push_back({number});
  REQUIRE(sink.write(rows).ok());
}

std::string prepared(fr::sink<row>& sink) {
  const auto token = sink.prepare();
  REQUIRE(token.ok());
  return *token;
}

}  // namespace

TEST_CASE("the file appears at its path with the last commit only", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder.file("out.csv", "old");
  const auto sink = started(path);
  write(*sink, {1});
  REQUIRE(sink->commit(prepared(*sink), false).ok());
  CHECK(content(path) == "old");
  CHECK(content(path + ".inprogress") == "number\n1\n");
  write(*sink, {2});
  const std::string token = prepared(*sink);
  REQUIRE(sink->commit(token, true).ok());
  CHECK(content(path) == "number\n1\n2\n");
  CHECK_FALSE(std::filesystem::exists(path + ".inprogress"));
  CHECK(sink->commit(token, true).ok());  // Repeated.
}

TEST_CASE("rows after the committed checkpoint vanish with a crash", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  std::string token;
  {
    const auto sink = started(path);
    write(*sink, {1, 2});
    token = prepared(*sink);
    write(*sink, {3});
    prepared(*sink);  // Prepared, yet never committed: rows 3 are on the disk.
    write(*sink, {4});
  }
  REQUIRE(content(path + ".inprogress") == "number\n1\n2\n3\n");
  const auto sink = started(path, token);
  CHECK(content(path + ".inprogress") == "number\n1\n2\n");
  write(*sink, {5});
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(content(path) == "number\n1\n2\n5\n");
}

TEST_CASE("a start without a checkpoint forgets what was in progress", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  {
    const auto sink = started(path);
    write(*sink, {1});
    prepared(*sink);
  }
  const auto sink = started(path);
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(content(path) == "number\n");
}

TEST_CASE("a crash before the rename repeats it, one after it is harmless",
          "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  std::string token;
  {
    const auto sink = started(path);
    write(*sink, {1});
    token = prepared(*sink);
  }
  for (int round = 0; round < 2; ++round) {  // The second finds the file renamed.
    const auto sink = started(path, token);
    REQUIRE(sink->commit(token, true).ok());
    CHECK(content(path) == "number\n1\n");
    CHECK_FALSE(std::filesystem::exists(path + ".inprogress"));
    CHECK(prepared(*sink) == token);
  }
}

TEST_CASE("a complete file takes no further row", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  const auto sink = started(path);
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  fr::batch<row> rows;
  rows.values.push_back({1});
  CHECK(message(sink->write(rows)) ==
        "csv::write '" + path +
            "': the file is already complete, wanted no further row; remove "
            "it, or start without the checkpoint");
  CHECK(content(path) == "number\n");
}

TEST_CASE("committed rows that are gone are an error that touches nothing",
          "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder.file("out.csv", "number\n1\n");
  CHECK(message(opened(path)->start("file2:10:1:1")) ==
        "csv::write '" + path + "': '" + path +
            ".inprogress' is missing, wanted the 10 bytes that "
            "the checkpoint counts; put the file back, or start without the checkpoint");
  folder.file("out.csv.inprogress", "number\n");
  const absl::Status status = opened(path)->start("file2:10:1:1");
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(message(status) ==
        "csv::write '" + path + "': '" + path +
            ".inprogress' has 7 bytes, "
            "wanted the 10 bytes that the checkpoint counts; put the file back, or "
            "start without the checkpoint");
  CHECK((content(path) == "number\n1\n" && content(path + ".inprogress") == "number\n"));
}

TEST_CASE("a sink goes back to an older token than its newest", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  std::vector<std::string> tokens;
  {
    const auto sink = started(path);
    for (const int number : {1, 2, 3}) {
      write(*sink, {number});
      tokens.push_back(prepared(*sink));
      REQUIRE(sink->commit(tokens.back(), false).ok());
    }
    SECTION("while the file is in progress") {}
    SECTION("after the file was renamed, by a later commit") {
      REQUIRE(sink->commit(tokens.back(), true).ok());
    }
    SECTION("after the file was renamed, by a commit that is gone itself") {
      write(*sink, {4});
      REQUIRE(sink->commit(prepared(*sink), true).ok());
    }
  }
  const auto sink = started(path, tokens[0]);
  REQUIRE(sink->can_roll_back());
  CHECK(content(path + ".inprogress") == "number\n1\n");
  CHECK_FALSE(std::filesystem::exists(path));
  REQUIRE(sink->commit(tokens[0], false).ok());
  write(*sink, {5});
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(content(path) == "number\n1\n5\n");
}

TEST_CASE("a renamed file takes rows again when the job was not complete after all",
          "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  std::string token;
  {
    const auto sink = started(path);
    write(*sink, {1});
    token = prepared(*sink);
    REQUIRE(sink->commit(token, true).ok());
  }
  const auto sink = started(path, token);
  write(*sink, {2});
  CHECK_FALSE(std::filesystem::exists(path));
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  CHECK(content(path) == "number\n1\n2\n");
}

TEST_CASE("a sink does not cut a file of somebody else, however alike", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder.file("out.csv", "number\n1\n2\n");
  std::string token;
  {
    const auto sink = started(path);
    write(*sink, {1});
    token = prepared(*sink);
  }
  std::filesystem::remove(path + ".inprogress");
  CHECK(opened(path)->start(token).code() == absl::StatusCode::kDataLoss);
  CHECK(content(path) == "number\n1\n2\n");
}

TEST_CASE("a file of the right length with other bytes is not the one that was committed",
          "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  std::string token;
  {
    const auto sink = started(path);
    write(*sink, {1});
    token = prepared(*sink);
  }
  folder.file("out.csv.inprogress", "number\n2\n");
  const absl::Status status = opened(path)->start(token);
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(message(status).find("has others in their place, wanted the 9 bytes") != std::string::npos);
  CHECK(content(path + ".inprogress") == "number\n2\n");
}

TEST_CASE("hostile tokens are refused", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  for (const char* token : {"", "file2:", "file2:-1:1:1", "file2:1", "file2:1:1",
                            "file2:1:1:", "file2:1:1:1 ", "file1:1", "csv1:1:1:0",
                            "file2:99999999999999999999:1:1", "file2:18446744073709551615:1:1"}) {
    CAPTURE(token);
    CHECK_FALSE(opened(path)->start(token).ok());
  }
  const auto sink = started(path);
  CHECK_FALSE(sink->commit("nonsense", true).ok());
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the last commit refuses rows that were not prepared", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  const auto sink = started(path);
  const std::string token = prepared(*sink);
  write(*sink, {1});
  CHECK(message(sink->commit(token, true)) ==
        "csv::write '" + path +
            "': 9 bytes written, wanted the 7 that were prepared; prepare "
            "again before the last commit");
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a file that cannot be written is named", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "none/out.csv";
  CHECK(message(opened(path)->start(std::nullopt)) ==
        "csv::write '" + path + "': cannot create '" + path +
            ".inprogress' (No such file or directory)");
  std::filesystem::create_directory(folder / "sub");
  CHECK(message(opened(folder / "sub")->start(std::nullopt)) ==
        "csv::write '" + (folder / "sub") + "': is a directory, wanted a file; give another path");
}

TEST_CASE("a full disk is an error with advice, and stays one", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  if (::access("/dev/full", W_OK) != 0) return;  // Only Linux has a disk that is always full.
  std::filesystem::create_symlink("/dev/full", path + ".inprogress");
  const auto sink = started(path);
  const std::string expected = "csv::write '" + path + "': cannot write '" + path +
                               ".inprogress' (No space left on device); free some space and start "
                               "again";
  CHECK(message(sink->prepare().status()) == expected);
  CHECK(message(sink->prepare().status()) == expected);
  CHECK(message(sink->commit("file2:0:1:1", true)) == expected);
}

TEST_CASE("rows beyond the buffer keep their order", "[connectors][csv][sink]") {
  const temporary_folder folder;
  const std::string path = folder / "out.csv";
  const auto sink = started(path);
  std::string expected = "number\n";
  for (int round = 0; round < 60; ++round) {
    std::vector<int> numbers;
    const int count = round % 20 == 7 ? 60'000 : 1'000;  // More than the buffer at once, or less.
    for (int number = 0; number < count; ++number) numbers.push_back(round * 100'000 + number);
    for (const int number : numbers) expected += std::to_string(number) + "\n";
    write(*sink, numbers);
  }
  REQUIRE(sink->commit(prepared(*sink), true).ok());
  REQUIRE((content(path) == expected));
}
