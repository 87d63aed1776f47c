// Requests and errors by the day, and visits that look for what is not there, from the log of a web
// server.
//
// Run: tail_access_log access.log.gz            to read what there is
//      tail_access_log access.log checkpoints   to follow a log that grows, through rotations; stop
//                                               it with Ctrl-C, start it again, and it goes on
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/lines.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace fr = freshet;
using namespace std::chrono_literals;

struct request {
  std::string host;
  fr::timestamp at;
  int status = 0;
};
BOOST_DESCRIBE_STRUCT(request, (), (host, at, status))

/// A line of the "combined" format: `host - - [17/May/2015:10:05:03 +0000] "GET /" 200 ...`.
std::optional<request> parse(const std::string& line) {
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::array<char, 256> host{};
  std::array<char, 4> month{};
  unsigned day = 0, year = 0, hour = 0, minute = 0, second = 0;
  int zone = 0, status = 0;
  const int found =
      std::sscanf(line.c_str(), "%255s %*s %*s [%2u/%3s/%4u:%2u:%2u:%2u %5d]", host.data(), &day,
                  month.data(), &year, &hour, &minute, &second, &zone);
  const std::size_t number = months.find(month.data());
  const std::size_t behind = line.find("\" ");  // Of the request.
  if (found != 8 || number % 3 != 0 || behind == std::string::npos) return std::nullopt;
  if (std::sscanf(line.c_str() + behind, "\" %3d", &status) != 1) return std::nullopt;
  const auto local = fr::parse_iso_8601(fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", year,
                                                    number / 3 + 1, day, hour, minute, second));
  if (!local) return std::nullopt;
  return request{host.data(), *local - (zone / 100 * 1h + zone % 100 * 1min), status};
}

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "access.log";
  const bool follows = argc > 2;
  fr::pipeline p("tail_access_log");

  auto log = p.from("log", follows ? fr::lines::read(path, {.follow = fr::follow{}})
                                   : fr::lines::read(path));
  auto requests = log | fr::flat_map<request>([](const std::string& line, auto& emit) {
                    if (const auto parsed = parse(line)) emit(*parsed);
                  })
                  | fr::event_time(&request::at, fr::bounded_disorder(1h));

  const auto failed = [](const request& each) { return each.status >= 400; };
  requests | fr::key_by([](const request&) { return std::string("all"); })
           | fr::window(fr::tumbling(24h))
           | fr::aggregate("days", fr::count("requests"), fr::count("errors", failed))
           | fr::to("print days", fr::callback([](const auto& row) {
               const auto& [count, errors] = row.values;
               fmt::print("{}: {} requests, {:.1f} % errors\n",
                          fr::to_iso_8601(row.window.begin).substr(0, 10), count,
                          100.0 * static_cast<double>(errors) / static_cast<double>(count));
             }));

  requests | fr::key_by(&request::host) | fr::window(fr::session(30min))
           | fr::aggregate("visits", fr::count("requests"), fr::count("errors", failed))
           | fr::to("print visits", fr::callback([](const auto& row) {
               const auto& [count, errors] = row.values;
               if (errors < 4) return;
               fmt::print("  {} {}: {} of {} requests failed within {}\n",
                          fr::to_iso_8601(row.window.begin), row.key, errors, count,
                          fr::to_text(row.window.end - row.window.begin - 30min));
             }));

  log | fr::filter([](const std::string& line) { return !parse(line); })
      | fr::to("unread", fr::callback([](const std::string& line) {
          fmt::print(stderr, "no request: {}\n", line);
        }));

  fr::run_options options;
  if (follows) options.checkpoint.directory = argv[2];
  const absl::Status done = p.run(options);
  if (done.ok()) return 0;
  fmt::print(stderr, "tail_access_log: {}\n", std::string(done.message()));
  return 1;
}
