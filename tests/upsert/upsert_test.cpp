// upsert: tables of the newest row of every key, over crashes, at any parallelism, and from
// outside.
#include "connectors/csv_test_support.hpp"
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/upsert.hpp>
#include <freshet/testing/harness.hpp>

#include <filesystem>
#include <map>
#include <random>
#include <thread>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using Catch::Matchers::Contains;

namespace {

/// What the table must hold: the oracle.
std::map<std::string, event> applied(const std::vector<event>& log) {
  std::map<std::string, event> table;
  for (const event& each : log) {
    if (each.value % 5 == 0) {
      table.erase(each.key);
    } else {
      table[each.key] = each;
    }
  }
  return table;
}

bool deletes(const event& of) {
  return of.value % 5 == 0;
}

std::vector<event> random_log(std::uint64_t seed, std::size_t rows) {
  std::mt19937_64 random(seed);
  std::vector<event> log;
  for (std::size_t row = 0; row < rows; ++row) {
    log.push_back({"key" + std::to_string(random() % 40), static_cast<std::int64_t>(random() % 100),
                   tick(static_cast<std::int64_t>(row))});
  }
  return log;
}

fr::pipeline compose(const script_handle<event>& from) {
  fr::pipeline p("upserting");
  p.from("events", scripted<event>(from)) | fr::to("latest", fr::upsert(&event::key, deletes));
  return p;
}

/// Runs to the end, however often it crashes on the way.
fr::run_summary run_through(const script_handle<event>& from, fr::run_options options) {
  fr::run_summary summary;
  absl::Status done = absl::AbortedError("not yet");
  for (std::size_t run = 0; done.code() == absl::StatusCode::kAborted; ++run) {
    options.parallelism = run % 2 == 0 ? 1 : 3;
    options.scheduler = fr::thread_pool(options.parallelism);
    fr::pipeline p = compose(from);
    done = p.run(options, &summary);
  }
  INFO(done.ToString());
  REQUIRE(done.ok());
  return summary;
}

std::map<std::string, event> rows_of(const fr::upsert_table<event, std::string>& table) {
  std::map<std::string, event> rows;
  const absl::Status read = table.for_each(
      [&](const std::string& key, const event& row) { REQUIRE(rows.emplace(key, row).second); });
  REQUIRE(read.ok());
  return rows;
}

fr::upsert_table<event, std::string> table_in(const std::string& directory) {
  auto table = fr::open_upserts<event, std::string>(directory, "upserting", "latest");
  INFO(table.status().ToString());
  REQUIRE(table.ok());
  return *std::move(table);
}

/// The table in memory.
absl::StatusOr<std::shared_ptr<fr::detail::stored_upserts>> stored_in(
    const std::shared_ptr<fr::memory_checkpoint>& commits, const std::string& name = "latest",
    const std::string& key = "string") {
  return fr::detail::stored_upserts::open(fr::memory_backend(commits), "checkpoint", name, key,
                                          fr::schema_of<event>());
}

}  // namespace

TEST_CASE("a table holds the newest row of every key, and says exactly once", "[upsert]") {
  const csv_test::temporary_folder folder;
  const std::string directory = folder / "state";
  const auto log = random_log(1, 500);
  fr::pipeline p = compose(script_of({log}));
  fr::run_options options;
  options.checkpoint.directory = directory;
  const fr::run_summary summary = run_to_end(p, options);
  REQUIRE(summary.guarantee == "exactly once");
  REQUIRE(summary.unpromised.empty());
  const auto table = table_in(directory);
  const auto wanted = applied(log);
  REQUIRE(rows_of(table) == wanted);
  REQUIRE(wanted.size() < 40);  // Some are deleted.
  for (int key = 0; key < 41; ++key) {
    const std::string name = "key" + std::to_string(key);
    const auto row = table.get(name);
    REQUIRE(row.ok());
    REQUIRE(row->has_value() == wanted.contains(name));
    if (*row) REQUIRE(**row == wanted.at(name));
  }
}

TEST_CASE("crashes and other parallelisms change nothing in a table", "[upsert]") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    CAPTURE(seed);
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    const auto log = random_log(seed, 400);
    auto from = script_of({log});
    from->crash_after = 37;
    from->chunk_max = 6;
    fr::run_options options = committing_to(commits);
    if (seed % 2 == 0) options.state.memory_limit = 1;  // A row or two in memory.
    const fr::run_summary summary = run_through(from, options);
    REQUIRE(summary.finished);
    REQUIRE(rows_of(fr::upsert_table<event, std::string>(*stored_in(commits))) == applied(log));
  }
}

TEST_CASE("a commit holds what its records say, and nothing of later ones", "[upsert]") {
  const auto log = random_log(4, 200);
  for (const std::size_t crash_after : {1U, 50U, 199U}) {
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    auto from = script_of({log});
    from->crash_after = crash_after;
    from->chunk_max = 1;
    from->chunks_vary = false;
    fr::pipeline p = compose(from);
    REQUIRE(p.run(committing_to(commits)).code() == absl::StatusCode::kAborted);
    const auto rows = rows_of(fr::upsert_table<event, std::string>(*stored_in(commits)));
    bool found = false;
    for (std::size_t read = 0; read <= crash_after && !found; ++read) {
      found = rows == applied({log.begin(), log.begin() + static_cast<std::ptrdiff_t>(read)});
    }
    REQUIRE(found);
  }
}

TEST_CASE("rows stay when every window has closed", "[upsert]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline p("upserting");
  p.from("events", scripted<event>({events_at({1, 2, 3})})) |
      fr::event_time(&event::at, fr::bounded_disorder{}) |
      fr::to("latest", fr::upsert(&event::key));
  REQUIRE(run_to_end(p, committing_to(commits)).finished);
  const auto rows = rows_of(fr::upsert_table<event, std::string>(*stored_in(commits)));
  REQUIRE(rows.at("a").value == 3);
}

TEST_CASE("a table is read while its job runs", "[upsert]") {
  for (const std::size_t parallelism : {1U, 3U}) {
    auto from = script_of({events_at({1, 2, 3, 4})});
    from->chunk_max = 1;
    from->chunks_vary = false;
    from->pause_after = 3;
    fr::pipeline p = compose(from);
    fr::run_options options;
    options.parallelism = parallelism;
    options.scheduler = fr::thread_pool(parallelism);
    auto job = p.start(options);
    REQUIRE(job.ok());
    const auto view = job->view<event, std::string>("latest");
    REQUIRE(view.ok());
    std::vector<event> rows;
    while (rows.empty() || rows.front().value < 3) {
      const auto now = view->get("a");
      INFO(now.status().ToString());
      REQUIRE(now.ok());
      rows = now->rows;
    }
    REQUIRE(rows == std::vector<event>{{"a", 3, tick(3)}});
    REQUIRE(view->get("b")->rows.empty());
    REQUIRE((job->view<event, std::int64_t>("latest").status().code()) ==
            absl::StatusCode::kInvalidArgument);
    job->stop();
    REQUIRE(job->wait().ok());
  }
}

TEST_CASE("a view has the rows that are not in memory", "[upsert][memory_limit]") {
  const auto log = random_log(6, 400);
  const std::size_t read = log.size() - 1;
  auto from = script_of({log});
  from->chunk_max = 6;
  from->pause_after = read;
  fr::pipeline p = compose(from);
  fr::run_options options = committing_to(std::make_shared<fr::memory_checkpoint>());
  options.state.memory_limit = 1;
  auto job = p.start(options);
  REQUIRE(job.ok());
  const auto view = job->view<event, std::string>("latest");
  REQUIRE(view.ok());
  while (job->metrics().of("upsert", "latest").records_in < read) std::this_thread::yield();
  const auto wanted = applied({log.begin(), log.begin() + static_cast<std::ptrdiff_t>(read)});
  for (int number = 0; number < 41; ++number) {
    const std::string name = "key" + std::to_string(number);
    const auto found = view->get(name);
    INFO(found.status().ToString());
    REQUIRE(found.ok());
    REQUIRE(found->rows.size() == wanted.count(name));
    if (!found->rows.empty()) REQUIRE(found->rows.front() == wanted.at(name));
  }
  REQUIRE(job->metrics().of("upsert", "latest").evicted > 50);
  REQUIRE(job->metrics().of("upsert", "latest").cold_read > 50);
  job->stop();
  REQUIRE(job->wait().ok());
}

TEST_CASE("a table over an older build's rows is read with the newer struct", "[upsert]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline p = compose(script_of({events_at({1, 2})}));
  (void)run_to_end(p, committing_to(commits));
  struct reader {
    static absl::StatusOr<std::shared_ptr<fr::detail::stored_upserts>> of(
        const std::shared_ptr<fr::memory_checkpoint>& from, const fr::value_schema& row) {
      return fr::detail::stored_upserts::open(fr::memory_backend(from), "checkpoint", "latest",
                                              "string", row);
    }
  };
  REQUIRE(reader::of(commits, {"{value:i64,key:string}", {{}, {}}, {}}).ok());
  REQUIRE_THAT(message_of(reader::of(commits, {"{value:string}", {{}}, {}}).status()),
               Contains("field 'value' was i64, is string now"));
  REQUIRE_THAT(message_of(stored_in(commits, "others").status()),
               Contains("it has no upsert 'others'; its tables are 'latest'"));
  REQUIRE_THAT(message_of(stored_in(commits, "latest", "i64").status()),
               Contains("has format [key string], wanted [key i64]"));
  commits->rows.begin()->second.resize(fr::expiry_bytes + 2);
  const auto damaged = stored_in(commits);
  REQUIRE(damaged.ok());
  REQUIRE((*damaged)
              ->for_each([](std::string_view, std::string_view) { return absl::OkStatus(); })
              .code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("a table cannot be opened where there is none, nor while its job runs", "[upsert]") {
  const csv_test::temporary_folder folder;
  const auto open = [](const std::string& directory) {
    return fr::open_upserts<event, std::string>(directory, "upserting", "latest").status();
  };
  REQUIRE(open(folder / "absent").code() == absl::StatusCode::kNotFound);
  REQUIRE_FALSE(std::filesystem::exists(folder / "absent"));
  std::filesystem::create_directory(folder / "empty");
  REQUIRE(open(folder / "empty").code() == absl::StatusCode::kNotFound);
  REQUIRE(std::filesystem::is_empty(folder / "empty"));
  auto from = script_of({events_at({1, 2})});
  from->chunk_max = 1;
  from->chunks_vary = false;
  from->pause_after = 1;
  fr::pipeline p = compose(from);
  fr::run_options options;
  options.checkpoint.directory = folder / "state";
  auto job = p.start(options);
  REQUIRE(job.ok());
  REQUIRE(open(folder / "state").code() == absl::StatusCode::kUnavailable);
  job->stop();
  REQUIRE(job->wait().ok());
  REQUIRE(open(folder / "state").ok());
}

TEST_CASE("a table that is new, or gone, is refused by name", "[upsert]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  auto from = script_of({events_at({1, 2, 3})});
  from->crash_after = 2;
  from->chunk_max = 1;
  fr::pipeline before = compose(from);
  REQUIRE(before.run(committing_to(commits)).code() == absl::StatusCode::kAborted);
  from->crash_after = 100;
  fr::pipeline more("upserting");
  auto events = more.from("events", scripted<event>(from));
  events | fr::to("latest", fr::upsert(&event::key, deletes));
  events | fr::to("second", fr::upsert(&event::key));
  REQUIRE(message_of(more.run(committing_to(commits))) ==
          "checkpoint: upsert 'second' is new since then, and would miss every row from before; "
          "run with the tables there were, or give a new directory");
  fr::pipeline fewer("upserting");
  fewer.from("events", scripted<event>(from)) | fr::to("out", keep_rows_in(keeper()));
  REQUIRE_FALSE(fewer.run(committing_to(commits)).ok());
}

TEST_CASE("the guarantee names every end that limits it", "[upsert]") {
  fr::pipeline p("mixed");
  auto events = p.from("events", scripted<event>({events_at({1})}));
  events | fr::to("latest", fr::upsert(&event::key));
  events | fr::to("calls", fr::callback([](const event&) {}));
  events | fr::to("again", fr::callback([](const event&) {}));
  events | fr::to("file", keep_rows_in(keeper()));
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  REQUIRE(run_to_end(p, committing_to(commits)).guarantee ==
          "at least once: sinks 'again', 'calls' cannot take rows back; exactly once: sink "
          "'file', upsert 'latest'");
}
