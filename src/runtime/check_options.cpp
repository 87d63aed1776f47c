#include "check_options.hpp"

#include <freshet/core/key_group.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace freshet::detail {

absl::Status check_options(const run_options& options, const graph& of) {
  const std::string place = fmt::format("pipeline '{}'", of.name());
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(place + ": " + what);
  };
  if (options.parallelism == 0 || options.parallelism > key_groups) {
    return wrong(fmt::format("parallelism is {}, wanted 1 to {}; give the number of cores to use",
                             options.parallelism, key_groups));
  }
  if (options.scheduler.threads > key_groups) {
    return wrong(
        fmt::format("thread_pool has {} threads, wanted at most {}; give 0 for one per core",
                    options.scheduler.threads, key_groups));
  }
  if (options.channel_batches == 0) {
    return wrong("channel_batches is 0, so that nothing could pass; give at least 1");
  }
  if (options.flush_after < duration::zero()) {
    return wrong(fmt::format("flush_after {} is negative; give zero or a positive duration",
                             to_text(options.flush_after)));
  }
  if (options.rebalance_every < duration::zero()) {
    return wrong(fmt::format("rebalance_every {} is negative; give zero or a positive duration",
                             to_text(options.rebalance_every)));
  }
  if (options.latency_markers < duration::zero()) {
    return wrong(fmt::format("latency_markers {} is negative; give zero or a positive duration",
                             to_text(options.latency_markers)));
  }
  if (options.max_drift < duration::zero()) {
    return wrong(fmt::format("max_drift {} is negative; give zero or a positive duration",
                             to_text(options.max_drift)));
  }
  for (const auto& [name, within] : {std::pair("stop_within", options.stop_within),
                                     std::pair("drain_within", options.drain_within)}) {
    if (within < duration::zero()) {
      return wrong(fmt::format("{} {} is negative; give zero or a positive duration", name,
                               to_text(within)));
    }
  }
  if (options.scheduler.is == scheduling::kind::host_workers && !options.scheduler.enqueue) {
    return wrong("host_workers was given no function; give one that enqueues work");
  }
  if (options.checkpoint.every <= duration::zero()) {
    return wrong(fmt::format("checkpoint.every {} is not positive; give a positive duration",
                             to_text(options.checkpoint.every)));
  }
  if (options.checkpoint.alignment_limit <= duration::zero()) {
    return wrong(
        fmt::format("checkpoint.alignment_limit {} is not positive; give a positive duration",
                    to_text(options.checkpoint.alignment_limit)));
  }
  if (options.checkpoint.keep == 0) {
    return wrong("checkpoint.keep is 0, so that no commit would stay; give at least 1");
  }
  if (options.checkpoint.copy_every <= duration::zero()) {
    return wrong(fmt::format("checkpoint.copy_every {} is not positive; give a positive duration",
                             to_text(options.checkpoint.copy_every)));
  }
  if (!options.checkpoint.restore_from.empty() &&
      (options.checkpoint.backend || options.checkpoint.directory.empty())) {
    return wrong(
        "checkpoint.restore_from is given without a directory; give a new one to go on in");
  }
  if (options.resume == resume::required && !options.checkpoint.enabled()) {
    return wrong("resume is required, and there is no checkpoint directory; give one");
  }
  if (options.state.memory_limit > 0 && !options.checkpoint.enabled()) {
    return wrong(
        "state.memory_limit is given without a checkpoint directory, where rows are that do not "
        "fit; give one");
  }
  const bool has_source = std::any_of(of.nodes().begin(), of.nodes().end(), [](const node& each) {
    return each.is == node::role::source;
  });
  if (!has_source) {
    return wrong("it has no source; begin with from(name, ...)");
  }
  return absl::OkStatus();
}

}  // namespace freshet::detail
