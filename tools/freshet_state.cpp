// freshet-state: looks into the checkpoints of jobs. Run `freshet-state --help`.
#include "commands.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <string>

namespace {

constexpr const char* about = R"(Looks into the checkpoints of freshet's jobs.

PLACE is the folder of a commit (DIR/commits/N), of a copy (DIR/copies/N) or of a savepoint; or a
checkpoint directory DIR, of which the newest commit is meant. Nothing but `copy` writes anything,
and that only its new folder. All commands work while the job runs, without its lock: a commit's
files never change, and stay readable once they are open. The job removes commits as it makes new
ones; to look at one for longer, copy it.

Exit code: 0; 1 when something is damaged or cannot be read; 2 for wrong arguments.)";

constexpr const char* about_export =
    R"(Prints the rows of one operator, in the order of (hash, key).
Columns: the key's stable hash and the bytes of key and value in hexadecimal; the key group; the
watermark from which on the row is not wanted any more. Of windows of event time the key is also
given as text, where it is a string, a bool or a number of more than one byte: their format says so,
and that rows begin with it. Nothing else is decoded: a format names the types that the application
has given, but the bytes around them are the operator's own, and may change with the library.)";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(about, "freshet-state");
  app.require_subcommand(1);
  std::string place;
  std::string other;
  std::string name;
  std::string format = "csv";
  std::function<absl::Status()> action;

  CLI::App* list = app.add_subcommand("list", "Commits and copies of a checkpoint directory");
  list->add_option("DIR", place)->required();
  list->callback([&] { action = [&] { return freshet_state::list(place); }; });

  CLI::App* show = app.add_subcommand("show", "Operators, sources, sinks and counts of a commit");
  show->add_option("PLACE", place)->required();
  show->callback([&] { action = [&] { return freshet_state::show(place); }; });

  CLI::App* verify = app.add_subcommand(
      "verify", "Compare every byte with its checksum; of a directory, of all it holds");
  verify->add_option("PLACE", place)->required();
  verify->callback([&] { action = [&] { return freshet_state::verify(place); }; });

  CLI::App* diff =
      app.add_subcommand("diff", "Rows added, changed and removed between two commits");
  diff->add_option("BEFORE", place)->required();
  diff->add_option("AFTER", other)->required();
  diff->callback([&] { action = [&] { return freshet_state::diff(place, other); }; });

  CLI::App* rows = app.add_subcommand("export", about_export);
  rows->add_option("PLACE", place)->required();
  rows->add_option("OPERATOR", name, "its name, or kind and name: \"window 'activity'\"")
      ->required();
  rows->add_option("--format", format, "csv or jsonl")->check(CLI::IsMember({"csv", "jsonl"}));
  rows->callback([&] {
    action = [&] {
      return freshet_state::export_rows(
          place, name,
          format == "csv" ? freshet_state::row_format::csv : freshet_state::row_format::jsonl);
    };
  });

  CLI::App* bytes = app.add_subcommand("manifest", "The bytes of a commit's manifest, for od");
  bytes->add_option("PLACE", place)->required();
  bytes->callback([&] { action = [&] { return freshet_state::print_manifest(place); }; });

  CLI::App* copy =
      app.add_subcommand("copy", "Copy a commit or savepoint to a new or empty folder");
  copy->add_option("PLACE", place)->required();
  copy->add_option("TO", other)->required();
  copy->callback([&] { action = [&] { return freshet_state::copy(place, other); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  try {
    const absl::Status done = action();
    if (done.ok()) return 0;
    std::fflush(stdout);
    fmt::print(stderr, "freshet-state: {}\n", std::string(done.message()));
  } catch (const std::exception& thrown) {
    fmt::print(stderr, "freshet-state: it ended with an exception ({})\n", thrown.what());
  }
  return 1;
}
