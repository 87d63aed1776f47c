// freshet-state as a user runs it, on checkpoints of a real job, whole and damaged.
#include "catch.hpp"
#include "state/checkpoint_files.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>

#include <sys/wait.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace checkpoint_files;
using namespace std::chrono_literals;

namespace {

struct payment {
  std::string card;
  double amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, at))

struct ending {
  int code = -1;
  std::string text;  // Of both outputs.
};

ending run(const std::string& arguments) {
  const char* build = std::getenv("FRESHET_BUILD_DIR");
  if (build == nullptr) FAIL("FRESHET_BUILD_DIR is not set; run this test with ctest");
  const std::string command = std::string(build) + "/tools/freshet-state " + arguments + " 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  ending how;
  std::array<char, 4096> bytes{};
  for (std::size_t count = 0; (count = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    how.text.append(bytes.data(), count);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) how.code = WEXITSTATUS(status);
  return how;
}

bool contains(const ending& how, const std::string& part) {
  return how.text.find(part) != std::string::npos;
}

/// Reads `records` payments of four cards and commits, with windows open, and is stopped.
void run_job(const std::string& directory, int records) {
  fr::pipeline p("cards");
  auto payments = std::vector<payment>();
  for (int i = 0; i < records; ++i) {
    const fr::timestamp at{fr::duration{std::int64_t{1'000'000} * i}};
    payments.push_back({"card " + std::to_string(i % 4), 1.5 * i, at});
  }
  auto rows = p.from("payments", fr::values(payments)) |
              fr::event_time(&payment::at, fr::bounded_disorder(1h)) | fr::key_by(&payment::card) |
              fr::window(fr::tumbling{24h}) | fr::aggregate("activity", fr::count("payments"));
  // The end of the input closes all windows. What the job held before is what is looked at.
  rows | fr::to("rows", fr::callback([](const auto&) {}));
  fr::run_options options;
  options.checkpoint = {.directory = directory, .every = fr::duration{1}, .keep = 20};
  REQUIRE(p.run(options).ok());
}

/// The newest commit with rows of the window, and the first of all.
std::string commit_with_rows(const std::string& directory) {
  std::string found;
  std::uint64_t newest = 0;
  for (const auto& entry : fs::directory_iterator(directory + "/commits")) {
    const std::uint64_t number = std::stoull(entry.path().filename().string());
    const ending shown = run("show " + entry.path().string());
    if (number > newest && contains(shown, ", 4 rows, ")) {
      newest = number;
      found = entry.path().string();
    }
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

}  // namespace

TEST_CASE("freshet-state shows what a commit holds", "[tools]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  run_job(directory, 5'000);
  const ending listed = run("list " + directory);
  CAPTURE(listed.text);
  CHECK(listed.code == 0);
  CHECK(contains(listed, " of job 'cards': 2"));
  CHECK(contains(listed, "copy 1 of job 'cards'"));
  CHECK_FALSE(contains(listed, "damaged"));

  const ending finished = run("show " + directory);
  CAPTURE(finished.text);
  CHECK(finished.code == 0);
  CHECK(contains(finished, "128 key groups, finished, published"));
  CHECK(contains(finished, "split 'values' at '5000', at its end"));
  CHECK(contains(finished, "window 'activity' [tumbling 1d lateness 0s | key string"));

  const ending open = run("show " + commit_with_rows(directory));
  CAPTURE(open.text);
  CHECK(contains(open, ", not finished\n"));
  CHECK(contains(open, "  state 1, 4 rows, "));
  CHECK(contains(open, "key groups 0-127"));
  CHECK(contains(open, "sink 'rows' token ''"));
}

TEST_CASE("freshet-state exports the rows of one operator", "[tools]") {
  const temporary_directory home(medium::memory);
  run_job(home.path("state"), 5'000);
  const std::string commit = commit_with_rows(home.path("state"));
  const ending csv = run("export " + commit + " activity");
  CAPTURE(csv.text);
  CHECK(csv.code == 0);
  CHECK(csv.text.starts_with("hash,key_group,expires_at,key_text,key,value\n"));
  CHECK(std::count(csv.text.begin(), csv.text.end(), '\n') == 5);
  for (const char* card : {"card 0", "card 1", "card 2", "card 3"}) {
    char hash[32];
    const std::uint64_t number = fr::stable_hash(std::string(card));
    std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(number));
    // Its length, its six letters in hexadecimal, and the window's begin.
    const std::string line = std::string(hash) + "," + std::to_string(number >> 57) +
                             ",1970-01-02T00:00:00Z,\"" + card + "\",0663617264203" + card[5] +
                             "0000000000000000";
    CAPTURE(line);
    CHECK(contains(csv, line));
  }
  const ending lines = run("export " + commit + " \"window 'activity'\" --format jsonl");
  CHECK(contains(lines, R"("expires_at":"1970-01-02T00:00:00Z","key_text":"card 0","key":")"));
  const ending unknown = run("export " + commit + " nothing");
  CHECK(unknown.code == 1);
  CHECK(contains(unknown, "'nothing': is not among event_time 'payments', window 'activity'"));
}

TEST_CASE("freshet-state verifies, and names the damaged file", "[tools]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  run_job(directory, 3'000);
  const auto before = contents_of(directory);
  const ending whole = run("verify " + directory);
  CAPTURE(whole.text);
  CHECK(whole.code == 0);
  CHECK(contains(whole, "intact"));
  CHECK(run("diff " + directory + " " + directory).code == 0);
  CHECK(contents_of(directory) == before);  // Nothing but looking.

  const std::string newest = newest_commit(directory).string();
  write_file(newest + "/CURRENT", "nonsense");
  for (const std::string& place : {directory, newest}) {
    const ending damaged = run("verify " + place);
    CAPTURE(damaged.text);
    CHECK(damaged.code == 1);
    CHECK(contains(damaged, "freshet-state: '" + newest + "': CURRENT: has 8 bytes, wanted 16"));
  }
  CHECK(contains(run("list " + directory), "damaged (CURRENT: has 8 bytes, wanted 16)"));
  CHECK(run("show " + newest).code == 1);
}

TEST_CASE("freshet-state counts what changed between two commits", "[tools]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  run_job(directory, 5'000);
  const std::string open = commit_with_rows(directory);
  const ending closed = run("diff " + open + " " + directory);
  CAPTURE(closed.text);
  CHECK(closed.code == 0);
  CHECK(contains(closed, "window 'activity': 0 rows added, 0 changed, 4 removed, 0 as before"));
  const ending back = run("diff " + directory + " " + open);
  CHECK(contains(back, "window 'activity': 4 rows added, 0 changed, 0 removed, 0 as before"));
}

TEST_CASE("freshet-state copies a commit that a job can be restored from", "[tools]") {
  const temporary_directory home(medium::memory);
  run_job(home.path("state"), 2'000);
  const ending copied = run("copy " + home.path("state") + " " + home.path("copied/"));
  CAPTURE(copied.text);
  CHECK(copied.code == 0);
  CHECK(run("verify " + home.path("copied")).code == 0);
  const ending again = run("copy " + home.path("state") + " " + home.path("copied"));
  CHECK(again.code == 1);
  CHECK(contains(again, "is no new or empty folder"));
  const auto backend = fr::open_rocksdb(
      {.directory = home.path("new"), .job = "cards", .restore_from = home.path("copied")});
  REQUIRE(backend.ok());
  REQUIRE(backend->get()->manifest()->has_value());
}

TEST_CASE("freshet-state works while a job holds the directory", "[tools]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  run_job(directory, 2'000);
  const auto held = open(directory, "cards");
  REQUIRE(held.ok());
  CHECK(run("show " + directory).code == 0);
  CHECK(run("verify " + directory).code == 0);
}

TEST_CASE("freshet-state ends with an error for what it cannot use", "[tools]") {
  const temporary_directory home(medium::memory);
  fs::create_directory(home.path("empty"));
  for (const std::string& arguments :
       {"list " + home.path("none"), "show " + home.path("empty"), "verify " + home.path("none"),
        "copy " + home.path("none") + " " + home.path("to")}) {
    CAPTURE(arguments);
    const ending how = run(arguments);
    CHECK(how.code == 1);
    CHECK(contains(how, "freshet-state: '" + home.path("")));
  }
  for (const char* arguments : {"", "show", "burn everything", "export a b --format xml"}) {
    CAPTURE(arguments);
    CHECK(run(arguments).code == 2);
  }
  CHECK(run("--help").code == 0);
}

TEST_CASE("freshet-state survives bytes of any kind", "[tools]") {
  const temporary_directory home(medium::memory);
  const std::string directory = home.path("state");
  run_job(directory, 2'000);
  const fs::path newest = newest_commit(directory);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(newest)) files.push_back(entry.path());
  const std::uint64_t seed = 20261127;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 40; ++i) {
    const fs::path& file = files[random() % files.size()];
    const std::string whole = read_file(file);
    std::string bytes = whole;
    if (i % 4 == 0) bytes.resize(random() % whole.size());
    if (i % 4 != 0) bytes[random() % whole.size()] ^= static_cast<char>(1 << (random() % 8));
    fs::remove(file);  // Not in place: other commits have it, too.
    write_file(file, bytes);
    CAPTURE(i, file.string());
    const ending how = run((i % 2 == 0 ? "show " : "verify ") + newest.string());
    CHECK(how.code == 1);
    CHECK(contains(how, file.filename().string() + ": "));
    write_file(file, whole);
  }
}
