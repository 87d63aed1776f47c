#include "channel.hpp"

#include "task.hpp"

namespace freshet::detail {

channel::channel(std::size_t capacity, task& sender, task& receiver)
    : capacity_(capacity),
      sender_(sender),
      receiver_(receiver),
      queue_(capacity),
      used_(capacity + 2) {}  // All that there are: one is being filled, and one is being read.

channel::~channel() {
  for (const entry& each : kept_) delete each.rows;
  queue_.consume_all([](const entry& each) { delete each.rows; });
  used_.consume_all([](carried_rows* each) { delete each; });
}

void channel::send(std::unique_ptr<carried_rows> rows) {
  push({rows.release(), {}});
}

void channel::send(const control& what) {
  push({nullptr, what});
}

void channel::push(entry what) {
  if (has_room() && queue_.push(what)) {
    receiver_.wake();
  } else {
    kept_.push_back(what);
  }
}

bool channel::has_room() {
  if (kept_.empty()) return true;
  bool moved = false;
  while (!kept_.empty() && queue_.push(kept_.front())) {
    kept_.pop_front();
    moved = true;
  }
  if (moved) receiver_.wake();
  return kept_.empty();
}

bool channel::wait_for_room() {
  waits_for_room_.exchange(true, std::memory_order_acq_rel);
  return queue_.read_available() > capacity_ / 2;
}

std::optional<message> channel::take() {
  entry next;
  if (!queue_.pop(next)) return std::nullopt;
  if (queue_.read_available() <= capacity_ / 2 &&
      waits_for_room_.exchange(false, std::memory_order_acq_rel)) {
    sender_.wake();
  }
  return message{std::unique_ptr<carried_rows>(next.rows), next.signal};
}

std::unique_ptr<carried_rows> channel::used() {
  // The last one first: of that, most is still in a cache.
  used_.consume_all([this](carried_rows* each) { spare_.emplace_back(each); });
  if (spare_.empty()) return nullptr;
  std::unique_ptr<carried_rows> last = std::move(spare_.back());
  spare_.pop_back();
  return last;
}

void channel::give_back(std::unique_ptr<carried_rows> rows) {
  if (used_.push(rows.get())) (void)rows.release();
}

double channel::fill() const {
  return static_cast<double>(queue_.read_available()) / static_cast<double>(capacity_);
}

}  // namespace freshet::detail
