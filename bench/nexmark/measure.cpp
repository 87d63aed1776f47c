#include "measure.hpp"

#include "golden.hpp"
#include "loops.hpp"
#include "saved.hpp"

#include <freshet/pipeline/pipeline.hpp>

#include <absl/status/status.h>
#include <fmt/format.h>

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

namespace nexmark {

namespace {

double process_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What an answer is the answer to.
std::string title_of(const query& what, const log_options& log) {
  return fmt::format("nexmark {} events={} rate={} seed={} ooo={}", what.name, log.events,
                     log.rate_per_second, log.seed, log.group);
}

absl::Status wrong_answer(const query& what, const answer& found, const answer& wanted,
                          std::string_view of) {
  return absl::DataLossError(fmt::format(
      "{}: found {} rows, checksum {:016x}, digest {:016x}; wanted those of {}: {} rows, checksum "
      "{:016x}, digest {:016x}",
      what.name, found.rows, found.checksum, found.digest, of, wanted.rows, wanted.checksum,
      wanted.digest));
}

/// The logs of loop and job. In memory, where they are pregenerated; both have the same when there
/// is one split.
struct logs {
  std::shared_ptr<input> whole;  ///< One split.
  std::shared_ptr<input> split;

  logs(const query& what, const measure_options& options, std::size_t splits) {
    whole = std::make_shared<input>(input{options.log, 1, {}});
    split = whole;
    if (options.pregenerated) whole->pregenerated.push_back(part(what, options.log, 0, 1));
    if (splits == 1) return;
    split = std::make_shared<input>(input{options.log, splits, {}});
    if (!options.pregenerated) return;
    for (std::size_t i = 0; i < split->splits; ++i) {
      split->pregenerated.push_back(part(what, options.log, i, split->splits));
    }
  }

  static segment part(const query& what, const log_options& log, std::size_t i, std::size_t of) {
    return pregenerate(log, i, of, what.wanted);
  }
  const segment* memory() const {
    return whole->pregenerated.empty() ? nullptr : &whole->pregenerated.front();
  }
};

/// A path of this process' own for files that nobody wants to keep; removed with its content.
class scratch_folder {
 public:
  scratch_folder()
      : path_((std::filesystem::temp_directory_path() / fmt::format("nexmark_{}", ::getpid()))
                  .string()) {}
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string folder_of(const query& what, const measure_options& options) {
  return fmt::format("{}/{}", options.checkpoint, what.name);
}

/// One run of a job.
struct run_result {
  answer all;
  double cpu_seconds = 0;
  double wall_seconds = 0;
  bool resumed = false;
};

absl::StatusOr<run_result> run_job(const query& what, const measure_options& options,
                                   const std::shared_ptr<const input>& from, bool hashed) {
  summing to{.hashed = hashed, .all = std::make_shared<answer>()};
  const scratch_folder scratch;
  to.folder = scratch.path();
  fr::run_options how;
  how.parallelism = options.parallelism;
  // As many threads as were asked for, also where there are fewer cores: the answer must not care.
  if (options.parallelism > 1) how.scheduler = fr::thread_pool(options.parallelism);
  if (!options.checkpoint.empty()) {
    const std::string folder = folder_of(what, options);
    to.path = folder + "/answer";
    to.folder = folder + "/files";
    to.of = title_of(what, options.log);
    how.checkpoint.directory = folder + "/state";
    how.checkpoint.every = options.every;
  }
  fr::pipeline job(fmt::format("nexmark_{}", what.name));
  what.compose(job, from, to);
  fr::run_summary summary;
  const double cpu = process_seconds();
  const auto wall = std::chrono::steady_clock::now();
  if (absl::Status done = job.run(how, &summary); !done.ok()) return done;
  run_result result;
  result.cpu_seconds = process_seconds() - cpu;
  result.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  result.resumed = summary.resumed;
  for (const std::string& each : summary.warnings)
    std::fprintf(stderr, "nexmark: %s\n", each.c_str());
  result.all = *to.all;
  if (!to.path.empty()) {
    absl::StatusOr<answer> saved = load_answer(to.path, to.of);
    if (!saved.ok()) return saved.status();
    result.all = *saved;
  }
  return result;
}

/// One run over checksums, which goes on where it was killed.
absl::StatusOr<measurement> measure_resumable(const query& what, const measure_options& options) {
  const std::string folder = folder_of(what, options);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) {
    return absl::InvalidArgumentError(
        fmt::format("--checkpoint '{}': cannot be made ({})", folder, failed.message()));
  }
  const absl::StatusOr<std::size_t> splits = splits_in(folder, options.parallelism);
  if (!splits.ok()) return splits.status();
  const logs from(what, options, *splits);
  const loop_result loop = run_loop(what.name, options.log, from.memory(), true);
  const absl::StatusOr<run_result> run = run_job(what, options, from.split, true);
  if (!run.ok()) return run.status();
  if (run->all != loop.all) return wrong_answer(what, run->all, loop.all, "the loop");
  return measurement{std::string(what.name), run->all,         run->cpu_seconds,
                     run->wall_seconds,      loop.cpu_seconds, run->resumed};
}

absl::StatusOr<measurement> measure_repeatedly(const query& what, const measure_options& options) {
  const logs from(what, options, options.parallelism);
  constexpr double never = std::numeric_limits<double>::infinity();
  measurement best{.query = std::string(what.name),
                   .cpu_seconds = never,
                   .wall_seconds = never,
                   .loop_seconds = never};
  for (std::size_t round = 0; round < options.repeat; ++round) {
    const loop_result loop = run_loop(what.name, options.log, from.memory(), false);
    const absl::StatusOr<run_result> run = run_job(what, options, from.split, false);
    if (!run.ok()) return run.status();
    if (run->all != loop.all) return wrong_answer(what, run->all, loop.all, "the loop");
    best.loop_seconds = std::min(best.loop_seconds, loop.cpu_seconds);
    best.cpu_seconds = std::min(best.cpu_seconds, run->cpu_seconds);
    best.wall_seconds = std::min(best.wall_seconds, run->wall_seconds);
  }
  const absl::StatusOr<run_result> hashed = run_job(what, options, from.split, true);
  if (!hashed.ok()) return hashed.status();
  best.all = hashed->all;
  if (!options.check) return best;
  const answer expected = run_loop(what.name, options.log, from.memory(), true).all;
  if (best.all != expected) return wrong_answer(what, best.all, expected, "the loop");
  return best;
}

}  // namespace

absl::StatusOr<measurement> measure(const query& what, const measure_options& options) {
  absl::StatusOr<measurement> done = options.checkpoint.empty() ? measure_repeatedly(what, options)
                                                                : measure_resumable(what, options);
  if (!done.ok() || !options.check) return done;
  const std::optional<answer> golden = golden_answer(what.name, options.log);
  if (golden && done->all != *golden) {
    return wrong_answer(what, done->all, *golden, "the specification");
  }
  return done;
}

}  // namespace nexmark
