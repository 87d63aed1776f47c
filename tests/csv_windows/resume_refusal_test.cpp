// A csv_windows job that was killed and comes back changed, or to damaged files: refused in one
// line with everything as it was, so that the unchanged job still goes on afterwards.
#include "csv_windows/random_logs.hpp"
#include "csv_windows/support.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

using namespace csv_windows_test;
namespace fs = std::filesystem;

namespace {

/// A job over two files that was killed after its first commit and before its end.
class killed_job {
 public:
  killed_job() : folder_(medium::memory) {
    folder_.file("a.csv", large_log(91, 120'000));
    folder_.file("b.csv", large_log(92, 120'000));
    given_ = inputs_in_order() + columns() + windows() +
             arguments{"--out", folder_ / "out.csv", "--late", folder_ / "late.csv"} + checkpoint();
    running_program program(given_, errors_ / "errors");
    program.ended_within(std::chrono::minutes(1), [&] { return has_commits(folder_ / "state"); });
    const ending how = program.kill();
    INFO(how.errors);
    REQUIRE(how.killed);
    REQUIRE_FALSE(exists(folder_ / "out.csv"));
  }

  const scratch_folder& folder() const { return folder_; }
  const arguments& given() const { return given_; }

  arguments inputs_in_order() const {
    return {"--input", folder_ / "a.csv", "--input", folder_ / "b.csv"};
  }
  static arguments columns() {
    return {"--time", "at", "--time-format", "epoch_ms", "--key", "key", "--value", "value"};
  }
  static arguments windows() {
    return {"--window", "tumbling:1s", "--max-disorder", "2s", "--lateness", "1s"};
  }
  arguments checkpoint() const {
    return {"--checkpoint", folder_ / "state", "--every", "1ms", "--resume"};
  }

  /// The options of the job, with the value of one of them changed.
  arguments with(const std::string& option, const std::string& value) const {
    arguments changed = given_;
    for (std::size_t i = 0; i + 1 < changed.size(); ++i) {
      if (changed[i] == option) changed[i + 1] = value;
    }
    return changed;
  }

  /// Requires that `changed` is refused in one line with all of `words`, and changes nothing.
  void require_refusal(const arguments& changed, const arguments& words) const {
    CAPTURE(changed);
    const auto before = contents_of(folder_.path());
    const ending how = run_program(changed);
    CAPTURE(how.errors);
    CHECK(how.exit_code == 1);
    CHECK(how.errors.starts_with("csv_windows: "));
    CHECK(how.errors.find('\n') + 1 == how.errors.size());
    for (const std::string& word : words) {
      CAPTURE(word);
      CHECK(says(how.errors, word));
    }
    const bool unchanged = contents_of(folder_.path()) == before;
    CHECK(unchanged);
  }

  /// The bytes of both outputs of the same job, never killed.
  std::vector<std::string> uninterrupted() const {
    const scratch_folder apart(medium::memory);
    run_successfully(inputs_in_order() + columns() + windows() +
                     arguments{"--out", apart / "out.csv", "--late", apart / "late.csv"});
    return {content(apart / "out.csv"), content(apart / "late.csv")};
  }

  /// Requires that the unchanged job goes on and ends as if it had never been killed.
  void require_goes_on() const {
    const std::string said = run_successfully(given_);
    CHECK_FALSE(says(said, "starting fresh"));
    const bool same = outputs() == uninterrupted();
    CHECK(same);
  }

  /// The bytes of both outputs, which must be there.
  std::vector<std::string> outputs() const {
    return {content(folder_ / "out.csv"), content(folder_ / "late.csv")};
  }

 private:
  scratch_folder folder_;
  scratch_folder errors_;
  arguments given_;
};

/// Puts back the files of a killed job, with one file of its checkpoint damaged.
class damaged_copies {
 public:
  explicit damaged_copies(const killed_job& of)
      : job_(of), wanted_(of.uninterrupted()), copy_(medium::memory) {
    fs::copy(of.folder().path(), copy_.path(), everything);
    for (const auto& [path, bytes] : contents_of(copy_ / "state")) {
      const bool can_be_damaged = fs::is_regular_file(path) && !bytes.empty();
      if (can_be_damaged) files_.push_back(path.substr(copy_.path().size() + 1));
    }
  }

  /// The files of the checkpoint, relative to the folder of the job.
  const std::vector<std::string>& files() const { return files_; }

  /// Damages one file: a bit flipped, the end cut off, or 64 bytes zeroed.
  void damage(const std::string& file, const std::string& how, std::uint64_t random) const {
    fs::remove_all(job_.folder().path());
    fs::copy(copy_.path(), job_.folder().path(), everything);
    std::string bytes = content(job_.folder() / file);
    const std::size_t where = random % bytes.size();
    if (how == "flip") bytes[where] = static_cast<char>(bytes[where] ^ 0x10);
    if (how == "cut") bytes.resize(where);
    if (how == "zero") bytes.replace(where, 64, 64, '\0');
    job_.folder().file(file, bytes);
  }

  /// Requires that the job is refused and changes nothing, or that its outputs are as if nothing
  /// were damaged: of an older commit, or because nobody needs the file. \return whether it said
  /// that something is damaged.
  bool require_refused_or_harmless() const {
    const auto before = contents_of(job_.folder().path());
    const ending how = run_program(job_.given());
    INFO(how.errors);
    REQUIRE_FALSE(how.killed);
    if (how.exit_code == 0) {
      const bool right = job_.outputs() == wanted_;
      REQUIRE(right);
      return says(how.errors, "is damaged");
    }
    CHECK(how.exit_code == 1);
    CHECK(how.errors.find('\n') + 1 == how.errors.size());
    CHECK(says(how.errors, "checkpoint '"));
    const bool unchanged = contents_of(job_.folder().path()) == before;
    CHECK(unchanged);
    return true;
  }

 private:
  static constexpr auto everything = fs::copy_options::recursive;

  const killed_job& job_;
  std::vector<std::string> wanted_;
  scratch_folder copy_;
  std::vector<std::string> files_;
};

}  // namespace

TEST_CASE("a killed csv_windows job refuses other windows when resumed", "[csv_windows][cli]") {
  const killed_job job;
  job.require_refusal(job.with("--window", "tumbling:2s"), {"checkpoint", "windows", "2s"});
  job.require_refusal(job.with("--window", "sliding:1s/500ms"), {"checkpoint", "500ms"});
  job.require_refusal(job.with("--window", "session:1s"), {"checkpoint", "session"});
  job.require_refusal(job.with("--lateness", "2s"), {"checkpoint", "lateness"});
  job.require_refusal(job.with("--max-disorder", "3s"), {"checkpoint", "disorder", "3s"});
  job.require_refusal(job.given() + arguments{"--offset", "5ms"}, {"checkpoint", "offset"});
  job.require_goes_on();
}

TEST_CASE("a killed csv_windows job refuses other columns when resumed", "[csv_windows][cli]") {
  const killed_job job;
  job.require_refusal(job.with("--value", "at"), {"checkpoint", "value"});
  job.require_refusal(job.with("--key", "value"), {"checkpoint", "key"});
  job.require_refusal(job.with("--time-format", "epoch_us"), {"checkpoint", "epoch_us"});
  job.require_goes_on();
}

TEST_CASE("a killed csv_windows job refuses other input files when resumed", "[csv_windows][cli]") {
  const killed_job job;
  const arguments rest =
      job.columns() + job.windows() + job.checkpoint() +
      arguments{"--out", job.folder() / "out.csv", "--late", job.folder() / "late.csv"};
  const arguments a = {"--input", job.folder() / "a.csv"};
  const arguments b = {"--input", job.folder() / "b.csv"};
  const arguments c = {"--input", job.folder().file("c.csv", large_log(93, 10))};
  job.require_refusal(rest + a, {"input", "2 then, 1 now"});
  job.require_refusal(rest + a + b + c, {"input", "2 then, 3 now"});
  job.require_refusal(rest + b + a, {"input", "order"});
  job.require_goes_on();
}

TEST_CASE("a killed csv_windows job refuses an input that was cut off or is gone",
          "[csv_windows][cli]") {
  const killed_job job;
  const std::string path = job.folder() / "a.csv";
  const std::string text = content(path);
  fs::remove(path);
  job.require_refusal(job.given(), {"a.csv", "cannot open"});
  job.folder().file("a.csv", text.substr(0, 40));
  job.require_refusal(job.given(), {"a.csv", "ends at byte 40", "put back"});
  job.folder().file("a.csv", text);
  job.require_goes_on();
}

TEST_CASE("a killed csv_windows job refuses other outputs when resumed", "[csv_windows][cli]") {
  const killed_job job;
  job.require_refusal(job.with("--out", job.folder() / "else.csv"), {"else.csv", "is missing"});
  const arguments without_late = job.inputs_in_order() + job.columns() + job.windows() +
                                 job.checkpoint() + arguments{"--out", job.folder() / "out.csv"};
  job.require_refusal(without_late, {"checkpoint", "sink 'late'"});
  job.require_refusal(job.given() + arguments{"--dead", job.folder() / "dead.csv"},
                      {"checkpoint", "sink 'dead'"});
  job.require_goes_on();
}

TEST_CASE("a csv_windows job never takes a damaged checkpoint for a whole one",
          "[csv_windows][cli][crash]") {
  const std::uint64_t seed = 94;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const killed_job job;
  const damaged_copies copies(job);
  int reported = 0;
  for (const std::string& file : copies.files()) {
    for (const std::string how : {"flip", "cut", "zero"}) {
      CAPTURE(file, how);
      copies.damage(file, how, random());
      reported += copies.require_refused_or_harmless() ? 1 : 0;
    }
  }
  CAPTURE(copies.files().size());
  CHECK(reported > 0);
}
