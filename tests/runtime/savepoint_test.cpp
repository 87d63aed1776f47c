// Savepoints of running jobs, jobs that start from them, and state that a changed job leaves
// behind.
#include "runtime/kept_commits_support.hpp"

#include <freshet/state/rocksdb.hpp>

#include <cstdint>
#include <map>
#include <thread>

using namespace kept_commits;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void to_other_windows(fr::stream<fr::test::event> events) {
  events | fr::key_by(&fr::test::event::key) | fr::window(fr::tumbling{fr::duration{100'000}}) |
      fr::aggregate("others", fr::count("n")) | fr::to("more", fr::callback([](const auto&) {}));
}

/// How many rows there are of each state.
std::map<std::uint32_t, std::size_t> rows_in(const std::string& directory) {
  std::map<std::uint32_t, std::size_t> rows;
  const auto backend = fr::open_rocksdb({.directory = directory, .job = "windows"});
  REQUIRE(backend.ok());
  REQUIRE(backend->get()->scan("", [&](std::string_view key, std::string_view) {
    ++rows[fr::decode_state_number(key)];
    return absl::OkStatus();
  }) == absl::OkStatus());
  return rows;
}

}  // namespace

TEST_CASE("a job goes on from a savepoint as if nothing had happened since",
          "[runtime][savepoint]") {
  for (const std::size_t parallelism : {1u, 3u}) {
    CAPTURE(parallelism);
    const temporary_directory home(medium::memory);
    windows_job job(home.path(""));
    job.options().parallelism = parallelism;
    job.options().scheduler = fr::thread_pool(parallelism);
    const std::vector<std::string> expected = job.undisturbed();
    job.script().pause_after = 1500;
    {
      fr::pipeline p = job.compose();
      absl::StatusOr<fr::job> running = p.start(job.with_directory());
      REQUIRE(running.ok());
      absl::Status saved;
      std::thread other([&] { saved = running->savepoint(home.path("saved")); });
      other.join();
      REQUIRE(saved == absl::OkStatus());
      running->stop();
      REQUIRE(running->wait() == absl::OkStatus());
    }
    job.read_and_die(1000);  // The job and its sink are further by now.
    const auto before = checkpoint_files::contents_of(home.path("saved"));
    job.options().checkpoint.directory = home.path("new");
    job.options().checkpoint.restore_from = home.path("saved");
    fr::run_summary summary;
    for (int run = 0; run < 2; ++run) {
      job.read_and_die(300);  // Twice: the second time from the new directory's own commit.
    }
    const absl::Status done = job.run_to_end(&summary);
    CAPTURE(done.ToString());
    REQUIRE(done.ok());
    REQUIRE(summary.resumed);
    REQUIRE(summary.guarantee == "exactly once");
    REQUIRE(sorted_lines(job.out()) == expected);
    REQUIRE(checkpoint_files::contents_of(home.path("saved")) == before);
  }
}

TEST_CASE("a savepoint that cannot be made says why, and the job goes on", "[runtime][savepoint]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""));
  job.script().pause_after = 500;
  write_file(home.path("full/file"), "of somebody");
  fr::pipeline p = job.compose();
  absl::StatusOr<fr::job> running = p.start(job.with_directory());
  REQUIRE(running.ok());
  REQUIRE(running->savepoint(home.path("full")).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_FALSE(running->savepoint(home.path("none/saved")).ok());
  REQUIRE(running->savepoint(home.path("saved")) == absl::OkStatus());
  running->stop();
  REQUIRE(running->wait() == absl::OkStatus());
  const absl::Status late = running->savepoint(home.path("late"));
  REQUIRE(late.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(contains(message_of(late), "has ended"));
}

TEST_CASE("a job without checkpoints makes no savepoint", "[runtime][savepoint]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""));
  job.script().pause_after = 100;
  fr::pipeline p = job.compose();
  absl::StatusOr<fr::job> running = p.start({});
  REQUIRE(running.ok());
  REQUIRE(
      contains(message_of(running->savepoint(home.path("saved"))), "has no checkpoint directory"));
}

TEST_CASE("a savepoint asks sinks to go back as a fallback does", "[runtime][savepoint]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""), [](fr::stream<fr::test::event> events) {
    events | fr::to("told", fr::callback([](const fr::test::event&) {}));
  });
  job.read_and_die(700);
  job.options().checkpoint.directory = home.path("new");
  job.options().checkpoint.restore_from = job.state() + "/commits/1";
  REQUIRE(contains(message_of(job.run_to_end()),
                   "rows would come twice, because the job is "
                   "restored from"));
  job.options().allow_duplicates = true;
  fr::run_summary summary;
  REQUIRE(job.run_to_end(&summary).ok());
  REQUIRE(contains(summary.guarantee, "at least once: the job is restored from"));
}

TEST_CASE("state of an operator that is gone is an error, unless it is allowed",
          "[runtime][savepoint]") {
  const temporary_directory home(medium::memory);
  windows_job before(home.path(""), to_other_windows);
  before.read_and_die(1500);
  const std::map<std::uint32_t, std::size_t> rows_before = rows_in(before.state());
  REQUIRE(rows_before.size() == 2);
  windows_job job(home.path(""));
  const absl::Status refused = job.run_to_end();
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(contains(message_of(refused), "it holds state of window 'others'"));
  REQUIRE(contains(message_of(refused), "allow_dropped_state"));
  job.options().allow_dropped_state = {"others"};
  REQUIRE(contains(message_of(job.run_to_end()), "what sink 'more' has committed"));
  REQUIRE(rows_in(job.state()) == rows_before);

  job.options().allow_dropped_state = {"others", "more", "never there"};
  const fr::run_summary summary = job.read_and_die(10);
  REQUIRE(summary.warnings.size() == 2);
  REQUIRE(contains(summary.warnings[0], "state of window 'others' is not in the pipeline"));
  REQUIRE(rows_in(job.state()).size() == 1);
  REQUIRE(rows_in(job.state()).begin()->first == rows_before.begin()->first);
  REQUIRE(job.run_to_end().ok());
  REQUIRE(sorted_lines(job.out()) == job.undisturbed());
}

TEST_CASE("options of what is kept are checked", "[runtime][savepoint]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""));
  job.options().checkpoint.keep = 0;
  REQUIRE(contains(message_of(job.run_to_end()), "checkpoint.keep is 0"));
  job.options().checkpoint.keep = 1;
  job.options().checkpoint.copy_every = fr::duration::zero();
  REQUIRE(contains(message_of(job.run_to_end()), "copy_every 0s is not positive"));
  job.options().checkpoint.copy_every = fr::duration::max();
  fr::run_options without_directory;
  without_directory.checkpoint.restore_from = "saved";
  REQUIRE(contains(message_of(job.compose().run(without_directory)),
                   "restore_from is given without a directory"));
}
