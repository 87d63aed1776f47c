// What the tests of fallback and savepoints share: a job over files that commits when it is told
// to, and folders to damage.
#pragma once

#include "pipeline/support.hpp"
#include "state/checkpoint_files.hpp"

#include "runtime/job_runner.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/freshet.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace kept_commits {

namespace fr = freshet;
namespace fs = std::filesystem;
using checkpoint_files::medium;
using checkpoint_files::newest_commit;
using checkpoint_files::read_file;
using checkpoint_files::temporary_directory;
using checkpoint_files::write_file;
using fr::test::message_of;

inline std::vector<fr::test::event> log_of(std::size_t records, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<fr::test::event> all;
  for (std::size_t i = 0; i < records; ++i) {
    const auto late = static_cast<std::int64_t>(random() % 20);
    all.push_back({"k" + std::to_string(random() % 12), static_cast<std::int64_t>(i),
                   fr::test::tick(static_cast<std::int64_t>(i) * 5 - late)});
  }
  return all;
}

/// Lines of a file, sorted: several tasks may write them in any order.
inline std::vector<std::string> sorted_lines(const std::string& path) {
  std::istringstream text(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

inline std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

/// A job of windows over a log, whose rows go to a file; `extend` may add to it.
class windows_job {
 public:
  using extension = std::function<void(fr::stream<fr::test::event>)>;

  explicit windows_job(std::string folder, extension extend = nullptr)
      : folder_(std::move(folder)), extend_(std::move(extend)) {
    script_->splits = {log_of(3000, 1), log_of(3000, 2)};
    script_->chunk_max = 50;
  }

  std::string state() const { return folder_ + "/state"; }
  std::string out() const { return folder_ + "/out.csv"; }
  fr::test::script<fr::test::event>& script() { return *script_; }
  fr::run_options& options() { return options_; }

  fr::pipeline compose() const {
    fr::pipeline p("windows");
    auto events = p.from("log", fr::test::scripted<fr::test::event>(script_)) |
                  fr::event_time(&fr::test::event::at, fr::bounded_disorder(fr::duration{20}));
    events | fr::key_by(&fr::test::event::key) | fr::window(fr::tumbling{fr::duration{300}}) |
        fr::aggregate("sums", fr::count("n"), fr::sum("value", &fr::test::event::value)) |
        fr::to("out", fr::csv::write(out()));
    if (extend_) extend_(events);
    return p;
  }

  fr::run_options with_directory() const {
    fr::run_options options = options_;
    if (options.checkpoint.directory.empty()) options.checkpoint.directory = state();
    options.checkpoint.every = std::chrono::hours(1);
    return options;
  }

  /// Reads `records` more, commits, and dies.
  fr::run_summary read_and_die(std::size_t records) {
    fr::pipeline p = compose();
    script_->pause_after = records;
    fr::detail::job_runner runner(p.graph(), with_directory());
    const absl::Status opened = runner.open();
    CAPTURE(opened.ToString());
    REQUIRE(opened.ok());
    REQUIRE(runner.settle().ok());
    REQUIRE(runner.commit_now().ok());
    REQUIRE(runner.settle().ok());
    script_->pause_after = std::numeric_limits<std::size_t>::max();
    return runner.summary();
  }

  absl::Status run_to_end(fr::run_summary* summary = nullptr) {
    return compose().run(with_directory(), summary);
  }

  /// What the job writes when nothing happens to it.
  std::vector<std::string> undisturbed() const {
    windows_job other(folder_ + "/undisturbed");
    fs::create_directory(other.folder_);
    REQUIRE(other.run_to_end().ok());
    return sorted_lines(other.out());
  }

 private:
  std::string folder_;
  extension extend_;
  fr::test::script_handle<fr::test::event> script_ =
      std::make_shared<fr::test::script<fr::test::event>>();
  fr::run_options options_;
};

}  // namespace kept_commits
