// Reading the windows of a running job: what they hold just now, from any thread of the
// application.
//
//     absl::StatusOr<freshet::job> job = p.start({.parallelism = 4});
//     auto activity = job->view<decltype(per_card)::value_type>("activity_10m");
//     auto now = activity->get("4929-...");      // the open windows of this card
//     for (const auto& row : now->rows) { ... }
//
// The task that owns the key answers between two slices of its work, so that a question sees whole
// batches, holds nobody up for longer than its own answer takes, and needs no locks in the state.
// Threads: a view may be copied and used from any thread, but for the functions of the pipeline. It
// must not outlive its job.
#pragma once

#include <freshet/core/hash.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/readable.hpp>
#include <freshet/pipeline/window_row.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

class job_runner;
class runtime_operator;

/// Which operator is read, and how to reach it.
struct view_source {
  job_runner* job = nullptr;
  std::size_t node = 0;
};

/// Errors: NotFound with the names there are, InvalidArgument when its rows are of another type.
absl::StatusOr<view_source> find_view(job_runner& job, std::string_view name,
                                      const std::type_info& row);

/// Has `read(operator, index)` called for every one of `hashes`, by the tasks that own them.
/// `read` may still be called after an error, so that what it refers to must be its own.
absl::Status read_rows(const view_source& from, const std::vector<std::uint64_t>& hashes,
                       std::function<void(runtime_operator&, std::size_t)> read, duration at_most);

template <class Row>
struct key_of_row {
  using type = void;
};
template <class Key, class... Values>
struct key_of_row<window_row<Key, Values...>> {
  using type = Key;
};

}  // namespace detail

/// What a view tells of one key.
template <class Row>
struct viewed {
  /// The key's windows that are not closed, by their ends. One that has not fired yet has timing
  /// `early` in its pane; one that waits for late records only, `on_time`. Empty for an unknown
  /// key.
  std::vector<Row> rows;
  /// Up to here event time is complete: windows that end no later have fired. Records behind their
  /// frontier, and those under way in channels, are not in the rows yet.
  timestamp watermark = timestamp_min;
};

/// `Row`: the type of the window operator's rows, `window_row<Key, Values...>`. Or of those of a
/// table that `upsert` keeps, and then the type of its keys: there is one row for a key, or none.
template <class Row, class Key = typename detail::key_of_row<Row>::type>
class view {
 public:
  using key_type = Key;

  explicit view(detail::view_source from) : from_(from) {}

  /// What `key` has now. Errors: DeadlineExceeded when its task does not come to it within
  /// `at_most`, FailedPrecondition when the job has ended or a function of the pipeline asks.
  /// \cost One message to the task, and waiting for the slice under way there.
  absl::StatusOr<viewed<Row>> get(const key_type& key,
                                  duration at_most = std::chrono::seconds(5)) const {
    absl::StatusOr<std::vector<viewed<Row>>> all = get(std::vector<key_type>{key}, at_most);
    if (!all.ok()) return all.status();
    return std::move(all->front());
  }

  /// The same for several keys, in their order: one message for each task. Keys of different tasks
  /// may be at different watermarks.
  absl::StatusOr<std::vector<viewed<Row>>> get(std::vector<key_type> keys,
                                               duration at_most = std::chrono::seconds(5)) const {
    struct question {
      std::vector<key_type> keys;
      std::vector<std::uint64_t> hashes;
      std::vector<viewed<Row>> answers;
    };
    const auto asked = std::make_shared<question>();
    for (const key_type& key : keys) asked->hashes.push_back(stable_hash(key));
    asked->keys = std::move(keys);
    asked->answers.resize(asked->keys.size());
    const auto read = [asked](detail::runtime_operator& of, std::size_t index) {
      const auto& rows = dynamic_cast<const detail::readable_rows<key_type, Row>&>(of);
      rows.read(asked->hashes[index], asked->keys[index], asked->answers[index].rows);
      asked->answers[index].watermark = rows.reads_at();
    };
    if (absl::Status failed = detail::read_rows(from_, asked->hashes, read, at_most);
        !failed.ok()) {
      return failed;
    }
    return std::move(asked->answers);
  }

 private:
  detail::view_source from_;
};

}  // namespace freshet
