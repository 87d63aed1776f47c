// One node of a composed graph, driven without the engine, and its rows as text.
//
// Time: event times are ticks of 1 us, and so is the clock, which the test moves. Threads: one.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/core/key_group.hpp>
#include <freshet/pipeline/detail/sink_operator.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>

#include <fmt/format.h>

namespace freshet::test {

namespace fr = freshet;

// --- rows as text

template <class T>
class text_sink final : public fr::sink<T> {
 public:
  text_sink(std::shared_ptr<rows_of_text> to, std::string label)
      : to_(std::move(to)), label_(std::move(label)) {}

  fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::at_least_once; }
  absl::Status start(std::optional<std::string_view>) override { return absl::OkStatus(); }
  absl::Status write(const fr::batch<T>& rows) override {
    std::size_t cursor = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const fr::position& where = rows.positions[i];
      std::string text =
          fmt::format("{} {} @{}.{}.{}", label_, row_text(rows.values[i], rows.times[i]),
                      where.split, where.sequence, where.fanout);
      if (cursor < rows.behind.size() && rows.behind[cursor].row == i) {
        text += " behind " + cell_text(rows.behind[cursor++].entry_frontier);
      }
      to_->push_back(std::move(text));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override { return std::string(); }
  absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }

 private:
  std::shared_ptr<rows_of_text> to_;
  std::string label_;
};

/// A sink that appends to `rows`, whoever writes.
struct text_into {
  std::shared_ptr<rows_of_text> rows;
  std::string label;

  template <class T>
  absl::StatusOr<std::unique_ptr<fr::sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<text_sink<T>>(rows, label);
  }
};

// --- the operator under test

/// A pipeline whose node `op` has the state; its rows go to `rows`.
struct composed {
  fr::pipeline p{"handover"};
  std::shared_ptr<rows_of_text> rows = std::make_shared<rows_of_text>();
  bool with_broadcast = false;
  bool in_order = false;              ///< No record is to be behind its frontier.
  bool begins_with_frontier = false;  ///< A watermark is to come before the first record.
  std::string told;                   ///< Of the options, for messages.

  auto events() {
    return p.from("events", scripted<event>(event_splits{{}})) |
           fr::event_time(&event::at, fr::bounded_disorder{});
  }
  text_into into(std::string label) const { return {rows, std::move(label)}; }

  const fr::detail::graph& graph() const { return *p.graph(); }
  fr::detail::node_id node() const {
    for (fr::detail::node_id id = 0; id < graph().nodes().size(); ++id) {
      if (graph().nodes()[id].name == "op") return id;
    }
    FAIL("no node is named op");
    return 0;
  }
};

// --- an instance

/// The node `op` of a graph with its sinks, and what the engine would give it.
class driven_instance final : private fr::detail::task_services {
 public:
  driven_instance(const fr::detail::graph& of, fr::detail::node_id node, fr::key_group_set own,
                  fr::timestamp clock, bool single_split)
      : groups(own), clock_(clock), op_(of.nodes()[node].make()) {
    fr::detail::operator_context context;
    context.task = this;
    context.counters = &counters_;
    context.place = of.place(node);
    context.number = 7;
    context.single_split = single_split;
    context.groups = own;
    op_->open(context);
    for (const fr::detail::node& each : of.nodes()) {
      for (const fr::detail::port_of& input : each.inputs) {
        if (input.node != node) continue;
        auto made = each.make();
        auto* sink = dynamic_cast<fr::detail::sink_base*>(made.get());
        REQUIRE(sink != nullptr);
        context.place = "sink";
        made->open(context);
        REQUIRE(sink->open_sink().ok());
        REQUIRE(sink->start(std::nullopt).ok());
        op_->output(input.port).attach(made->input(0));
        sinks_.push_back(std::move(made));
      }
    }
  }

  fr::detail::runtime_operator& op() { return *op_; }

  void feed(fr::batch<event> rows, std::size_t port = 0) {
    in(port).consume(rows);
    settle();
  }
  void feed_shared(const fr::batch<event>& rows, std::size_t port = 0) {
    in(port).share(rows);
    settle();
  }
  void signal(const fr::detail::control& what, std::size_t port = 0) {
    in(port).signal(what);
    settle();
  }
  void move_clock(fr::timestamp now) {
    clock_ = now;
    if (deadline_ > now) return;
    deadline_ = fr::timestamp_max;
    op_->on_processing_time(now);
    settle();
  }
  /// Sends a barrier and calls `at_snapshot(operator)` where it takes its snapshot.
  void barrier(bool with_broadcast,
               std::function<void(fr::detail::runtime_operator&)> at_snapshot) {
    at_snapshot_ = std::move(at_snapshot);
    signal({.what = fr::detail::control::kind::barrier});
    if (with_broadcast) signal({.what = fr::detail::control::kind::barrier}, 1);
    REQUIRE(at_snapshot_ == nullptr);
  }

  /// Leaves what is unfinished as it is, or goes on with it: rows and watermarks may come
  /// meanwhile, as from operators of the same task.
  void set_settles(bool settles) {
    settles_ = settles;
    settle();
  }
  /// Whether the operator is told that there is no room for what it emits; else there always is.
  void set_lacks_room(std::function<bool()> lacks_room) { lacks_room_ = std::move(lacks_room); }

  const fr::key_group_set groups;

 private:
  fr::detail::inlet<event>& in(std::size_t port) {
    return static_cast<fr::detail::inlet<event>&>(op_->input(port));
  }
  void settle() {
    while (settles_ && !unfinished_.empty()) {
      fr::detail::runtime_operator* last = unfinished_.back();
      if (last->resume()) std::erase(unfinished_, last);
    }
  }
  void defer(fr::detail::runtime_operator& unfinished) override {
    unfinished_.push_back(&unfinished);
  }
  bool has_room() override { return !lacks_room_ || !lacks_room_(); }
  void take_snapshot(fr::detail::runtime_operator& of) override {
    std::exchange(at_snapshot_, nullptr)(of);
  }
  std::function<void()> waker() override {
    return [] {};
  }
  std::function<void()> caller(fr::detail::runtime_operator&) override {
    return [] { FAIL("nothing outside of the pipeline is asked here"); };
  }
  fr::timestamp now() const override { return clock_; }
  void call_at(fr::detail::runtime_operator&, fr::timestamp when) override { deadline_ = when; }

  bool settles_ = true;
  std::function<bool()> lacks_room_;
  fr::timestamp clock_;
  fr::timestamp deadline_ = fr::timestamp_max;
  fr::detail::operator_counters counters_;
  std::unique_ptr<fr::detail::runtime_operator> op_;
  std::vector<std::unique_ptr<fr::detail::runtime_operator>> sinks_;
  std::vector<fr::detail::runtime_operator*> unfinished_;
  std::function<void(fr::detail::runtime_operator&)> at_snapshot_;
};

using driven_instances = std::vector<std::unique_ptr<driven_instance>>;

}  // namespace freshet::test
