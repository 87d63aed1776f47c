// Jobs whose newest commits are damaged: they go on from an older one, and rows still come once.
#include "runtime/kept_commits_support.hpp"

using namespace kept_commits;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void to_callback(fr::stream<fr::test::event> events) {
  events | fr::to("told", fr::callback([](const fr::test::event&) {}));
}

}  // namespace

TEST_CASE("a file sink goes back with its job to the commit before a damaged one",
          "[runtime][fallback]") {
  for (const std::size_t parallelism : {1u, 3u}) {
    CAPTURE(parallelism);
    const temporary_directory home(medium::memory);
    windows_job job(home.path(""));
    job.options().parallelism = parallelism;
    job.options().scheduler = fr::thread_pool(parallelism);
    const std::vector<std::string> expected = job.undisturbed();
    for (int run = 0; run < 4; ++run) job.read_and_die(700);
    const auto longest = fs::file_size(job.out() + ".inprogress");
    write_file(newest_commit(job.state()) / "CURRENT", "nonsense");
    const fr::run_summary fallen = job.read_and_die(50);
    REQUIRE(fallen.resumed);
    REQUIRE(fallen.warnings.size() == 1);
    REQUIRE(contains(fallen.warnings[0], "commit 4 is damaged (CURRENT: has 8 bytes"));
    REQUIRE(contains(fallen.warnings[0], "going on from commit 3"));
    REQUIRE(fs::file_size(job.out() + ".inprogress") < longest);
    REQUIRE(names_in(job.state() + "/commits") == std::set<std::string>{"3", "5"});
    fr::run_summary summary;
    REQUIRE(job.run_to_end(&summary).ok());
    REQUIRE(summary.guarantee == "exactly once");
    REQUIRE(sorted_lines(job.out()) == expected);
  }
}

TEST_CASE("a job that had finished goes back and finishes again", "[runtime][fallback]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""));
  job.options().checkpoint.keep = 4;
  const std::vector<std::string> expected = job.undisturbed();
  for (int run = 0; run < 3; ++run) job.read_and_die(700);
  REQUIRE(job.run_to_end().ok());
  REQUIRE(sorted_lines(job.out()) == expected);
  // 5 notes that the sinks have completed what 4 committed.
  REQUIRE(names_in(job.state() + "/commits") == std::set<std::string>{"2", "3", "4", "5"});
  fs::remove(job.state() + "/commits/5/COMMIT");
  SECTION("over the note that it had published") {
    fr::run_summary summary;
    REQUIRE(job.run_to_end(&summary).ok());
    REQUIRE(summary.nothing_to_do);
  }
  SECTION("over the end itself") {
    fs::remove(job.state() + "/commits/4/COMMIT");
    fr::run_summary summary;
    REQUIRE(job.run_to_end(&summary).ok());
    REQUIRE_FALSE(summary.nothing_to_do);
    REQUIRE(summary.warnings.size() == 2);
  }
  SECTION("over a good deal of it") {
    fs::remove(job.state() + "/commits/4/COMMIT");
    fs::remove(job.state() + "/commits/3/CURRENT");
    REQUIRE(job.run_to_end().ok());
  }
  REQUIRE(sorted_lines(job.out()) == expected);
  REQUIRE_FALSE(fs::exists(job.out() + ".inprogress"));
}

TEST_CASE("a sink that cannot take rows back keeps the job from falling back",
          "[runtime][fallback]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""), to_callback);
  for (int run = 0; run < 2; ++run) job.read_and_die(700);
  write_file(newest_commit(job.state()) / "CURRENT", "nonsense");
  const std::string written = read_file(job.out() + ".inprogress");
  const absl::Status refused = job.run_to_end();
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(
      message_of(refused) ==
      "pipeline 'windows': rows would come twice, because commit 2 is damaged, and commit 1 the "
      "newest that is whole, and sink 'told' cannot take back what it has published since; set "
      "allow_duplicates to go on all the same, or begin anew with a new directory");
  REQUIRE(read_file(job.out() + ".inprogress") == written);  // No other sink went back, either.

  job.options().allow_duplicates = true;
  fr::run_summary summary;
  REQUIRE(job.run_to_end(&summary).ok());
  REQUIRE(summary.guarantee ==
          "at least once: commit 2 is damaged, and commit 1 the newest that is whole, and sink "
          "'told' cannot take back what it has published since");
  REQUIRE(sorted_lines(job.out()) == job.undisturbed());
}

TEST_CASE("a job whose commits are all damaged does not start over", "[runtime][fallback]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""));
  job.read_and_die(700);
  for (const char* kind : {"commits/1", "copies/1"}) {
    fs::remove(job.state() + "/" + kind + "/CURRENT");
  }
  const absl::Status refused = job.run_to_end();
  REQUIRE(refused.code() == absl::StatusCode::kDataLoss);
  REQUIRE(contains(message_of(refused),
                   "commit 1: CURRENT: is missing; the copy of commit 1: "
                   "CURRENT: is missing"));
}

TEST_CASE("copies are made at the first commit, and then when their time has come",
          "[runtime][fallback]") {
  const temporary_directory home(medium::memory);
  windows_job job(home.path(""));
  fr::timestamp now{};
  job.options().clock = [&now] { return now; };
  job.options().checkpoint.copy_every = std::chrono::minutes(10);
  const auto copies = [&] { return names_in(job.state() + "/copies"); };
  job.read_and_die(100);
  REQUIRE(copies() == std::set<std::string>{"1"});
  fr::pipeline p = job.compose();
  fr::detail::job_runner runner(p.graph(), job.with_directory());
  REQUIRE(runner.open().ok());
  now += std::chrono::minutes(9);
  REQUIRE(runner.commit_now().ok());
  REQUIRE(copies() == std::set<std::string>{"1"});
  now += std::chrono::minutes(1);
  REQUIRE(runner.commit_now().ok());
  REQUIRE(copies() == std::set<std::string>{"3"});
  REQUIRE(runner.commit_now().ok());
  REQUIRE(copies() == std::set<std::string>{"3"});
}
