// Tests of views: what the windows of a running job hold, read from outside.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/freshet.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using freshet::test::event;

namespace {

fr::timestamp at(std::chrono::milliseconds since_epoch) {
  return fr::timestamp(since_epoch);
}

/// Counts the records of a key per second of event time, and lets them in by hand.
struct counting {
  counting() {
    rows = std::make_unique<row_stream>(
        p.from("events", in) | fr::event_time(&event::at, fr::ascending{}) |
        fr::key_by(&event::key) | fr::window(fr::tumbling{.size = 1s}, {.allowed_lateness = 1s}) |
        fr::aggregate("seconds", fr::count("events")));
    *rows | fr::to("rows", fr::callback([](const auto&) {}));
  }
  using row = fr::window_row<std::string, std::uint64_t>;
  using row_stream = fr::aggregated_stream<event, row>;

  void push(const std::string& key, fr::timestamp when) {
    REQUIRE(in.push({.key = key, .at = when}).ok());
  }
  /// Reads until everything before `until` has been counted: there is no other way to know.
  static fr::viewed<row> read(const fr::view<row>& from, const std::string& key,
                              fr::timestamp until) {
    while (true) {
      const auto now = from.get(key);
      REQUIRE(now.ok());
      if (now->watermark >= until) return *now;
      std::this_thread::yield();
    }
  }

  fr::pipeline p{"views"};
  fr::channel<event> in;
  std::unique_ptr<row_stream> rows;
};

}  // namespace

TEST_CASE("a view shows the windows of a key that are not closed, and how far they are",
          "[pipeline][view]") {
  //  0 s       1 s       2 s
  //  [---------)[--------)[--     a fires at 1 s and stays for late records, the others are open
  //   a  a       a b       a
  for (const std::size_t parallelism : {1U, 3U}) {
    counting c;
    auto job = c.p.start({.parallelism = parallelism, .scheduler = fr::thread_pool(parallelism)});
    REQUIRE(job.ok());
    const auto view = job->view<counting::row>("seconds");
    REQUIRE(view.ok());
    for (const auto when : {100ms, 200ms, 1100ms}) c.push("a", at(when));
    c.push("b", at(1200ms));
    c.push("a", at(1999ms));
    const auto a = counting::read(*view, "a", at(1999ms));
    REQUIRE(a.rows.size() == 2);
    REQUIRE(a.rows[0].window == fr::window_span{at(0ms), at(1s)});
    REQUIRE(a.rows[0].values == std::tuple(std::uint64_t{2}));
    REQUIRE(a.rows[0].pane.timing == fr::pane_timing::on_time);
    REQUIRE(a.rows[1].values == std::tuple(std::uint64_t{2}));
    REQUIRE(a.rows[1].pane.timing == fr::pane_timing::early);

    const auto several = view->get(std::vector<std::string>{"b", "nobody", "a"});
    REQUIRE(several.ok());
    REQUIRE(several->size() == 3);
    REQUIRE(several->at(0).rows.at(0).key == "b");
    REQUIRE(several->at(1).rows.empty());
    REQUIRE(several->at(2).rows.size() == 2);
    c.in.close();
    REQUIRE(job->wait().ok());
    REQUIRE(view->get("a").status().code() == absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("a view that cannot be had says what there is", "[pipeline][view]") {
  counting c;
  auto job = c.p.start();
  REQUIRE(job.ok());
  REQUIRE(job->view<counting::row>("minutes").status() ==
          absl::NotFoundError(
              "view 'minutes': the windows and tables of the pipeline are seconds; give one "
              "of these names"));
  using other = fr::window_row<std::string, double>;
  REQUIRE(job->view<other>("seconds").status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a function of the pipeline that reads a view is refused", "[pipeline][view]") {
  counting c;
  std::optional<fr::view<counting::row>> view;
  absl::Status refused;
  fr::channel<event> go;
  c.p.from("go", go) |
      fr::to("go", fr::callback([&](const event&) { refused = view->get("a").status(); }));
  auto job = c.p.start();
  REQUIRE(job.ok());
  view = *job->view<counting::row>("seconds");
  REQUIRE(go.push({.key = "", .at = at(0ms)}).ok());
  go.close();
  c.in.close();
  REQUIRE(job->wait().ok());
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
}
