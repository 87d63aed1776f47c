// Rolling delays of carriers and airports, days of aircraft, and a training set of late arrivals,
// from real flights out of order.   Run: flight_delays hflights.csv.xz   (see data/README.md)
#include "flight_delays/flights.hpp"
#include "flight_delays/report.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>

namespace fr = freshet;
using namespace std::chrono_literals;

/// The mean delay of the last 24 hours, every 6 hours: an operator made of others.
auto rolling_delay(const std::string& name, std::string flight_event::*by) {
  return [name, by](const fr::stream<flight_event>& events) {
    return events | fr::key_by(by) | fr::window(fr::sliding(24h, 6h))
           | fr::aggregate(name, fr::count("events"), fr::mean("mean", &flight_event::delay));
  };
}

/// Takes rows of `rolling_delay`; a mean over few events says little.
auto keep_worst(worst_of_each& worst) {
  return fr::callback([&worst](const auto& row) {
    const auto& [events, mean] = row.values;
    if (events >= 20) worst.add(row.key, row.window.begin, events, mean);
  });
}

int main(int argc, char** argv) {
  fr::pipeline p("flight_delays");
  worst_of_each carriers, airports, aircraft;
  sample_check check;

  // The file is sorted by month, flight number and day, so that an event comes up to 30 days, 23
  // hours and 8 minutes after a later one. 31 days lose none; 7 days would lose three in four.
  auto events = p.from("flights", fr::csv::read<flight>(argc > 1 ? argv[1] : "hflights.csv.xz",
                                                        flight_columns))
                | fr::flat_map<flight_event>(two_events)
                | fr::event_time(&flight_event::at, fr::bounded_disorder(31 * 24h));
  auto arrivals = events | fr::filter(&flight_event::arrival);

  arrivals | rolling_delay("carriers", &flight_event::carrier)
           | fr::to("worst carriers", keep_worst(carriers));
  events | rolling_delay("airports", &flight_event::airport)
         | fr::to("worst airports", keep_worst(airports));

  // The day of an aircraft ends where it is not heard of for 6 hours. No tail number, no key.
  const auto if_arrival = [](const flight_event& each) {
    return each.arrival ? each.delay : 0;
  };
  events | fr::key_by(&flight_event::tail) | fr::window(fr::session(6h))
         | fr::aggregate("aircraft", fr::count("arrivals", &flight_event::arrival),
                         fr::sum("delay", if_arrival))
         | fr::to("worst days", fr::callback([&aircraft](const auto& row) {
             const auto& [count, delay] = row.values;
             if (count >= 4) aircraft.add(row.key, row.window.begin, count, delay);
           }));

  // Late arrivals are rare, so they are kept first. Frequencies are learned month by month, because
  // nothing is known to be complete before.
  const auto late = [](const flight_event& arrival) { return arrival.delay >= 45; };
  arrivals | fr::sample("training", fr::rarity(late, {.rate = 0.4, .half_life = 31 * 24h}))
           | fr::to("kept", fr::callback([&](const fr::sampled<flight_event>& row) {
               check.add_to_kept(late(row.value), row.weight);
             }));
  arrivals | fr::to("all", fr::callback([&](const auto& row) { check.add_to_all(late(row)); }));

  fr::run_summary summary;
  const absl::Status done = p.run({}, &summary);
  if (!done.ok()) {
    fmt::print(stderr, "flight_delays: {}\n", std::string(done.message()));
    return 1;
  }
  fmt::print("{} flights, {} events, {} late, {} without a tail number\n\n",
             summary.metrics.records(), summary.metrics.of("event_time", "flights").records_in,
             summary.metrics.late(), summary.metrics.dead());
  carriers.print("carrier", "arrivals", "mean delay min", 5);
  airports.print("airport", "events", "mean delay min", 5);
  aircraft.print("aircraft", "arrivals", "delay sum min", 5);
  check.print();
}
