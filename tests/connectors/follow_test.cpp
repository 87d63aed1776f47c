// Files that grow, are rotated, and are cut while they are read, and while they are not.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/lines.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using csv_test::temporary_folder;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

/// Reads one followed split, as far as there is something, and remembers what came.
template <class Description>
class tail {
 public:
  using row = typename Description::value_type;

  explicit tail(Description from, std::optional<std::string> position = std::nullopt)
      : from_(std::move(from)) {
    resume(position);
  }

  void resume(const std::optional<std::string>& position) {
    source_ = from_.open().value();
    REQUIRE_FALSE(source_->bounded());
    reader_ = source_->open(0, position).value();
  }

  /// The new rows.
  std::vector<row> read(std::size_t limit = 1000) {
    fr::batch<row> rows;
    for (;;) {
      const auto state = reader_->read(limit, rows, dead);
      REQUIRE(state.ok());
      REQUIRE(*state != fr::read_state::end);
      if (*state == fr::read_state::idle) break;
    }
    for (const auto& where : rows.positions) sequences.push_back(where.sequence);
    return rows.values;
  }

  std::string position() const { return reader_->position(); }
  fr::split_reader<row>& reader() { return *reader_; }

  std::vector<fr::dead_letter> dead;
  std::vector<std::uint64_t> sequences;

 private:
  Description from_;
  std::unique_ptr<fr::source<row>> source_;
  std::unique_ptr<fr::split_reader<row>> reader_;
};

tail<fr::lines::read_description> follow(const std::string& path,
                                         std::optional<std::string> position = std::nullopt) {
  return tail(fr::lines::read(path, {.record_bytes_max = 64, .follow = fr::follow{}}), position);
}

void append(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

struct numbered {
  int number = 0;
  bool operator==(const numbered&) const = default;
};
BOOST_DESCRIBE_STRUCT(numbered, (), (number))

}  // namespace

TEST_CASE("what is appended is read, once its line has ended", "[connectors][follow]") {
  const temporary_folder folder;
  const std::string path = folder / "a.log";
  auto log = follow(path);
  CHECK(log.read().empty());  // Not there yet.
  append(path, "");
  CHECK(log.read().empty());
  append(path, "one\ntw");
  CHECK(log.read() == texts{"one"});
  CHECK(log.read().empty());
  append(path, "o\r");
  CHECK(log.read().empty());
  append(path, "\n\nfour\n");
  CHECK(log.read() == texts{"two", "", "four"});
  CHECK(log.sequences == std::vector<std::uint64_t>{0, 4, 9, 10});
  CHECK(log.dead.empty());
  REQUIRE(log.reader().ask_again().has_value());
  CHECK((*log.reader().ask_again() >= 0us && *log.reader().ask_again() <= 200ms));
}

TEST_CASE("a renamed file is read to its end, and then the new one", "[connectors][follow]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.log", "one\n");
  auto log = follow(path);
  CHECK(log.read() == texts{"one"});
  std::filesystem::rename(path, path + ".1");
  append(path + ".1", "two\n");  // Who writes has not seen it yet.
  CHECK(log.read() == texts{"two"});
  append(path, "");  // Made by who rotates.
  append(path + ".1", "thr");
  CHECK(log.read().empty());
  append(path + ".1", "ee");
  append(path, "four\n");  // Now nothing comes to the old one any more.
  CHECK(log.read() == texts{"three", "four"});
  CHECK(log.sequences == std::vector<std::uint64_t>{0, 4, 8, 13});
  CHECK(log.dead.empty());
}

TEST_CASE("a file that is cut is reported, and read from its beginning", "[connectors][follow]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.log", "one\ntwo\nthr");
  auto log = follow(path);
  CHECK(log.read() == texts{"one", "two"});
  SECTION("to nothing") {
    std::filesystem::resize_file(path, 0);
    CHECK(log.read().empty());
    append(path, "four\n");
  }
  SECTION("and is shorter") {
    folder.file("a.log", "four\n");
  }
  SECTION("and has grown beyond") {
    folder.file("a.log", "four\n" + std::string(40, '\n'));
  }
  const texts rest = log.read();
  REQUIRE_FALSE(rest.empty());
  CHECK(rest[0] == "four");
  REQUIRE(log.dead.size() == 1);
  CHECK(log.dead[0].reason.starts_with("the file was cut from 11 to "));
  CHECK(log.sequences[2] == 8);
  std::string found = log.position();
  append(path, "five\n");
  CHECK(follow(path, found).read() == texts{"five"});
}

TEST_CASE("a followed file that is gone at the restart is reported", "[connectors][follow]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.log", "one\ntwo\n");
  std::string position;
  {
    auto log = follow(path);
    CHECK(log.read().size() == 2);
    position = log.position();
  }
  SECTION("removed, and another is there") {
    folder.file("b.log", "three\n");  // Made first, so that it has another inode.
    std::filesystem::rename(folder / "b.log", path);
  }
  SECTION("cut and written anew") {
    folder.file("a.log", "three\n");
  }
  SECTION("removed, and another comes later") {
    std::filesystem::remove(path);
    auto log = follow(path, position);
    CHECK(log.read().empty());
    CHECK(log.dead.size() == 1);
    position = log.position();
    append(path, "three\n");
    auto next = follow(path, position);
    CHECK(next.read() == texts{"three"});
    CHECK(next.dead.empty());
    return;
  }
  auto log = follow(path, position);
  CHECK(log.read() == texts{"three"});
  REQUIRE(log.dead.size() == 1);
  CHECK(log.dead[0].reason ==
        "the file that was read up to byte 8 is gone or was cut, wanted it at its path or beside "
        "it; what was behind that byte is lost, going on at the beginning");
  CHECK(log.sequences == std::vector<std::uint64_t>{8});
}

TEST_CASE("every line comes once whatever is rotated and restarted", "[connectors][follow]") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 60; ++round) {
    const temporary_folder folder;
    const std::string path = folder / "a.log";
    const bool by_date = round % 2 == 1;
    auto log = follow(path);
    texts expected{"begin"};
    append(path, "begin\n");
    texts found = log.read();  // What was rotated before the first look is not its own.
    int rotations = 0;
    const auto rotate = [&] {
      if (!std::filesystem::exists(path) || std::filesystem::file_size(path) == 0) return;
      ++rotations;
      if (by_date) {
        std::filesystem::rename(path, path + "-202611" + std::to_string(10 + rotations));
      } else {
        for (int number = rotations; number > 0; --number) {
          const std::string from = number == 1 ? path : path + "." + std::to_string(number - 1);
          if (std::filesystem::exists(from)) {
            std::filesystem::rename(from, path + "." + std::to_string(number));
          }
        }
      }
    };
    for (int step = 0; step < 40; ++step) {
      switch (random() % 5) {
        case 0:
          if (rotations < 15) rotate();
          break;
        case 1:
          log.resume(log.position());
          break;
        case 2:
          for (const std::string& each : log.read(1 + random() % 3)) found.push_back(each);
          break;
        default:
          expected.push_back(std::to_string(round) + " " + std::to_string(expected.size()));
          append(path, expected.back() + "\n");
      }
    }
    append(path, "end\n");
    expected.emplace_back("end");
    for (const std::string& each : log.read()) found.push_back(each);
    CAPTURE(round, by_date);
    REQUIRE(log.dead.empty());
    REQUIRE(found == expected);
    for (std::size_t next = 1; next < log.sequences.size(); ++next) {
      REQUIRE(log.sequences[next - 1] < log.sequences[next]);
    }
  }
}

TEST_CASE("a line too long is one dead letter, however it comes", "[connectors][follow]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.log", "one\n");
  auto log = follow(path);
  CHECK(log.read() == texts{"one"});
  for (int part = 0; part < 5; ++part) {
    append(path, std::string(40, 'x'));
    CHECK(log.read().empty());
    if (part == 3) log.resume(log.position());
  }
  append(path, "\ntwo\n");
  CHECK(log.read() == texts{"two"});
  REQUIRE(log.dead.size() == 1);
  CHECK((log.dead[0].reason == "longer than 64 bytes" && log.dead[0].line == 2));
}

TEST_CASE("a followed CSV file may have its header in pieces, and again after a rotation",
          "[connectors][follow]") {
  const temporary_folder folder;
  const std::string path = folder / "a.csv";
  tail log(fr::csv::read<numbered>(path, {.follow = fr::follow{}}));
  append(path, "num");
  CHECK(log.read().empty());
  append(path, "ber\n1");
  CHECK(log.read().empty());
  append(path, "\n2\n");
  CHECK(log.read() == std::vector<numbered>{{1}, {2}});
  std::filesystem::rename(path, path + ".1");
  append(path, "number\n3\n");
  log.resume(log.position());
  CHECK(log.read() == std::vector<numbered>{{3}});
  append(path, "\"4\n");
  CHECK(log.read().empty());  // A quote that may still be closed.
  append(path, "\"\n5\n");
  CHECK(log.read() == std::vector<numbered>{{5}});
  CHECK(log.dead.size() == 1);
}

TEST_CASE("what cannot be followed is refused", "[connectors][follow]") {
  const temporary_folder folder;
  const auto failure = [](const std::string& path, fr::follow options) {
    const absl::Status status = fr::lines::read(path, {.follow = options}).open().status();
    return std::string(status.message().data(), status.message().size());
  };
  CHECK(failure(folder / "a.gz", {}) ==
        "lines::read '" + (folder / "a.gz") +
            "': is compressed, wanted a text that grows; read it without .follow");
  CHECK(failure(folder / "", {})
            .ends_with("is no regular file, wanted one that grows; read it without .follow"));
  CHECK(failure(folder / "a", {.poll = 0us}) ==
        "lines::read: .follow looks every 0s, wanted a positive duration; set .poll");
  const auto source = fr::lines::read(folder / "a", {.follow = fr::follow{}}).open().value();
  for (const char* position : {"", "line1:0:1", "follow1:", "follow1:1:2", "follow1:1:2:3:x:"}) {
    CHECK_FALSE(source->open(0, position).ok());
  }
}
