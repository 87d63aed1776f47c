#include <freshet/connectors/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <mutex>
#include <thread>

namespace freshet::detail {
namespace {

class running_io_thread final : public io_thread {
 public:
  running_io_thread() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~running_io_thread() override {
    context_.stop();
    // The last holder may be a coroutine of this very thread.
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  boost::asio::any_io_executor executor() override { return context_.get_executor(); }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<io_thread> shared_io_thread() {
  static std::mutex mutex;
  static std::weak_ptr<io_thread> known;
  const std::lock_guard lock(mutex);
  std::shared_ptr<io_thread> here = known.lock();
  if (here == nullptr) {
    here = std::make_shared<running_io_thread>();
    known = here;
  }
  return here;
}

}  // namespace freshet::detail
