// Real data for the tests of csv_windows: CSV texts with a column of times, made by a freshet
// pipeline from files that others have recorded.
//
// The files are looked for in the folder $FRESHET_DATA, else beside the source tree, in
// ../shared/data. Where one is absent, its test says so and passes. Order: as in the file. Memory:
// the whole text.
#pragma once

#include <optional>
#include <string>

namespace csv_windows_test {

/// The flights of hflights.csv.xz: at (departure, ISO 8601), carrier, tail, delay (of the arrival,
/// in minutes). Cancelled flights have no time, and these and diverted ones no delay: dead rows.
std::optional<std::string> flights_csv();

/// The requests of apache_access_10k.log.gz: at (epoch seconds), host, bytes (`-` for none).
std::optional<std::string> requests_csv();

/// Tells that a test was left out because its file is absent.
void skip_without(const std::string& file);

}  // namespace csv_windows_test
