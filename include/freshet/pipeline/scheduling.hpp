// Schedulers: who runs the tasks of a job. Descriptions are plain values; the engine opens them.
//
// Tasks are cooperative: one runs for a bounded slice of work when it has input and its outputs
// have room, and never waits inside. With parallelism 1 a job is one task, and runs in the thread
// that called `run`, whatever is said here, but for `simulation`. Any number of tasks runs on any
// number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace freshet {

/// Hands `work` to a thread of the host's, to be called once, soon, and from any thread. Must not
/// call it before it returns.
using host_enqueue = std::function<void(std::function<void()> work)>;

/// One of the schedulers below.
struct scheduling {
  enum class kind : std::uint8_t { thread_pool, tbb_arena, host_workers, simulation };
  kind is = kind::thread_pool;
  std::uint64_t seed = 0;          ///< Of a simulation.
  host_enqueue enqueue = nullptr;  ///< Of the host's workers.
  std::size_t threads = 0;         ///< Of a thread pool.
};

/// Threads of the job's own, which sleep while there is nothing to do. The default.
/// \param threads  at most 128; 0: as many as `run_options::parallelism`, but neither threads nor
///                 tasks of an operator are more than there are cores. More of them gain something
///                 only where functions wait for something.
inline scheduling thread_pool(std::size_t threads = 0) {
  return {scheduling::kind::thread_pool, 0, nullptr, threads};
}

/// A oneTBB arena of the job's own with as many threads as `run_options::parallelism`. Idle workers
/// of oneTBB spin for a while before they sleep, which costs more than `thread_pool` at low load.
/// \note While the job runs it holds a `tbb::global_control` that lets oneTBB start that many
///       workers beside the calling thread, which concerns the whole process.
inline scheduling tbb_arena() {
  return {scheduling::kind::tbb_arena, 0, nullptr, 0};
}

/// The threads of the application: `host_workers([&arena](auto work) { arena.enqueue(work); })` for
/// a `tbb::task_arena` of the host's, or any other pool. It must outlive the job. How many tasks
/// really run at once is tried when the job starts; `run_summary::warnings` tells when it is fewer
/// than `run_options::parallelism`.
inline scheduling host_workers(host_enqueue enqueue) {
  return {scheduling::kind::host_workers, 0, std::move(enqueue), 0};
}

/// One thread, the calling one, and an order of tasks, batches and flushes drawn from `seed`: the
/// same seed gives the same run, as far as sources and clock do. For tests.
inline scheduling simulation(std::uint64_t seed) {
  return {scheduling::kind::simulation, seed, nullptr, 0};
}

}  // namespace freshet
