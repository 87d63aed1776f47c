// What a user's program does with the installed package: it composes, runs, checkpoints and resumes
// a pipeline, so that headers, library and everything the library needs are found and fit.
#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace fr = freshet;
using namespace std::chrono_literals;

struct reading {
  std::string sensor;
  double value = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(reading, (), (sensor, value, at))

absl::Status run() {
  fr::pipeline p("consumer");
  p.from("readings", fr::values<reading>({{"a", 2, fr::timestamp{1s}}, {"a", 3, fr::timestamp{2s}}}))
      | fr::event_time(&reading::at, fr::bounded_disorder{1s})
      | fr::key_by(&reading::sensor)
      | fr::window(fr::tumbling{.size = 10s})
      | fr::aggregate("sums", fr::sum("sum", &reading::value))
      | fr::to("sums", fr::csv::write("sums.csv"));
  return p.run({.checkpoint = {.directory = "state"}});
}

int main() {
  std::filesystem::remove_all("state");
  for (int start = 0; start < 2; ++start) {  // The second finds a finished job.
    const absl::Status done = run();
    if (!done.ok()) {
      std::fprintf(stderr, "%s\n", std::string(done.message()).c_str());
      return 1;
    }
  }
  std::ifstream file("sums.csv");
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  const std::string wanted =
      "sensor,window_start,window_end,sum\na,1970-01-01T00:00:00Z,1970-01-01T00:00:10Z,5\n";
  if (found == wanted) return 0;
  std::fprintf(stderr, "found\n%swanted\n%s", found.c_str(), wanted.c_str());
  return 1;
}
