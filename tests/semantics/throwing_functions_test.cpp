// Functions of an application that throw, in every kind of operator but windows: whatever the
// batches and restarts, the job ends, and says where and at which record.
#include "semantics/throwing.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using events = fr::stream<event>;

/// The same of a job that gives event times to bare records by itself.
template <class Compose>
std::string failure_of_untimed(const Compose& compose) {
  return frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.untimed_input<event>("events");
    const auto rows = h.collect(compose(in.stream()));
    for (std::int64_t value = 1; value <= 5; ++value) in.push({"a", value, tick(10 * value)});
    h.finish();
    REQUIRE(h.status().code() == absl::StatusCode::kUnknown);
    return message_of(h.status());
  });
}

/// A watermark generator that fails to understand a record.
struct failing_generator {
  struct state {
    fr::timestamp at = fr::timestamp_min;
  };
  void observe(state& of, fr::timestamp at, const event& record) const {
    throw_if_bad(record);
    of.at = at;
  }
  fr::timestamp frontier(const state& of) const { return of.at; }
  std::string describe() const { return "failing"; }
  std::string check() const { return {}; }
};
BOOST_DESCRIBE_STRUCT(failing_generator::state, (), (at))

struct fails_on_record {
  void process(const event& each, auto& context) {
    throw_if_bad(each);
    context.emit(each.value);
  }
};

/// Sets a timer for each record, five ticks later; the one of the bad record throws.
template <fr::time_domain Time>
struct fails_in_timer {
  void process(const event& each, auto& context) {
    if constexpr (Time == fr::time_domain::event_time) {
      context.set_event_timer(each.at + 5us);
    } else {
      context.set_processing_timer(tick(each.value));
    }
  }
  void on_timer(const fr::timer& due, auto&) {
    if (due.when == tick(35) || due.when == tick(bad)) throw std::runtime_error("boom");
  }
};

struct fails_on_broadcast {
  struct shared {
    std::int64_t rows = 0;
  };
  void on_broadcast(const event& each, shared& all, const fr::broadcast_context&) {
    throw_if_bad(each);
    ++all.rows;
  }
  void process(const event&, const shared&, auto&) {}
};
BOOST_DESCRIBE_STRUCT(fails_on_broadcast::shared, (), (rows))

/// A sink whose author throws from it.
struct failing_sink {
  template <class T>
  class opened final : public fr::sink<T> {
   public:
    fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::at_least_once; }
    absl::Status start(std::optional<std::string_view>) override { return absl::OkStatus(); }
    absl::Status write(const fr::batch<T>& rows) override {
      for (const event& each : rows.values) throw_if_bad(each);
      return absl::OkStatus();
    }
    absl::StatusOr<std::string> prepare() override { return ""; }
    absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }
  };

  template <class T>
  absl::StatusOr<std::unique_ptr<fr::sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<opened<T>>();
  }
};

}  // namespace

TEST_CASE("what throws in a record-wise function is named with its record, in every mode",
          "[semantics][failure]") {
  const auto value = [](const event& each) { return each.value; };
  REQUIRE(failure_of([&](const events& in, auto&) { return in | fr::map(throwing(value)); }) ==
          thrown("map #3"));
  REQUIRE(failure_of([&](const events& in, auto&) {
            return in | fr::filter(throwing([](const event&) { return true; }));
          }) == thrown("filter #3"));
  REQUIRE(failure_of([&](const events& in, auto&) {
            return in | fr::flat_map<event>([](const event& each, auto& emit) {
                     emit(each);
                     throw_if_bad(each);
                   });
          }) == thrown("flat_map #3"));
  // A record below keeps the place of the one that it was made of.
  REQUIRE(failure_of([&](const events& in, auto&) {
            return in | fr::filter([](const event& each) { return each.value > 1; }) |
                   fr::flat_map<event>([](const event& each, auto& emit) {
                     for (int i = 0; i < 3; ++i) emit(each);
                   }) |
                   fr::map(throwing(value));
          }) == thrown("map #5"));
}

TEST_CASE("what throws in the functions of time and watermark is named with its record",
          "[semantics][failure]") {
  REQUIRE(failure_of_untimed([](const events& in) {
            return in | fr::event_time(throwing(&event::at), fr::ascending{});
          }) == thrown("event_time 'events'"));
  REQUIRE(failure_of_untimed([](const events& in) {
            return in | fr::event_time(&event::at, fr::punctuated(throwing(&event::at)));
          }) == thrown("event_time 'events'"));
  REQUIRE(failure_of_untimed([](const events& in) {
            return in | fr::event_time(&event::at, failing_generator{});
          }) == thrown("event_time 'events'"));
}

TEST_CASE("what throws in the functions of key and category is named with its record",
          "[semantics][failure]") {
  REQUIRE(failure_of([](const events& in, auto&) {
            return in | fr::key_by(throwing(&event::key)) |
                   fr::process<std::int64_t>("p", fails_on_record{});
          }) == thrown("key_by #3"));
  REQUIRE(failure_of([](const events& in, auto&) {
            return in | fr::sample("s", fr::rarity(throwing(&event::key), {.rate = 1.0}));
          }) == thrown("sample 's'"));
}

TEST_CASE("what throws in a process function is named with its record or its timer",
          "[semantics][process][failure]") {
  const auto process = [](auto function) {
    return failure_of([&](const events& in, auto&) {
      return in | fr::key_by(&event::key) | fr::process<std::int64_t>("p", function);
    });
  };
  REQUIRE(process(fails_on_record{}) == thrown("process 'p'"));
  REQUIRE(process(fails_in_timer<fr::time_domain::event_time>{}) ==
          thrown("process 'p'", "in its timer of 1970-01-01T00:00:00.000035Z"));
  REQUIRE(process(fails_in_timer<fr::time_domain::processing_time>{}) ==
          thrown("process 'p'", "in its timer of 1970-01-01T00:00:00.000003Z"));
}

TEST_CASE("what throws on a control record is named with that record",
          "[semantics][process][failure]") {
  const std::string found = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto control = h.untimed_input<event>("control");
    const auto rows =
        h.collect(fr::connect(in.stream() | fr::key_by(&event::key), control.stream()) |
                  fr::process<std::int64_t>("p", fails_on_broadcast{}));
    for (std::int64_t value = 1; value <= 5; ++value) control.push({"a", value, {}});
    h.finish();
    return message_of(h.status());
  });
  REQUIRE(found == thrown("process 'p'", "at record 2 of split 0 of source 1"));
}

TEST_CASE("what throws below a sink is named with the sink", "[semantics][failure]") {
  REQUIRE(failure_of([](const events& in, auto&) {
            in | fr::to("out", fr::callback(throwing([](const event&) {})));
            return in;
          }) == thrown("to 'out'"));
  // A sink that throws by itself does not say which row of the batch it was.
  frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    in.stream() | fr::to("out", failing_sink{});
    for (std::int64_t value = 1; value <= 5; ++value) in.push({"a", value, {}}, tick(value));
    h.finish();
    REQUIRE_THAT(
        message_of(h.status()),
        Catch::Matchers::StartsWith("to 'out': the function given to it threw (boom) at "));
  });
}
