// The flights that left Houston in 2011, with features from trailing windows over what was known 30
// minutes before departure: a pipeline of its own, whose rows are the training set.
#include "dataset.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

namespace sampling_benchmark {
namespace {

using namespace std::chrono_literals;

constexpr double late_minutes = 45;
constexpr auto known_before = 30min;

/// A line of the file. Times are local, `hhmm`; a cancelled flight has none.
struct line {
  int year = 0;
  unsigned month = 0, day = 0;
  std::optional<double> departure;
  std::string carrier;
  std::optional<double> elapsed, arrival_delay, departure_delay;  // Minutes.
  std::string origin, destination;
  double miles = 0;
};
BOOST_DESCRIBE_STRUCT(line, (),
                      (year, month, day, departure, carrier, elapsed, arrival_delay,
                       departure_delay, origin, destination, miles))

/// A flight that left, in Houston's time: all of them begin there, so no other is needed.
struct flight {
  std::array<std::uint32_t, 3> keys{};  // Carrier, origin, destination.
  fr::timestamp scheduled;
  fr::duration left_after{};               // Its scheduled time.
  std::optional<fr::duration> came_after;  // Its departure; absent where it was diverted.
  double departure_delay = 0;
  std::optional<double> arrival_delay;
  double miles = 0;
};

/// What happens in the order of time: a flight is asked about, leaves, or arrives.
struct flight_event {
  std::uint32_t flight = 0;
  std::uint32_t carrier = 0, origin = 0, destination = 0;
  bool asked = false;
  std::optional<double> departure_delay, arrival_delay;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(flight_event, (),
                      (flight, carrier, origin, destination, asked, departure_delay, arrival_delay,
                       at))

void run(fr::pipeline& p) {
  const absl::Status done = p.run();
  if (!done.ok()) throw std::runtime_error(std::string(done.message()));
}

class flight_reader {
 public:
  explicit flight_reader(const std::string& path) {
    fr::pipeline p("flights");
    p.from("flights", fr::csv::read<line>(path, {.rename = {{"year", "Year"},
                                                            {"month", "Month"},
                                                            {"day", "DayofMonth"},
                                                            {"departure", "DepTime"},
                                                            {"carrier", "UniqueCarrier"},
                                                            {"elapsed", "ActualElapsedTime"},
                                                            {"arrival_delay", "ArrDelay"},
                                                            {"departure_delay", "DepDelay"},
                                                            {"origin", "Origin"},
                                                            {"destination", "Dest"},
                                                            {"miles", "Distance"}}})) |
        fr::to("memory", fr::callback([this](const line& each) { take(each); }));
    run(p);
    std::stable_sort(flights_.begin(), flights_.end(),
                     [](const flight& a, const flight& b) { return a.scheduled < b.scheduled; });
  }

  const std::vector<flight>& flights() const { return flights_; }

 private:
  void take(const line& each) {
    if (!each.departure || !each.departure_delay) return;
    const auto clock = static_cast<int>(std::lround(*each.departure));
    const int left = clock / 100 * 60 + clock % 100;
    const auto delay = static_cast<int>(std::lround(*each.departure_delay));
    const int scheduled = ((left - delay) % 1440 + 1440) % 1440;  // The date is that of the plan.
    flight made;
    const std::chrono::year_month_day date{
        std::chrono::year(each.year), std::chrono::month(each.month), std::chrono::day(each.day)};
    made.scheduled = std::chrono::sys_days(date) + std::chrono::minutes(scheduled);
    made.left_after = std::chrono::minutes(delay);
    made.departure_delay = *each.departure_delay;
    if (each.arrival_delay && each.elapsed) {
      made.arrival_delay = each.arrival_delay;
      made.came_after = std::chrono::minutes(std::lround(*each.elapsed));
    }
    made.miles = each.miles;
    made.keys = {number_of("carrier " + each.carrier), number_of("origin " + each.origin),
                 number_of("destination " + each.destination)};
    flights_.push_back(made);
  }

  std::uint32_t number_of(const std::string& name) {
    return numbers_.emplace(name, static_cast<std::uint32_t>(numbers_.size())).first->second;
  }

  std::vector<flight> flights_;
  std::map<std::string, std::uint32_t> numbers_;
};

std::vector<flight_event> events_of(const std::vector<flight>& flights) {
  std::vector<flight_event> events;
  for (std::uint32_t i = 0; i < flights.size(); ++i) {
    const flight& each = flights[i];
    flight_event event;
    event.flight = i;
    event.carrier = each.keys[0];
    event.origin = each.keys[1];
    event.destination = each.keys[2];
    event.asked = each.arrival_delay.has_value();
    event.at = each.scheduled - known_before;
    if (event.asked) events.push_back(event);
    event.asked = false;
    event.departure_delay = each.departure_delay;
    event.at = each.scheduled + each.left_after;
    events.push_back(event);
    if (!each.came_after) continue;
    event.departure_delay.reset();
    event.arrival_delay = each.arrival_delay;
    event.at += *each.came_after;
    events.push_back(event);
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const flight_event& a, const flight_event& b) { return a.at < b.at; });
  return events;
}

struct key_of {
  std::uint32_t flight_event::* member;
  std::uint32_t operator()(const flight_event& event) const { return event.*member; }
};

constexpr std::size_t spans = 3;
constexpr std::size_t means = 2 * spans;  // Of one key.
constexpr std::size_t hours = 24;
constexpr std::size_t weekdays = 7;
constexpr std::size_t features = 3 * means + hours + weekdays + 1;

/// Delays have a long tail, which a network takes badly: minutes near 0, their logarithm beyond.
float flattened(double minutes) {
  return static_cast<float>(std::copysign(std::log1p(std::abs(minutes) / 5), minutes));
}

/// Fills in the trailing means of all flights, key by key.
void add_means(const std::vector<flight>& flights, std::vector<float>& numbers) {
  fr::pipeline p("delays");
  const auto events = p.from("events", fr::values(events_of(flights))) |
                      fr::event_time(&flight_event::at, fr::bounded_disorder{0s});
  std::size_t begin = 0;
  for (const auto& [name, member] :
       {std::pair{"carrier", &flight_event::carrier}, std::pair{"origin", &flight_event::origin},
        std::pair{"destination", &flight_event::destination}}) {
    const auto fill = [&numbers, begin](const auto& row) {
      if (!row.asked) return;
      float* to = &numbers[row.flight * features + begin];
      for (const auto& [departures, arrivals] : row.trailing) {
        for (const std::optional<double>& mean : {departures, arrivals}) {
          *to++ = flattened(mean.value_or(0.0));
        }
      }
    };
    events | fr::key_by(key_of{member}) |
        fr::trailing(name, {1h, 4h, 24h}, fr::mean("departure", &flight_event::departure_delay),
                     fr::mean("arrival", &flight_event::arrival_delay)) |
        fr::to(std::string(name) + " means", fr::callback(fill));
    begin += means;
  }
  run(p);
}

/// One number per hour and per weekday, of which one each is 1; and the distance.
void add_calendar(const flight& each, float* to) {
  const auto day = std::chrono::floor<std::chrono::days>(each.scheduled);
  to[(each.scheduled - day) / 1h] = 1;
  to[hours + std::chrono::weekday(day).c_encoding()] = 1;
  to[hours + weekdays] = static_cast<float>(std::log(each.miles + 1));
}

}  // namespace

dataset read_flights(const std::string& path) {
  const flight_reader reader(path);
  const std::vector<flight>& flights = reader.flights();
  if (flights.empty()) throw std::runtime_error(fmt::format("'{}': no flights in it", path));
  std::vector<float> numbers(flights.size() * features);
  add_means(flights, numbers);

  dataset data;
  data.name = "hflights";
  data.features = features;
  data.half_life = 14 * 24h;
  const fr::timestamp first = flights.front().scheduled;
  const fr::duration year = flights.back().scheduled - first;
  const fr::timestamp test_begin = first + year / 10 * 8;
  const fr::timestamp validation_begin = first + year / 10 * 7;
  std::size_t late = 0;
  std::size_t known = 0;
  for (std::size_t i = 0; i < flights.size(); ++i) {
    const flight& each = flights[i];
    if (!each.arrival_delay) continue;
    float* const row = &numbers[i * features];
    add_calendar(each, row + 3 * means);
    labelled_rows& part = each.scheduled >= test_begin         ? data.test
                          : each.scheduled >= validation_begin ? data.validation
                                                               : data.train;
    const bool is_late = *each.arrival_delay >= late_minutes;
    part.numbers.insert(part.numbers.end(), row, row + features);
    part.labels.push_back(is_late ? 1 : 0);
    if (&part == &data.train) data.times.push_back(each.scheduled - known_before);
    late += is_late ? 1 : 0;
    ++known;
  }
  standardise(data);
  data.curve_rows = data.test.size();
  data.about = fmt::format(
      "flights from Houston, {} of which {:.1f} % arrive 45 minutes late or later; in the order of "
      "time {} for training, {} for validation, {} for the test",
      known, 100.0 * static_cast<double>(late) / static_cast<double>(known), data.train.size(),
      data.validation.size(), data.test.size());
  return data;
}

}  // namespace sampling_benchmark
