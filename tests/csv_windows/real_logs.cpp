// From the recorded files to the texts.
#include "csv_windows/real_logs.hpp"

#include "csv_windows/support.hpp"

#include "catch.hpp"

#include <freshet/connectors/csv.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/pipeline/transform.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace csv_windows_test {

namespace fr = freshet;

namespace {

struct flight {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  std::optional<double> clock;  ///< Local time of departure as hhmm, up to 2400.
  std::string carrier;
  std::string tail;
  std::optional<double> delay;
};
BOOST_DESCRIBE_STRUCT(flight, (), (year, month, day, clock, carrier, tail, delay))

struct flight_row {
  std::optional<fr::timestamp> at;
  std::string carrier;
  std::string tail;
  std::optional<double> delay;
};
BOOST_DESCRIBE_STRUCT(flight_row, (), (at, carrier, tail, delay))

/// A line of the log, split at blanks: `host - - [17/May/2015:10:05:03 +0000] "..." 200 1234 ...`.
struct log_line {
  std::string host;
  std::string identity;
  std::string user;
  std::string clock;
  std::string zone;
  std::string request;
  std::string status;
  std::string bytes;
};
BOOST_DESCRIBE_STRUCT(log_line, (), (host, identity, user, clock, zone, request, status, bytes))

struct request_row {
  fr::timestamp at;
  std::string host;
  std::string bytes;
};
BOOST_DESCRIBE_STRUCT(request_row, (), (at, host, bytes))

flight_row row_of(const flight& of) {
  flight_row row{std::nullopt, of.carrier, of.tail, of.delay};
  if (of.clock) {
    const std::chrono::year_month_day date{std::chrono::year(of.year), std::chrono::month(of.month),
                                           std::chrono::day(of.day)};
    const long clock = std::lround(*of.clock);
    row.at = std::chrono::sys_days(date) + std::chrono::hours(clock / 100) +
             std::chrono::minutes(clock % 100);
  }
  return row;
}

/// The time in `[17/May/2015:10:05:03`, all of which in that log are UTC.
fr::timestamp time_in(const std::string& clock) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto number = [&](std::size_t begin, std::size_t count) {
    return std::stoi(clock.substr(begin, count));
  };
  const auto month = static_cast<unsigned>(months.find(clock.substr(4, 3)) / 3 + 1);
  const std::chrono::year_month_day date{std::chrono::year(number(8, 4)), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(number(1, 2)))};
  return std::chrono::sys_days(date) + std::chrono::hours(number(13, 2)) +
         std::chrono::minutes(number(16, 2)) + std::chrono::seconds(number(19, 2));
}

/// The path of a recorded file, when it is there.
std::optional<std::string> recorded(const std::string& name) {
  std::string folder;
  if (const char* data = std::getenv("FRESHET_DATA")) {
    folder = data;
  } else if (const char* source = std::getenv("FRESHET_SOURCE_DIR")) {
    folder = std::string(source) + "/../shared/data";
  }
  if (!exists(folder + "/" + name)) return std::nullopt;
  return folder + "/" + name;
}

template <class From, class F>
std::string derived_csv(const fr::csv::read_description<From>& from, F row_of_record,
                        const fr::csv::write_options& options) {
  const scratch_folder folder;
  fr::pipeline pipeline("derive");
  pipeline.from("recorded", from) | fr::map(std::move(row_of_record)) |
      fr::to("derived", fr::csv::write(folder / "derived.csv", options));
  const absl::Status done = pipeline.run({});
  INFO(done.ToString());
  REQUIRE(done.ok());
  return content(folder / "derived.csv");
}

}  // namespace

std::optional<std::string> flights_csv() {
  const std::optional<std::string> path = recorded("hflights.csv.xz");
  if (!path) return std::nullopt;
  const fr::csv::read_options columns{.rename = {{"year", "Year"},
                                                 {"month", "Month"},
                                                 {"day", "DayofMonth"},
                                                 {"clock", "DepTime"},
                                                 {"carrier", "UniqueCarrier"},
                                                 {"tail", "TailNum"},
                                                 {"delay", "ArrDelay"}}};
  return derived_csv(fr::csv::read<flight>(*path, columns), row_of, {});
}

std::optional<std::string> requests_csv() {
  const std::optional<std::string> path = recorded("apache_access_10k.log.gz");
  if (!path) return std::nullopt;
  const fr::csv::read_options by_position{.delimiter = ' ', .header = false};
  const auto row_of_line = [](const log_line& line) {
    return request_row{time_in(line.clock), line.host, line.bytes};
  };
  return derived_csv(fr::csv::read<log_line>(*path, by_position), row_of_line,
                     {.time_format = fr::csv::timestamp_format::epoch_s});
}

void skip_without(const std::string& file) {
  WARN("left out: the file " << file << " is absent; give its folder in FRESHET_DATA");
  SUCCEED("nothing to compare with");
}

}  // namespace csv_windows_test
