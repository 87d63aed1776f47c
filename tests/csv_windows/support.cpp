#include "csv_windows/support.hpp"

#include "catch.hpp"

#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <utility>

namespace csv_windows_test {

std::string compressed(const std::string& text, const std::string& kind) {
  std::string result;
  boost::iostreams::filtering_ostream out;
  if (kind == ".gz") out.push(boost::iostreams::gzip_compressor());
  if (kind == ".xz") out.push(boost::iostreams::lzma_compressor());
  out.push(boost::iostreams::back_inserter(result));
  out << text;
  out.reset();
  return result;
}

running_program::running_program(const arguments& given, std::string errors_path)
    : freshet::test::running_program(freshet::test::built_program("examples/csv_windows"), given,
                                     std::move(errors_path)) {}

ending run_program(const arguments& given) {
  const scratch_folder folder;
  running_program program(given, folder / "errors");
  return program.wait();
}

std::string run_successfully(const arguments& given) {
  const ending how = run_program(given);
  INFO(how.errors);
  REQUIRE(!how.killed);
  REQUIRE(how.exit_code == 0);
  return how.errors;
}

}  // namespace csv_windows_test
