// Which files a file source reads: patterns, names, and compressed files under any name.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>

#include <boost/describe/class.hpp>
#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/bzip2.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace fr = freshet;
namespace io = boost::iostreams;
using csv_test::read_split;
using csv_test::temporary_folder;

namespace {

struct numbered {
  int number = 0;
  bool operator==(const numbered&) const = default;
};
BOOST_DESCRIBE_STRUCT(numbered, (), (number))

std::vector<std::string> splits_of(const std::vector<std::string>& paths) {
  return fr::csv::read<numbered>(paths).open().value()->splits();
}

std::string failure_of(const std::vector<std::string>& paths) {
  const absl::Status status = fr::csv::read<numbered>(paths).open().status();
  return {status.message().data(), status.message().size()};
}

}  // namespace

TEST_CASE("a pattern stands for the files that match, in the order of their bytes",
          "[connectors][files]") {
  const temporary_folder folder;
  for (const char* name : {"b.csv", "a.csv", "B.csv", "a10.csv", "a9.csv", "c.txt", ".a.csv"}) {
    folder.file(name, "number\n1\n");
  }
  std::filesystem::create_directory(folder / "d.csv");
  CHECK(splits_of({folder / "*.csv"}) ==
        std::vector<std::string>{folder / "B.csv", folder / "a.csv", folder / "a10.csv",
                                 folder / "a9.csv", folder / "b.csv"});
  CHECK(splits_of({folder / "c.txt", folder / "a?.csv", folder / "[b]*"}) ==
        std::vector<std::string>{folder / "c.txt", folder / "a9.csv", folder / "b.csv"});
}

TEST_CASE("a file whose name looks like a pattern is that file", "[connectors][files]") {
  const temporary_folder folder;
  folder.file("a1.csv", "number\n1\n");
  const std::string path = folder.file("a[1].csv", "number\n2\n");
  CHECK(read_split(fr::csv::read<numbered>(path)).rows == std::vector<numbered>{{2}});
}

TEST_CASE("a pattern without a match, and a file that two patterns match, are errors",
          "[connectors][files]") {
  const temporary_folder folder;
  const std::string path = folder.file("a.csv", "number\n1\n");
  CHECK(failure_of({folder / "*.log"}) ==
        "csv::read '" + (folder / "*.log") +
            "': no file matches, wanted at least one; correct the pattern, or its folder");
  CHECK(failure_of({folder / "a*", folder / "*.csv"}) ==
        "csv::read '" + path + "': given twice, wanted each file once; drop the repetition");
  CHECK(failure_of({}) == "csv::read: no path, wanted at least one; give it a file");
}

TEST_CASE("compressed files are known by their first bytes, too", "[connectors][files]") {
  const temporary_folder folder;
  const auto compressed = [](auto filter) {
    std::string result;
    io::filtering_ostream out;
    out.push(filter);
    out.push(io::back_inserter(result));
    out << "number\n1\n22\n";
    out.reset();
    return result;
  };
  const auto rows = [&](const std::string& bytes) {
    return read_split(fr::csv::read<numbered>(folder.file("a.log.1", bytes))).rows;
  };
  const std::vector<numbered> expected{{1}, {22}};
  CHECK(rows(compressed(io::gzip_compressor())) == expected);
  CHECK(rows(compressed(io::bzip2_compressor())) == expected);
  CHECK(rows(compressed(io::lzma_compressor())) == expected);
  CHECK(rows(compressed(io::zstd_compressor())) == expected);
  CHECK(rows("number\n1\n22\n") == expected);

  const std::string whole = compressed(io::gzip_compressor());
  const absl::Status cut =
      read_split(fr::csv::read<numbered>(folder.file("b", whole.substr(0, 20)))).status;
  CHECK(cut.code() == absl::StatusCode::kDataLoss);
  CHECK(std::string(cut.message().data(), cut.message().size()).find("bytes of text") !=
        std::string::npos);
}
