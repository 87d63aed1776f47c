// The inputs of a harness: where a test pushes records and watermarks. Made by `harness::input` and
// `harness::untimed_input`.
//
// Handles: copies share the input. After a failure of the job what is given waits for `resume`, as
// it would in a real source. Everything that gives throws `std::logic_error` when the split or the
// job has ended. Threads: the test's.
#pragma once

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/testing/detail/driven_job.hpp>
#include <freshet/testing/detail/hand_source.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

/// What splits with and without event times have in common.
template <class T>
class given_split {
 public:
  given_split(std::shared_ptr<driven_job> job, std::shared_ptr<hand_queue<T>> queue,
              std::size_t input, std::size_t split)
      : job_(std::move(job)), queue_(std::move(queue)), input_(input), split_(split) {}

  /// Nothing follows in this split.
  void end() const { give({hand_kind::end, std::nullopt, {}}); }

 protected:
  void give(hand_item<T> item) const {
    job_->require_open(input_, split_);
    const hand_kind what = item.what;
    queue_->append(split_, std::move(item));
    job_->given(input_, split_, what);
  }

 private:
  std::shared_ptr<driven_job> job_;
  std::shared_ptr<hand_queue<T>> queue_;
  std::size_t input_;
  std::size_t split_;
};

}  // namespace detail

namespace testing {

/// One split of a `hand_input`.
template <class T>
class hand_split : public detail::given_split<T> {
 public:
  using detail::given_split<T>::given_split;

  /// A record that happened at `at`. The watermark that the split had been given before it is its
  /// entry frontier. It wakes a split that is idle.
  void push(T record, timestamp at) const {
    this->give({detail::hand_kind::record, std::move(record), at});
  }

  /// Promises that no record before `frontier` will come (an exclusive frontier). Ignored when as
  /// much was promised already, and while the split is idle. Only `end` ends time: `timestamp_max`
  /// counts as `timestamp_max` - 1 us.
  void watermark(timestamp frontier) const {
    this->give({detail::hand_kind::watermark, std::nullopt, frontier});
  }

  /// The split is not to be waited for, until it is active again.
  void idle() const { this->give({detail::hand_kind::idle, std::nullopt, {}}); }
  /// The split counts again, once it has caught up with the others. A record does the same.
  void active() const { this->give({detail::hand_kind::active, std::nullopt, {}}); }
};

/// One split of an `untimed_hand_input`.
template <class T>
class untimed_hand_split : public detail::given_split<T> {
 public:
  using detail::given_split<T>::given_split;

  void push(T record) const {
    this->give({detail::hand_kind::record, std::move(record), timestamp_min});
  }
};

}  // namespace testing

namespace detail {

/// What inputs with and without event times have in common.
template <class T, bool timed>
class given_input {
 public:
  using split_type =
      std::conditional_t<timed, testing::hand_split<T>, testing::untimed_hand_split<T>>;

  given_input(std::shared_ptr<driven_job> job, const std::string& name, std::size_t splits,
              duration idle_after)
      : job_(std::move(job)),
        queue_(std::make_shared<hand_queue<T>>(name, splits)),
        stream_(compose(name, idle_after)),
        input_(job_->add(queue_)) {}

  /// The records, for composing.
  const freshet::stream<T>& stream() const { return stream_; }

  std::size_t splits() const { return queue_->splits(); }

  /// One of the splits. Throws `std::invalid_argument` when there is none of this number.
  split_type split(std::size_t number) const {
    if (number < splits()) return {job_, queue_, input_, number};
    throw std::invalid_argument(queue_->place() + ": it has " + std::to_string(splits()) +
                                " splits and none of number " + std::to_string(number) +
                                "; count from 0, or give .splits more");
  }

  /// Nothing follows in any split.
  void end() const {
    each_split([](const split_type& split) { split.end(); });
  }

 protected:
  template <class F>
  void each_split(F f) const {
    for (std::size_t number = 0; number < splits(); ++number) f(split(number));
  }
  split_type only_split() const {
    if (splits() == 1) return split(0);
    throw std::logic_error(queue_->place() + ": it has " + std::to_string(splits()) +
                           " splits, and a record comes from one of them; write "
                           "input.split(0).push(...)");
  }

 private:
  freshet::stream<T> compose(const std::string& name, duration idle_after) const {
    if (splits() == 0) throw std::invalid_argument(queue_->place() + ": 0 splits; give at least 1");
    const graph_handle& graph = job_->composed().graph();
    node fresh;
    fresh.kind = "from";
    fresh.name = name;
    fresh.is = node::role::source;
    fresh.named = true;
    fresh.format = "by hand";
    fresh.make = [queue = queue_] { return std::make_unique<hand_head<T, timed>>(queue); };
    using row = typename hand_head<T, timed>::row;
    const freshet::stream<row> rows(graph, {graph->add(std::move(fresh)), 0});
    if constexpr (timed) {
      return rows | event_time(&handed<T>::at, by_hand{}, {.idle_after = idle_after}) |
             map([](const handed<T>& each) { return each.value; });
    } else {
      return rows;
    }
  }

  std::shared_ptr<driven_job> job_;
  std::shared_ptr<hand_queue<T>> queue_;
  freshet::stream<T> stream_;
  std::size_t input_;
};

}  // namespace detail

namespace testing {

/// An input whose event times and watermarks come from the test.
template <class T>
class hand_input : public detail::given_input<T, true> {
 public:
  using detail::given_input<T, true>::given_input;

  /// As `hand_split::push`. Throws `std::logic_error` when there are several splits.
  void push(T record, timestamp at) const { this->only_split().push(std::move(record), at); }

  /// As the members of `hand_split`, for every split.
  void watermark(timestamp frontier) const {
    this->each_split([frontier](const hand_split<T>& split) { split.watermark(frontier); });
  }
  void idle() const {
    this->each_split([](const hand_split<T>& split) { split.idle(); });
  }
  void active() const {
    this->each_split([](const hand_split<T>& split) { split.active(); });
  }
};

/// An input of bare records: for pipelines without event times, and for those that find them in the
/// records, with an `event_time` of their own.
template <class T>
class untimed_hand_input : public detail::given_input<T, false> {
 public:
  using detail::given_input<T, false>::given_input;

  /// Throws `std::logic_error` when there are several splits.
  void push(T record) const { this->only_split().push(std::move(record)); }
};

}  // namespace testing

}  // namespace freshet
