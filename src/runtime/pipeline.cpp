#include <freshet/pipeline/pipeline.hpp>

#include "job_runner.hpp"

#include <fmt/format.h>

#include <utility>

namespace freshet {

pipeline::pipeline(std::string name) : graph_(std::make_shared<detail::graph>(std::move(name))) {}

absl::Status pipeline::run(const run_options& options, run_summary* summary) {
  detail::job_runner runner(graph_, options);
  absl::Status result = runner.open();
  if (result.ok()) result = runner.execute();
  if (summary != nullptr) *summary = runner.summary();
  return result;
}

absl::StatusOr<job> pipeline::start(const run_options& options) {
  auto runner = std::make_unique<detail::job_runner>(graph_, options);
  if (absl::Status opened = runner->open(); !opened.ok()) return opened;
  runner->start_thread();
  return job(std::move(runner));
}

job::job(std::unique_ptr<detail::job_runner> runner) : runner_(std::move(runner)) {}
job::job(job&&) noexcept = default;
job& job::operator=(job&&) noexcept = default;
job::~job() = default;

void job::stop() {
  runner_->request_stop();
}
void job::drain() {
  runner_->request_drain();
}
absl::Status job::savepoint(const std::string& directory, duration at_most) {
  return runner_->make_savepoint(directory, at_most);
}
absl::Status job::wait() {
  return runner_->wait();
}
bool job::wait_for(duration at_most) {
  return runner_->ended_within(at_most);
}
job_metrics job::metrics() const {
  return runner_->metrics();
}
absl::StatusOr<window_explanation> job::why_not_fired(std::string_view name,
                                                      const window_span& span,
                                                      duration at_most) const {
  return runner_->explain(name, span, at_most);
}
const run_summary& job::summary() const {
  return runner_->summary();
}

namespace {

std::uint64_t sum(const job_metrics& of, std::uint64_t operator_metrics::* member,
                  const char* kind = nullptr) {
  std::uint64_t all = 0;
  for (const operator_metrics& each : of.operators) {
    if (kind == nullptr || each.kind == kind) all += each.*member;
  }
  return all;
}

}  // namespace

std::uint64_t job_metrics::records() const {
  return sum(*this, &operator_metrics::records_in, "from");
}
std::uint64_t job_metrics::rows() const {
  return sum(*this, &operator_metrics::records_in, "to");
}
std::uint64_t job_metrics::late() const {
  return sum(*this, &operator_metrics::late);
}
std::uint64_t job_metrics::dead() const {
  return sum(*this, &operator_metrics::dead);
}
std::uint64_t job_metrics::unassigned() const {
  return sum(*this, &operator_metrics::unassigned);
}
std::uint64_t job_metrics::regressed() const {
  return sum(*this, &operator_metrics::regressed);
}

std::uint64_t job_metrics::dropped() const {
  return sum(*this, &operator_metrics::dropped);
}
std::uint64_t job_metrics::shed() const {
  return sum(*this, &operator_metrics::shed);
}

operator_metrics job_metrics::of(std::string_view kind, std::string_view name) const {
  for (const operator_metrics& each : operators) {
    if (each.kind == kind && each.name == name) return each;
  }
  return {};
}

latency_histogram job_metrics::latency_to(std::string_view sink) const {
  latency_histogram all;
  for (const latency_metrics& each : latencies) {
    if (each.sink == sink) all.merge(each.latency);
  }
  return all;
}

std::string run_summary::to_text() const {
  if (nothing_to_do) return "the job had finished already; nothing to do\n";
  std::string text = fmt::format(
      "{} records, {} rows, {} late, {} dead, {} unassigned in {:.2f} s; {} checkpoints{}{}\n",
      metrics.records(), metrics.rows(), metrics.late(), metrics.dead(), metrics.unassigned(),
      seconds, metrics.checkpoints, resumed ? "; resumed" : "; fresh start",
      finished ? "" : "; not finished");
  if (metrics.regressed() > 0) {
    text += fmt::format("{} promises of records were ignored: backwards, or beyond jump_max\n",
                        metrics.regressed());
  }
  if (metrics.dropped() > 0) {
    text += fmt::format("{} windows of processing time were still open at the end, and dropped\n",
                        metrics.dropped());
  }
  if (metrics.shed() > 0) {
    text += fmt::format("{} records were dropped by the policy of their source\n", metrics.shed());
  }
  text += "guarantee: " + guarantee + "\n";
  for (const std::string& what : unpromised) {
    text += "results may differ between runs because of: " + what + "\n";
  }
  for (const std::string& what : warnings) text += what + "\n";
  return text;
}

}  // namespace freshet
