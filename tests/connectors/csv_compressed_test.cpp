// Reading compressed CSV: the same rows and positions as from the plain file, and damage found.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>

#include <boost/describe/class.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/bzip2.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
namespace io = boost::iostreams;
using csv_test::read_split;
using csv_test::temporary_folder;

namespace {

struct numbered {
  int number = 0;
  std::string text;

  bool operator==(const numbered&) const = default;
};
BOOST_DESCRIBE_STRUCT(numbered, (), (number, text))

std::string compressed(const std::string& text, const std::string& kind) {
  std::string result;
  io::filtering_ostream out;
  if (kind == ".gz") out.push(io::gzip_compressor());
  if (kind == ".bz2") out.push(io::bzip2_compressor());
  if (kind == ".xz") out.push(io::lzma_compressor());
  if (kind == ".zst") out.push(io::zstd_compressor());
  out.push(io::back_inserter(result));
  out << text;
  out.reset();
  return result;
}

std::string numbers(int count) {
  std::mt19937_64 random(1);
  std::string text = "number,text\n";
  for (int number = 0; number < count; ++number) {
    text += std::to_string(number) + "," + std::to_string(random()) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("compressed files give the rows and positions of the plain file", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string text = numbers(20'000);
  const auto plain = read_split(fr::csv::read<numbered>(folder.file("a.csv", text)));
  REQUIRE(plain.rows.size() == 20'000);
  for (const std::string kind : {".gz", ".bz2", ".xz", ".zst"}) {
    CAPTURE(kind);
    const std::string path = folder.file("a.csv" + kind, compressed(text, kind));
    const auto all = read_split(fr::csv::read<numbered>(path));
    REQUIRE(all.status.ok());
    REQUIRE(all.rows == plain.rows);
    REQUIRE(all.sequences == plain.sequences);
    REQUIRE(all.positions == plain.positions);
  }
}

TEST_CASE("compressed files are read on from a position", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string text = numbers(3'000);
  for (const std::string kind : {".gz", ".bz2", ".xz", ".zst"}) {
    CAPTURE(kind);
    const auto description =
        fr::csv::read<numbered>(folder.file("a.csv" + kind, compressed(text, kind)));
    const auto whole = read_split(description, 0, std::nullopt, 999);
    for (std::size_t call = 0; call < whole.positions.size(); ++call) {
      const auto rest = read_split(description, 0, whole.positions[call]);
      REQUIRE(rest.status.ok());
      const std::size_t passed = std::min<std::size_t>(999 * (call + 1), 3'000);
      REQUIRE(rest.rows.size() == 3'000 - passed);
      REQUIRE((rest.rows.empty() || rest.rows.front() == whole.rows[passed]));
    }
    REQUIRE_FALSE(read_split(description, 0, "csv1:99999999:2:0").status.ok());
  }
}

TEST_CASE("several compressed streams in one file are read one after the other",
          "[connectors][csv]") {
  const temporary_folder folder;
  for (const std::string kind : {".gz", ".bz2", ".xz", ".zst"}) {
    CAPTURE(kind);
    const std::string path = folder.file(
        "a.csv" + kind, compressed("number,text\n1,a\n", kind) + compressed("2,b\n3,c\n", kind));
    const auto all = read_split(fr::csv::read<numbered>(path));
    CAPTURE(std::string(all.status.message().data(), all.status.message().size()));
    CHECK(all.status.ok());
    CHECK(all.rows == std::vector<numbered>{{1, "a"}, {2, "b"}, {3, "c"}});
  }
}

TEST_CASE("a compressed file that was cut off is an error that names it", "[connectors][csv]") {
  const temporary_folder folder;
  const std::string text = numbers(12'000);  // Several blocks of every kind of compression.
  std::mt19937_64 random(6);
  for (const std::string kind : {".gz", ".bz2", ".xz", ".zst"}) {
    const std::string whole = compressed(text, kind);
    std::vector<std::size_t> cuts = {0, 1, 5, 12, whole.size() - 5, whole.size() - 1};
    for (int round = 0; round < 30; ++round) cuts.push_back(random() % whole.size());
    for (const std::size_t left : cuts) {
      CAPTURE(kind, left, whole.size());
      const std::string path = folder.file("a.csv" + kind, whole.substr(0, left));
      const absl::Status status = read_split(fr::csv::read<numbered>(path)).status;
      CHECK_FALSE(status.ok());
      CHECK(std::string(status.message().data(), status.message().size()).find(path) !=
            std::string::npos);
    }
  }
}

TEST_CASE("a compressed file with a flipped bit never yields wrong rows silently",
          "[connectors][csv]") {
  const temporary_folder folder;
  const std::string text = numbers(2'000);
  const auto plain = read_split(fr::csv::read<numbered>(folder.file("a.csv", text)));
  std::mt19937_64 random(9);
  for (const std::string kind : {".gz", ".bz2", ".xz"}) {  // A .zst has no checksum by default.
    const std::string whole = compressed(text, kind);
    for (int round = 0; round < 60; ++round) {
      std::string damaged = whole;
      damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
      CAPTURE(kind, round);
      const auto all =
          read_split(fr::csv::read<numbered>(folder.file("b.csv" + kind, damaged)));
      REQUIRE((!all.status.ok() || all.rows == plain.rows));
    }
  }
}
