// What operators share whose answer to a watermark may be long: it is given in slices. Internal.
//
// Between two slices the task may do other things, but nothing overtakes the unfinished answer:
// what arrives meanwhile waits, and a later watermark only moves the goal.
//
// Instances that give their keys to one may have come to different watermarks. Of these the largest
// counts, because it has been promised; the rest of the keys catch up before anything else happens.
// Threads: one task.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class In, class Out>
class resumable_operator : public unary_operator<In, Out> {
 public:
  bool resume() override { return advance(); }

  void signal(const control& what) override {
    catch_up();
    unary_operator<In, Out>::signal(what);
  }

 protected:
  /// Does what `watermark()` and `frontier` have between them; false when a slice is done and there
  /// is more to do.
  virtual bool move_to(timestamp frontier) = 0;
  /// Sends everything that has been emitted so far.
  virtual void flush() = 0;
  /// What may be promised downstream at `frontier`.
  virtual timestamp promised_at(timestamp frontier) const { return frontier; }
  /// Sends a signal to every output.
  virtual void signal_outputs(const control& what) { this->out().signal(what); }

  /// Whether the answer to a watermark is unfinished.
  bool answers() const { return unfinished_; }

  /// What has been promised upstream and is done here.
  timestamp watermark() const { return watermark_; }
  /// `of_instances`: the watermarks of the instances that had the keys. \return the smallest of
  /// them, up to which everything is done for all keys.
  timestamp restore_watermark(const std::vector<timestamp>& of_instances) {
    const auto [least, most] = std::minmax_element(of_instances.begin(), of_instances.end());
    watermark_ = *most;
    behind_ = *least < *most;
    return *least;
  }

  void restore_watermark(timestamp of_all) { watermark_ = of_all; }

  /// To be called before rows or calls are answered: does for all keys what was done for some
  /// before a restore. In one go, because what follows may be a barrier.
  void catch_up() {
    if (!behind_) return;
    behind_ = false;
    target_ = std::max(target_, watermark_);
    unfinished_ = true;
    while (!advance()) {
    }
  }

  void on_watermark(timestamp frontier) override {
    // An equal one passes on as well: after a restart it repeats what is promised already.
    if (frontier < watermark_) return;
    target_ = std::max(target_, frontier);
    if (unfinished_) return;
    unfinished_ = true;
    if (!advance()) this->context().task->defer(*this);
  }

  void forward(const control& what) override {
    if (unfinished_) {
      waiting_.push_back(what);
    } else {
      signal_outputs(what);
    }
  }

 private:
  bool advance() {
    const bool arrived = move_to(target_);
    flush();
    if (!arrived) return false;
    watermark_ = target_;
    unfinished_ = false;
    forward({.what = control::kind::watermark, .frontier = promised_at(watermark_)});
    for (const control& what : std::exchange(waiting_, {})) forward(what);
    return true;
  }

  timestamp watermark_ = timestamp_min;
  timestamp target_ = timestamp_min;
  bool unfinished_ = false;  ///< On the way from `watermark_` to `target_`.
  bool behind_ = false;      ///< Some keys may be as of an earlier watermark.
  std::vector<control> waiting_;
};

}  // namespace freshet::detail
