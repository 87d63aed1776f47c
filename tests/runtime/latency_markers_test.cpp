// Markers of latency: every one comes to every sink, on every way, behind the rows before it.
#include "pipeline/support.hpp"
#include "runtime/parallel_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/window_operator.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <string>

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using detail::control;

/// Markers by the number of their source, watermarks, and rows by their keys.
std::string text_of(const control& what) {
  if (what.what == control::kind::latency_marker) return "marker " + std::to_string(what.split);
  return what.what == control::kind::watermark ? "watermark" : "other";
}

class noting_channel final : public detail::channel_end {
 public:
  void send(std::unique_ptr<detail::carried_rows> rows) override {
    notes.push_back("rows " + std::to_string(rows->size()));
    if (rows->promised) notes.back() += ", watermark";
  }
  void send(const control& what) override { notes.push_back(text_of(what)); }
  std::unique_ptr<detail::carried_rows> used() override { return nullptr; }
  std::uint64_t counted_after() const override { return never_counted; }

  rows_of_text notes;
};

template <class T>
struct noting_inlet final : detail::inlet<T> {
  void consume(batch<T>& rows) override { rows_seen += rows.size(); }
  void signal(const control& what) override {
    notes.push_back(text_of(what));
    rows_before.push_back(rows_seen);
  }
  rows_of_text notes;
  std::vector<std::size_t> rows_before;
  std::size_t rows_seen = 0;
};

control marker(std::uint32_t source) {
  return {.what = control::kind::latency_marker, .frontier = tick(1), .split = source};
}
control watermark(std::int64_t at) {
  return {.what = control::kind::watermark, .frontier = tick(at)};
}

batch<event> rows_of_keys(std::size_t first, std::size_t count) {
  batch<event> rows;
  for (std::size_t i = first; i < first + count; ++i) {
    rows.values.push_back({"k" + std::to_string(i), 1, tick(5)});
    rows.positions.push_back({i, 0, 0});
    rows.times.push_back(tick(5));
    rows.hashes.push_back(stable_hash(rows.values.back().key));
  }
  return rows;
}

/// An engine that has nothing but operators that are not done.
struct resuming_engine final : detail::task_services {
  void defer(detail::runtime_operator& of) override { unfinished = &of; }
  bool has_room() override { return true; }
  void take_snapshot(detail::runtime_operator&) override {}
  std::function<void()> waker() override { return {}; }
  std::function<void()> caller(detail::runtime_operator&) override { return {}; }
  timestamp now() const override { return tick(0); }
  void call_at(detail::runtime_operator&, timestamp) override {}
  detail::runtime_operator* unfinished = nullptr;
};

}  // namespace

TEST_CASE("a marker waits in every target behind the rows that are held there",
          "[runtime][latency]") {
  noting_channel first;
  noting_channel second;
  detail::key_group_owners all_to_the_first{};
  detail::sending_exchange<event> to({&first, &second}, detail::spread::by_key, all_to_the_first);
  auto some = rows_of_keys(0, 3);
  to.consume(some);
  to.signal(watermark(3));
  to.signal(marker(7));
  to.signal(marker(8));
  REQUIRE(first.notes.empty());
  REQUIRE(second.notes.empty());
  REQUIRE(to.holds());
  to.flush();
  REQUIRE(first.notes == rows_of_text{"rows 3, watermark", "marker 7", "marker 8"});
  REQUIRE(second.notes == rows_of_text{"marker 7", "marker 8", "watermark"});
  REQUIRE_FALSE(to.holds());
}

TEST_CASE("a full batch takes the markers along, and only those of its target",
          "[runtime][latency]") {
  noting_channel first;
  noting_channel second;
  detail::key_group_owners all_to_the_first{};
  detail::sending_exchange<event> to({&first, &second}, detail::spread::by_key, all_to_the_first);
  to.signal(marker(1));
  auto some = rows_of_keys(0, batch_rows_max);
  to.consume(some);
  // For two targets a batch is full with half of the rows.
  REQUIRE(first.notes == rows_of_text{"rows 512", "marker 1", "rows 512"});
  REQUIRE(second.notes.empty());
  REQUIRE(to.holds());
  to.signal({.what = control::kind::barrier});
  REQUIRE(second.notes == rows_of_text{"marker 1", "other"});
}

TEST_CASE("markers of all channels pass, also of those that are idle", "[runtime][latency]") {
  detail::operator_counters counters;
  detail::receiving_exchange<event> from(3, counters);
  noting_inlet<event> below;
  from.output().attach(below);
  from.take(1, control{.what = control::kind::idle});
  for (std::size_t channel = 0; channel < 3; ++channel) {
    from.take(channel, marker(static_cast<std::uint32_t>(channel)));
  }
  REQUIRE(below.notes == rows_of_text{"marker 0", "marker 1", "marker 2"});
  REQUIRE_FALSE(from.counts(1));
}

TEST_CASE("a marker does not overtake windows that are still firing", "[runtime][latency]") {
  pipeline p("firing");
  auto windows = p.from("in", scripted<event>(event_splits{{}})) |
                 event_time(&event::at, ascending{}) | key_by(&event::key) |
                 window(tumbling{ticks_long(10)}) | aggregate("w", count("n"));
  using row = decltype(windows)::value_type;
  const auto& nodes = p.graph()->nodes();
  const auto made = nodes.back().make();
  resuming_engine engine;
  detail::operator_counters counters;
  detail::operator_context context;
  context.task = &engine;
  context.counters = &counters;
  made->open(context);
  noting_inlet<row> below;
  made->output(0).attach(below);
  constexpr std::size_t keys = 10'000;  // More than one slice.
  auto& in = static_cast<detail::inlet<event>&>(made->input(0));
  auto rows = rows_of_keys(0, keys);
  in.consume(rows);
  in.signal(watermark(10));
  in.signal(marker(0));
  REQUIRE(engine.unfinished == made.get());
  REQUIRE(below.notes.empty());
  while (!made->resume()) {
  }
  REQUIRE(below.notes == rows_of_text{"watermark", "marker 0"});
  REQUIRE(below.rows_before == std::vector<std::size_t>{keys, keys});
}
