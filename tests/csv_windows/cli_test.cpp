// What csv_windows refuses: one clear line, exit code 1, and everything as it was before.
#include "csv_windows/random_logs.hpp"
#include "csv_windows/support.hpp"

#include "catch.hpp"

#include <freshet/state/rocksdb.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace csv_windows_test;
namespace fr = freshet;
namespace fs = std::filesystem;

namespace {

/// Options by name; an empty value stands for a flag.
using options = std::map<std::string, std::string>;

arguments words_of(const options& given) {
  arguments words;
  for (const auto& [name, value] : given) {
    // Joined, so that a negative duration is not taken for an option.
    words.push_back(value.empty() ? name : name + "=" + value);
  }
  return words;
}

/// A folder with a small input, and the options of a job over it that succeeds.
class small_job {
 public:
  explicit small_job(const std::string& input = "at,key,value\n2013-07-04,a,1\n2013-07-05,b,2\n")
      : folder_(medium::memory) {
    given_ = {{"--input", folder_.file("in.csv", input)},
              {"--time", "at"},
              {"--key", "key"},
              {"--value", "value"},
              {"--window", "tumbling:10min"},
              {"--out", folder_ / "out.csv"},
              {"--checkpoint", folder_ / "state"}};
  }

  const scratch_folder& folder() const { return folder_; }

  options with(const options& changed) const {
    options all = changed;
    all.insert(given_.begin(), given_.end());
    return all;
  }

  options without(const std::string& name) const {
    options all = given_;
    all.erase(name);
    return all;
  }

 private:
  scratch_folder folder_;
  options given_;
};

/// Requires that csv_windows refuses `given` in one line with all of `words`, and changes nothing
/// in `folder`.
void require_refusal(const scratch_folder& folder, const arguments& given, const arguments& words) {
  CAPTURE(given);
  const auto before = contents_of(folder.path());
  const ending how = run_program(given);
  CAPTURE(how.errors);
  REQUIRE_FALSE(how.killed);
  CHECK(how.exit_code == 1);
  CHECK(how.errors.starts_with("csv_windows: "));
  CHECK(how.errors.find('\n') + 1 == how.errors.size());
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(says(how.errors, word));
  }
  const bool unchanged = contents_of(folder.path()) == before;
  CHECK(unchanged);
}

void require_refusal(const small_job& job, const options& changed, const arguments& words) {
  require_refusal(job.folder(), words_of(job.with(changed)), words);
}

}  // namespace

TEST_CASE("csv_windows runs the job that the other cases spoil", "[csv_windows][cli]") {
  const small_job job;
  const std::string said = run_successfully(words_of(job.with({})));
  CHECK(says(said, "records=2 late=0 dead=0 windows=2"));
  CHECK(parse_csv(content(job.folder() / "out.csv")).size() == 3);
}

TEST_CASE("csv_windows refuses inputs that it cannot read", "[csv_windows][cli]") {
  const small_job job;
  const scratch_folder& folder = job.folder();
  const std::string missing = folder / "missing.csv";
  require_refusal(job, {{"--input", missing}}, {"'" + missing + "'", "cannot open"});
  require_refusal(job, {{"--input", folder.path()}}, {folder.path(), "is a directory"});
  require_refusal(job, {{"--input", folder.file("empty.csv", "")}}, {"empty.csv", "header"});
  const std::string in = folder / "in.csv";
  require_refusal(folder, words_of(job.with({})) + arguments{"--input", in}, {in, "twice"});
  const std::string broken = folder.file("broken.csv.gz", "this was never compressed");
  require_refusal(job, {{"--input", broken}}, {"broken.csv.gz"});
}

TEST_CASE("csv_windows refuses columns that are not there", "[csv_windows][cli]") {
  const small_job job;
  for (const std::string option : {"--time", "--key", "--value"}) {
    require_refusal(job, {{option, "elsewhere"}}, {option, "'elsewhere'", "at, key, value"});
  }
  const std::string twice =
      job.folder().file("twice.csv", "at,key,value,value\n2013-07-04,a,1,2\n");
  require_refusal(job, {{"--input", twice}}, {"--value", "'value'"});
}

TEST_CASE("csv_windows refuses windows that are not positive or not known", "[csv_windows][cli]") {
  const small_job job;
  for (const std::string window :
       {"tumbling:0s", "tumbling:-1min", "sliding:1min/0s", "sliding:1min/-1s", "sliding:0s/1s",
        "session:0s", "session:-5min"}) {
    require_refusal(job, {{"--window", window}}, {"--window", window, "not positive"});
  }
  for (const std::string window :
       {"hopping:1min", "tumbling", "tumbling:", "sliding:1min", "session:"}) {
    require_refusal(job, {{"--window", window}}, {"--window", window, "wanted tumbling:SIZE"});
  }
  for (const std::string window :
       {"tumbling:10", "tumbling:min", "sliding:1min/x", "sliding:/1s", "session:1fortnight"}) {
    require_refusal(job, {{"--window", window}}, {"--window", "is no duration"});
  }
}

TEST_CASE("csv_windows refuses durations that are negative or garbage", "[csv_windows][cli]") {
  const small_job job;
  for (const std::string option : {"--max-disorder", "--lateness", "--every", "--offset"}) {
    for (const std::string garbage : {"soon", "5", "5 parsecs", "1e3s"}) {
      require_refusal(job, {{option, garbage}}, {option, "'" + garbage + "'", "is no duration"});
    }
  }
  require_refusal(job, {{"--max-disorder", "-1s"}}, {"disorder -1s is negative"});
  require_refusal(job, {{"--lateness", "-1s"}}, {"lateness -1s is negative"});
  require_refusal(job, {{"--every", "-1s"}}, {"every -1s is not positive"});
  require_refusal(job, {{"--every", "0s"}}, {"every 0s is not positive"});
  require_refusal(job, {{"--window", "session:1min"}, {"--offset", "1s"}},
                  {"--offset", "sessions"});
}

TEST_CASE("csv_windows refuses options that do not exist or cannot be", "[csv_windows][cli]") {
  const small_job job;
  require_refusal(job, {{"--parallelism", "129"}}, {"parallelism", "129", "1 to 128"});
  require_refusal(job, {{"--parallelism", "0"}}, {"parallelism"});
  require_refusal(job, {{"--parallelism", "many"}}, {"parallelism", "many"});
  require_refusal(job, {{"--time-format", "julian"}}, {"--time-format", "'julian'", "epoch_ms"});
  require_refusal(job, {{"--colour", "blue"}}, {"--colour"});
  for (const std::string name : {"--input", "--time", "--key", "--value", "--window", "--out"}) {
    require_refusal(job.folder(), words_of(job.without(name)), {name});
  }
  options unkept = job.without("--checkpoint");
  unkept["--resume"] = "";
  require_refusal(job.folder(), words_of(unkept), {"--resume", "--checkpoint"});
}

TEST_CASE("csv_windows refuses outputs that would destroy a file or have no place",
          "[csv_windows][cli]") {
  const small_job job;
  const scratch_folder& folder = job.folder();
  const std::string out = folder / "out.csv";
  const std::string in = folder / "in.csv";
  for (const std::string option : {"--late", "--dead"}) {
    require_refusal(job, {{option, out}}, {option, "--out"});
    require_refusal(job, {{option, folder / "./out.csv"}}, {option, "--out"});
    require_refusal(job, {{option, out + ".inprogress"}}, {option, "--out"});
    require_refusal(job, {{option, in}}, {option, "--input"});
  }
  require_refusal(job, {{"--late", folder / "same"}, {"--dead", folder / "same"}},
                  {"--dead", "--late"});
  for (const std::string option : {"--out", "--late", "--dead"}) {
    require_refusal(job, {{option, folder / "nowhere/x.csv"}}, {option, "nowhere", "create it"});
    require_refusal(job, {{option, folder.path()}}, {option, "is a directory"});
  }
}

TEST_CASE("csv_windows says so when an output cannot be written, and commits nothing",
          "[csv_windows][cli]") {
  const small_job job;
  // Nobody can create files in this folder of the kernel, not even root.
  const ending how = run_program(words_of(job.with({{"--out", "/proc/out.csv"}})));
  INFO(how.errors);
  CHECK(how.exit_code == 1);
  CHECK(says(how.errors, "csv_windows: csv::write '/proc/out.csv': cannot create"));
  CHECK(how.errors.find('\n') + 1 == how.errors.size());
  CHECK_FALSE(has_commits(job.folder() / "state"));
  run_successfully(words_of(job.with({})));
}

TEST_CASE("csv_windows refuses late rows of files with different headers", "[csv_windows][cli]") {
  const small_job job;
  const std::string other = job.folder().file("b.csv", "key,value,at\nb,3,2013-07-06\n");
  const arguments both = words_of(job.without("--checkpoint")) + arguments{"--input", other};
  require_refusal(job.folder(), both + arguments{"--late", job.folder() / "late.csv"},
                  {"--late", "in.csv", "b.csv", "header"});
  CHECK(says(run_successfully(both), "records=3 late=0 dead=0 windows=3"));
}

TEST_CASE("csv_windows refuses a used checkpoint directory without --resume",
          "[csv_windows][cli]") {
  const small_job job;
  run_successfully(words_of(job.with({})));
  require_refusal(job, {},
                  {"checkpoint '" + job.folder() / "state" + "'", "earlier run", "resume"});
}

TEST_CASE("csv_windows refuses a checkpoint directory that is none or is not its own",
          "[csv_windows][cli]") {
  const small_job job;
  const scratch_folder& folder = job.folder();
  const std::string place = "checkpoint '" + folder / "state" + "'";
  const std::string no_parent = folder / "nowhere/state";
  require_refusal(job, {{"--checkpoint", no_parent}}, {no_parent, "create the directory above"});
  require_refusal(job, {{"--checkpoint", folder / "in.csv"}}, {"in.csv", "is no directory"});

  fs::create_directory(folder / "state");
  folder.file("state/diary.txt", "dear diary");
  require_refusal(job, {{"--resume", ""}}, {place, "'diary.txt'", "empty or new directory"});

  fs::remove_all(folder / "state");
  REQUIRE(fr::open_rocksdb({.directory = folder / "state", .job = "another"}).ok());
  require_refusal(job, {}, {place, "job 'another'", "'csv_windows'"});
  require_refusal(job, {{"--resume", ""}}, {place, "job 'another'", "'csv_windows'"});
}

TEST_CASE("csv_windows refuses a checkpoint directory that a running job uses",
          "[csv_windows][cli]") {
  const small_job job;
  const auto held = fr::open_rocksdb({.directory = job.folder() / "state", .job = "csv_windows"});
  REQUIRE(held.ok());
  require_refusal(job, {{"--resume", ""}}, {"in use"});
}

TEST_CASE("csv_windows starts fresh and says so when nothing is committed yet",
          "[csv_windows][cli]") {
  const small_job job;
  const std::string said = run_successfully(words_of(job.with({{"--resume", ""}})));
  CHECK(says(said, "csv_windows: nothing is committed in '" + job.folder() / "state" +
                       "' yet; starting fresh\n"));
  CHECK(says(said, "csv_windows: records=2 "));
}
