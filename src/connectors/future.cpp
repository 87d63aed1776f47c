#include <freshet/connectors/future.hpp>

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace freshet::detail {
namespace {

class looking_thread {
 public:
  void add(std::function<bool()> is_done) {
    {
      const std::lock_guard lock(mutex_);
      fresh_.push_back(std::move(is_done));
    }
    changed_.notify_one();
  }

 private:
  void run(const std::stop_token& stopped) {
    std::vector<std::function<bool()>> open;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        const auto is_wanted = [this] { return !fresh_.empty(); };
        if (open.empty()) {
          changed_.wait(lock, stopped, is_wanted);
        } else {
          changed_.wait_for(lock, stopped, std::chrono::milliseconds(1), is_wanted);
        }
        if (stopped.stop_requested()) return;
        for (auto& each : fresh_) open.push_back(std::move(each));
        fresh_.clear();
      }
      std::erase_if(open, [](const std::function<bool()>& is_done) { return is_done(); });
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::function<bool()>> fresh_;
  std::jthread thread_{[this](const std::stop_token& stopped) { run(stopped); }};
};

}  // namespace

void look_until(std::function<bool()> is_done) {
  static looking_thread thread;
  thread.add(std::move(is_done));
}

}  // namespace freshet::detail
