// The operator behind async_map. Internal.
//
// Records and signals stand in one queue in the order in which they came. A record waits there
// until it is asked for, then for its answer, perhaps again after a failure; it leaves when its row
// may be sent: at the head of the queue, or, unordered, when no border stands before it. A barrier
// does not wait: what is in the queue is part of the snapshot, and asked for again after a restore.
// Watermarks wait for the records before them, so that what was promised holds after a restore,
// too. Rows tell their entry frontier only where they are behind it: nobody may ask for more across
// this operator (`graph::want_entry_frontiers`), and what another branch asks for is not passed on.
//
// Everything happens in the task's thread but the answers, which come through an `answer_box`. The
// clock is the task's, so that tests move it. Memory: the queue, of `capacity` records and what one
// batch more brings.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/async_options.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/answer_cache.hpp>
#include <freshet/pipeline/detail/circuit_breaker.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/outside_work.hpp>
#include <freshet/pipeline/reply.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A record that had no answer at the barrier.
template <class T>
struct unanswered_record {
  std::optional<timestamp> at;      ///< Where records have event times.
  std::optional<timestamp> behind;  ///< The entry frontier, where `at` lies before it.
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  T value{};

  position where() const { return {sequence, split, fanout}; }
  BOOST_DESCRIBE_CLASS(unanswered_record, (), (at, behind, sequence, split, fanout, value), (), ())
};

template <class T>
struct async_operator_state {
  timestamp watermark = timestamp_min;
  std::vector<unanswered_record<T>> waiting;
  BOOST_DESCRIBE_CLASS(async_operator_state, (), (watermark, waiting), (), ())
};

/// Rows that are the answers.
struct answer_alone {
  template <class T, class Answer>
  Answer operator()(const T&, const Answer& answer) const {
    return answer;
  }
};

/// `Out`: what `Combine` makes of a record and its answer.
template <class T, class Answer, class Out, class Function, class Combine, class Cache>
class async_operator final : public unary_operator<T, Out>, public outside_work {
 public:
  async_operator(Function ask, Combine combine, async_options options, const Cache& cache)
      : ask_(std::move(ask)),
        combine_(std::move(combine)),
        options_(std::move(options)),
        cache_(cache),
        breaker_(options_.breaker_failures, options_.breaker_open_for) {}

  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return dead_;
  }

  void open(const operator_context& context) override {
    unary_operator<T, Out>::open(context);
    box_ = std::make_shared<answer_box<Answer>>(context.task->caller(*this));
  }

  void consume(batch<T>& rows) override { accept(rows); }
  void share(const batch<T>& rows) override { accept(rows); }

  void signal(const control& what) override {
    if (what.what == control::kind::barrier) {
      this->context().task->take_snapshot(*this);
      forward(what);
    } else if (queue_.empty() || what.what == control::kind::start) {
      pass(what);
    } else {
      const bool is_border = what.what != control::kind::latency_marker;
      if (is_border) borders_.push_back(first_ + queue_.size());
      queue_.push_back(entry{.signal = what});
    }
  }

  void on_processing_time(timestamp) override { work(); }

  bool is_full() const override { return records_ >= options_.capacity; }
  bool is_done() const override { return queue_.empty(); }

  std::optional<state_size> held_state() override {
    std::uint64_t bytes = queue_.size() * sizeof(entry);
    if (!queue_.empty()) bytes += records_ * owned_bytes(queue_.front().record.value);
    return state_size{records_, bytes};
  }

  static state_layout layout() { return {schema_of<async_operator_state<T>>()}; }

  void snapshot(state_writer& to) override {
    async_operator_state<T> state;
    state.watermark = watermark_;
    for (const entry& each : queue_) {
      if (each.signal || each.now_is == stage::sent) continue;
      state.waiting.push_back(each.record);
    }
    to.summary(to_bytes(state), watermark_);
  }

  void restore(state_reader& from) override {
    auto states = read_summaries<async_operator_state<T>>(from);
    if (states.size() != 1) from.fail("async_map has one instance");
    watermark_ = states[0].watermark;
    for (unanswered_record<T>& each : states[0].waiting) enqueue(std::move(each));
    if (!ready_.empty()) this->context().task->call_at(*this, timestamp_min);
  }

 private:
  enum class stage : std::uint8_t {
    ready,     ///< To be asked for.
    asked,     ///< Due: the timeout.
    resting,   ///< Due: the next attempt.
    answered,  ///< Waits for its turn.
    sent,      ///< Its row or dead letter is; it only holds its place.
  };

  struct entry {
    std::optional<control> signal;  ///< Then the rest means nothing.
    unanswered_record<T> record{};
    stage now_is = stage::ready;
    std::uint32_t attempts = 0;
    bool tries = false;  ///< Whether the service is back.
    std::uint64_t question = 0;
    timestamp due = timestamp_max;
    std::optional<Answer> answer{};
  };

  void forward(const control& what) override {
    this->out().signal(what);
    dead_.signal(what);
  }

  void pass(const control& what) {
    if (what.what == control::kind::watermark) watermark_ = std::max(watermark_, what.frontier);
    flush();
    forward(what);
  }

  void accept(const batch<T>& rows) {
    this->count_in(rows);
    std::size_t cursor = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      unanswered_record<T> fresh;
      if (!rows.times.empty()) fresh.at = rows.times[row];
      if (cursor < rows.behind.size() && rows.behind[cursor].row == row) {
        fresh.behind = rows.behind[cursor++].entry_frontier;
      }
      fresh.sequence = rows.positions[row].sequence;
      fresh.split = rows.positions[row].split;
      fresh.fanout = rows.positions[row].fanout;
      fresh.value = rows.values[row];
      enqueue(std::move(fresh));
    }
    work();
  }

  void enqueue(unanswered_record<T> fresh) {
    ready_.push_back(first_ + queue_.size());
    queue_.push_back(entry{.signal = {}, .record = std::move(fresh)});
    ++records_;
  }

  entry& at(std::uint64_t number) { return queue_[number - first_]; }

  /// Does all that can be done now, and asks to be called when there is more.
  void work() {
    const timestamp now = this->context().task->now();
    take_answers(now);  // Before they are taken for late.
    meet_due(now);
    do {
      ask_ready(now);
    } while (take_answers(now));  // Some come at once.
    send_ready();
    flush();
    timestamp next = due_.empty() ? timestamp_max : due_.begin()->first;
    if (!ready_.empty()) next = std::min(next, breaker_.reopens_at());
    this->context().task->call_at(*this, next);
  }

  void meet_due(timestamp now) {
    while (!due_.empty() && due_.begin()->first <= now) {
      const std::uint64_t number = due_.begin()->second;
      entry& each = at(number);
      if (each.now_is == stage::resting) {
        due_.erase(due_.begin());
        each.now_is = stage::ready;
        ready_.push_front(number);
      } else {
        fail(number, no_answer_within(options_.timeout), now);
      }
    }
  }

  void ask_ready(timestamp now) {
    while (!ready_.empty()) {
      const std::uint64_t number = ready_.front();
      entry& each = at(number);
      if (each.attempts == 0) {
        if (const Answer* known = cached(each, now)) {
          ready_.pop_front();
          settle(number, *known);
          continue;
        }
      }
      if (open_.size() >= options_.capacity || !breaker_.allows(now)) return;
      ready_.pop_front();
      ask(number, now);
    }
  }

  const Answer* cached(const entry& each, timestamp now) {
    try {
      return cache_.find(each.record.value, now);
    } catch (...) {
      fail_in_user_function(this->context().place, each.record.where());
    }
  }

  void remember(const entry& each, const Answer& answer, timestamp now) {
    try {
      cache_.put(each.record.value, answer, now);
    } catch (...) {
      fail_in_user_function(this->context().place, each.record.where());
    }
  }

  void ask(std::uint64_t number, timestamp now) {
    entry& each = at(number);
    ++each.attempts;
    if (each.attempts > 1) operator_counters::add(this->context().counters->retried, 1);
    each.tries = breaker_.ask();
    each.now_is = stage::asked;
    each.question = ++questions_;
    each.due = saturating_add(now, options_.timeout);
    due_.emplace(each.due, number);
    open_.emplace(each.question, number);
    const reply<Answer> answer_here(std::make_shared<open_question<Answer>>(box_, each.question));
    try {
      ask_(std::as_const(each.record.value), answer_here);
    } catch (...) {
      answer_here.fail(failure_of_exception());
    }
  }

  /// \return whether there were any.
  bool take_answers(timestamp now) {
    const std::vector<answer<Answer>> all = box_->take();
    for (const answer<Answer>& each : all) {
      const auto open = open_.find(each.question);
      if (open == open_.end()) {
        box_->note_ignored();  // Nobody waits for it any more.
        continue;
      }
      const std::uint64_t number = open->second;
      if (!each.what.ok()) {
        fail(number, each.what.status(), now);
        continue;
      }
      close(number);
      breaker_.succeeded();
      remember(at(number), *each.what, now);
      settle(number, *each.what);
    }
    operator_counters::add(this->context().counters->ignored, box_->take_ignored());
    return !all.empty();
  }

  void close(std::uint64_t number) {
    entry& each = at(number);
    open_.erase(each.question);
    due_.erase({each.due, number});
  }

  void fail(std::uint64_t number, const absl::Status& why, timestamp now) {
    close(number);
    entry& each = at(number);
    const bool tried = std::exchange(each.tries, false);
    const bool transient = is_transient(each, why);
    if (transient) {
      breaker_.failed(now, tried);
    } else {
      breaker_.succeeded();  // It is there, and has refused.
    }
    if (transient && each.attempts < options_.attempts) {
      each.now_is = stage::resting;
      each.due =
          saturating_add(now, retry_delay(options_, each.attempts + 1,
                                          combine_hashes(each.record.sequence, each.record.split)));
      due_.emplace(each.due, number);
      return;
    }
    if (options_.on_failure == async_failure::fail_job) {
      check(unanswered(this->context().place, each.record.where(), each.attempts, why));
    }
    dead_rows_.values.push_back({this->context().place,
                                 {},
                                 each.record.sequence,
                                 0,
                                 unanswered_reason(each.attempts, why),
                                 {}});
    dead_rows_.positions.push_back(each.record.where());
    leave(each);
  }

  bool is_transient(const entry& each, const absl::Status& why) {
    try {
      return options_.retry_when(why);
    } catch (...) {
      fail_in_user_function(this->context().place, each.record.where());
    }
  }

  void settle(std::uint64_t number, const Answer& answer) {
    entry& each = at(number);
    each.answer = answer;
    each.now_is = stage::answered;
    const bool first_segment = borders_.empty() || number < borders_.front();
    if (options_.order == async_order::unordered && first_segment) send(each);
  }

  /// Sends what stands at the head of the queue and is ready, and what may overtake it.
  void send_ready() {
    while (!queue_.empty()) {
      entry& head = queue_.front();
      if (head.signal) {
        const control what = *head.signal;
        const bool is_border = !borders_.empty() && borders_.front() == first_;
        if (is_border) borders_.pop_front();
        pop();
        pass(what);
        if (is_border && options_.order == async_order::unordered) send_first_segment();
        continue;
      }
      if (head.now_is == stage::answered) send(head);
      if (head.now_is != stage::sent) return;
      pop();
    }
  }

  void send_first_segment() {
    const std::uint64_t end = borders_.empty() ? first_ + queue_.size() : borders_.front();
    for (std::uint64_t number = first_; number < end; ++number) {
      if (at(number).now_is == stage::answered) send(at(number));
    }
  }

  void send(entry& each) {
    const unanswered_record<T>& record = each.record;
    try {
      rows_.values.push_back(std::invoke(combine_, record.value, std::as_const(*each.answer)));
    } catch (...) {
      fail_in_user_function(this->context().place, record.where());
    }
    const auto row = static_cast<std::uint32_t>(rows_.size() - 1);
    if (record.behind) rows_.behind.push_back({row, *record.behind});
    if (record.at) rows_.times.push_back(*record.at);
    rows_.positions.push_back(record.where());
    leave(each);
    if (rows_.size() >= batch_rows_max) flush();
  }

  /// Its place in the queue goes when it comes to the head.
  void leave(entry& each) {
    each.now_is = stage::sent;
    each.record.value = T{};
    each.answer.reset();
    --records_;
  }

  void pop() {
    queue_.pop_front();
    ++first_;
  }

  void flush() {
    this->count_out(rows_);
    this->out().emit(rows_);
    operator_counters::add(this->context().counters->dead, dead_rows_.size());
    dead_.emit(dead_rows_);
  }

  Function ask_;
  Combine combine_;
  async_options options_;
  typename Cache::template of<T, Answer> cache_;
  circuit_breaker breaker_;
  std::shared_ptr<answer_box<Answer>> box_;
  std::deque<entry> queue_;
  std::uint64_t first_ = 0;            ///< The number of the queue's head.
  std::uint64_t records_ = 0;          ///< In the queue, and not sent.
  std::deque<std::uint64_t> ready_;    ///< Numbers of those to be asked for; failed ones first.
  std::deque<std::uint64_t> borders_;  ///< Numbers of signals that no row overtakes.
  std::set<std::pair<timestamp, std::uint64_t>> due_;
  std::unordered_map<std::uint64_t, std::uint64_t> open_;  ///< Questions, and who asked.
  std::uint64_t questions_ = 0;
  timestamp watermark_ = timestamp_min;
  batch<Out> rows_;
  outlet<dead_letter> dead_;
  batch<dead_letter> dead_rows_;
};

}  // namespace freshet::detail
