#include "commit_writer.hpp"

#include <cassert>
#include <utility>

namespace freshet::detail {

commit_writer::commit_writer(std::shared_ptr<wake_signal> signal)
    : signal_(std::move(signal)), thread_([this] { run(); }) {}

commit_writer::~commit_writer() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void commit_writer::begin(std::function<absl::Status()> work) {
  {
    const std::lock_guard lock(mutex_);
    assert(!work_ && !result_ && thrown_ == nullptr);
    work_ = std::move(work);
  }
  changed_.notify_one();
}

std::optional<absl::Status> commit_writer::take_result() {
  const std::lock_guard lock(mutex_);
  if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
  return std::exchange(result_, std::nullopt);
}

void commit_writer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ends_ || work_; });
    if (ends_) return;
    std::function<absl::Status()> work = std::exchange(work_, nullptr);
    lock.unlock();
    std::optional<absl::Status> result;
    std::exception_ptr thrown;
    try {
      result = work();
    } catch (...) {
      thrown = std::current_exception();
    }
    work = nullptr;  // The changes are many: their memory goes here, too.
    lock.lock();
    result_ = std::move(result);
    thrown_ = std::move(thrown);
    lock.unlock();
    signal_->notify();
    lock.lock();
  }
}

}  // namespace freshet::detail
