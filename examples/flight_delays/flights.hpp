// The flights of the flight_delays example, and how one of them becomes two events.
//
// Times are Houston's local ones, taken as if they were UTC. Arrivals stand on Houston's clock too:
// they are the departure plus the elapsed minutes, because the file's own arrival time is local to
// the airport of arrival. Pure functions of one row.
#pragma once

#include <freshet/connectors/csv.hpp>
#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cmath>
#include <optional>
#include <string>

/// A row of hflights.csv. Cancelled flights have no departure, diverted ones no arrival.
struct flight {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  std::optional<double> departure;        ///< Local clock time as hhmm: 935 is 09:35.
  std::optional<double> departure_delay;  ///< Minutes behind the schedule; negative: ahead of it.
  std::optional<double> arrival_delay;    ///< The same.
  std::optional<double> elapsed;          ///< Minutes from departure to arrival.
  std::string carrier;
  std::string origin;
  std::string destination;
  std::optional<std::string> tail;  ///< The number painted on the aircraft's tail.
};
BOOST_DESCRIBE_STRUCT(flight, (), (year, month, day, departure, departure_delay, arrival_delay,
                                   elapsed, carrier, origin, destination, tail))

/// Which column of the file fills which field.
inline const freshet::csv::read_options flight_columns{
    .rename = {{"year", "Year"}, {"month", "Month"}, {"day", "DayofMonth"},
               {"departure", "DepTime"}, {"departure_delay", "DepDelay"},
               {"arrival_delay", "ArrDelay"}, {"elapsed", "ActualElapsedTime"},
               {"carrier", "UniqueCarrier"}, {"origin", "Origin"}, {"destination", "Dest"},
               {"tail", "TailNum"}}};

/// A departure or an arrival.
struct flight_event {
  freshet::timestamp at;
  bool arrival = false;
  double delay = 0;  ///< Minutes behind the schedule; negative: ahead of it.
  std::string carrier;
  std::string airport;
  std::optional<std::string> tail;
};
BOOST_DESCRIBE_STRUCT(flight_event, (), (at, arrival, delay, carrier, airport, tail))

/// Emits the departure and the arrival of a flight, as far as it had them. The date in the file is
/// that of the schedule, so what was delayed past midnight left on the next day: the scheduled
/// clock time is found first, and the delay added to that.
inline constexpr auto two_events = [](const flight& of, auto& emit) {
  using minutes = std::chrono::duration<long, std::ratio<60>>;
  constexpr long minutes_per_day = 24 * 60;
  if (!of.departure || !of.departure_delay) return;
  const long clock = std::lround(*of.departure);
  const long delay = std::lround(*of.departure_delay);
  const long from_midnight = (clock / 100 * 60 + clock % 100 - delay) % minutes_per_day;
  const long scheduled = from_midnight < 0 ? from_midnight + minutes_per_day : from_midnight;
  const std::chrono::year_month_day date{std::chrono::year(of.year), std::chrono::month(of.month),
                                         std::chrono::day(of.day)};
  const freshet::timestamp left = std::chrono::sys_days(date) + minutes(scheduled + delay);
  emit(flight_event{left, false, *of.departure_delay, of.carrier, of.origin, of.tail});
  if (!of.elapsed || !of.arrival_delay) return;
  const freshet::timestamp landed = left + minutes(std::lround(*of.elapsed));
  emit(flight_event{landed, true, *of.arrival_delay, of.carrier, of.destination, of.tail});
};
