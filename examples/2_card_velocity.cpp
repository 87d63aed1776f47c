// Velocity features of payment cards, point in time correct, checkpointed, and sampled for training.
// Run: card_velocity --demo        kills it, resumes it, and compares (card_velocity/demo.hpp)
//      card_velocity [--input payments.csv] --out DIR [--checkpoint DIR]
#include "card_velocity/demo.hpp"
#include "card_velocity/features.hpp"
#include "card_velocity/payments.hpp"
#include "card_velocity/report.hpp"

#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/freshet.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <exception>
#include <filesystem>

namespace fr = freshet;
using namespace std::chrono_literals;

struct arguments {
  std::string input, out, checkpoint, every;
  std::uint64_t count = 0;
  bool demo = false, progress = false;
};

absl::Status run(const arguments& given) {
  const std::filesystem::path out = given.out;
  fr::pipeline p("card_velocity");

  auto source = given.input.empty()
                    ? p.from("payments", fr::generate(&payment_at, {.count = given.count}))
                    : p.from("payments", fr::csv::read<payment>(given.input));
  auto payments = source | fr::event_time(&payment::at, fr::bounded_disorder{30s});

  // One row per payment: what was known about its card just before it.
  auto features = payments
                  | fr::key_by(&payment::card)
                  | fr::trailing("velocity", {1h, 24h, {7 * 24h, {.resolution = 1h}}},
                                 fr::trailing_options{.allowed_lateness = 5min},
                                 fr::count("payments"), fr::mean("mean", &payment::amount),
                                 fr::max("max", &payment::amount));

  features.as<velocity>() | fr::map(with_distances)
                          | fr::sample("training", fr::rarity(&payment::fraud, {.rate = 0.4}))
                          | fr::to("training", fr::csv::write(out / "training.csv"));

  auto per_card = payments
                  | fr::key_by(&payment::card)
                  | fr::window(fr::sliding(10min, 1min))
                  | fr::aggregate("activity_10m", fr::count("payments"),
                                  fr::sum("amount_sum", &payment::amount),
                                  fr::max("amount_max", &payment::amount));

  per_card        | fr::to("activity", fr::csv::write(out / "activity.csv"));
  per_card.late() | fr::to("late", fr::csv::write(out / "late.csv"));

  // A small payment, to see whether the card works, and a large one within a minute.
  const auto trial = fr::begin("small", [](const payment& each) { return each.amount < 3; })
                         .followed_by("large", [](const payment& each) { return each.amount > 900; })
                         .within(1min);
  payments | fr::key_by(&payment::card)
           | fr::match("trial", trial, {.after = fr::after_match::skip_past_last_event()})
           | fr::map(alert_of)
           | fr::to("alerts", fr::csv::write(out / "alerts.csv"));

  // Kill it whenever you like: started again, it goes on from the newest checkpoint.
  fr::run_options options;
  options.checkpoint = {.directory = given.checkpoint, .every = *fr::parse_duration(given.every)};
  absl::StatusOr<fr::job> job = p.start(options);
  if (!job.ok()) return job.status();
  while (!job->wait_for(10ms)) {
    if (given.progress) print_progress(job->metrics());
  }
  return job->wait();
}

int main(int argc, char** argv) {
  arguments given;
  CLI::App app("Velocity features of payment cards, and a training set sampled by rarity.");
  app.add_option("--input", given.input, "CSV file of payments; computed ones without it");
  app.add_option("--count", given.count, "how many payments to compute (100000; demo 1000000)");
  app.add_option("--out", given.out, "directory for activity.csv, late.csv and training.csv");
  app.add_option("--checkpoint", given.checkpoint, "directory for checkpoints; none without it");
  app.add_option("--every", given.every, "time between checkpoints (1s; demo 100ms)")
      ->check([](const std::string& text) -> std::string {
        return fr::parse_duration(text) ? "" : "'" + text + "' is no duration such as 1s or 100ms";
      });
  app.add_flag("--progress", given.progress, "tell about progress on stderr, instead of a report");
  app.add_flag("--demo", given.demo, "show a crash and a resume, and what comes out");
  CLI11_PARSE(app, argc, argv);
  try {
    if (given.count == 0) given.count = given.demo ? 1'000'000 : 100'000;
    if (given.every.empty()) given.every = given.demo ? "100ms" : "1s";
    if (given.demo) return run_demo({given.count, given.every, given.out});
    if (given.out.empty()) given.out = ".";
    std::filesystem::create_directories(given.out);
    absl::Status done = run(given);
    if (done.ok() && !given.progress) done = print_report(given.out, given.input, given.count);
    if (done.ok()) return 0;
    fmt::print(stderr, "card_velocity: {}\n", std::string(done.message()));
  } catch (const std::exception& error) {
    fmt::print(stderr, "card_velocity: {}\n", error.what());
  }
  return 1;
}
