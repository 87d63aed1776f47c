// How the job of job.hpp is composed.
#pragma once

#include "golden/job.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/upsert.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <fmt/format.h>

#include <random>

namespace golden {

namespace fr = freshet;

/// An aggregate of the application's own.
template <class V>
struct total_aggregate {
  using state = typename V::total;
  std::string name;
  void add(state& to, const typename V::visit& of) const {
    to.sum += static_cast<decltype(to.sum)>(of.amount);
  }
  void merge(state& into, const state& from) const { into.sum += from.sum; }
  std::int64_t result(const state& of) const { return of.sum; }
};

template <class V>
struct tallying {
  using visit = typename V::visit;
  using state = typename V::kept;
  using note = typename V::note;

  static auto& last_of(state& kept) {
    if constexpr (requires { kept.newest; }) {
      return kept.newest;
    } else {
      return kept.last;
    }
  }

  void process(const visit& of, state& kept, auto& context) const {
    note fresh;
    fresh.amount = of.amount;
    fresh.page = "page" + std::to_string(of.amount % 3);
    last_of(kept).set(fresh);
    kept.recent.push_back(fresh);
    kept.by_page.set(fresh.page, fresh);
    context.set_event_timer(of.at + fr::duration{9});
  }
  void on_timer(const fr::timer& due, state& kept, auto& context) const {
    std::string text = fmt::format("{} {}:", context.key(), due.when.time_since_epoch().count());
    for (const note& each : kept.recent.all()) text += fmt::format(" {}", each.amount);
    kept.by_page.for_each([&](const std::string& page, const note& each) {
      text += fmt::format(" {}={}/{}", page, each.amount, each.page);
    });
    if (const note* last = last_of(kept).get()) text += " last " + last->page;
    if (kept.recent.size() > 5) kept.recent.clear();
    context.emit(line{text});
  }
};

/// One log, over which neither versions nor libraries have a say.
template <class V>
std::vector<typename V::visit> log_of(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<typename V::visit> log;
  std::int64_t now = 0;
  for (std::size_t row = 0; row < log_rows; ++row) {
    now += static_cast<std::int64_t>(random() % 4);
    typename V::visit each;
    each.key = std::string(1, static_cast<char>('a' + random() % 5));
    each.amount = static_cast<decltype(each.amount)>(random() % 50);
    const std::uint64_t reach = random() % 5 == 0 ? 25 : 4;
    const auto behind = static_cast<std::int64_t>(random() % reach);
    each.at = fr::timestamp{fr::duration{now - behind}};
    log.push_back(each);
  }
  return log;
}

template <class V>
absl::Status run_version(run_of& run, const sinks& into) {
  using fr::test::scripted;
  using visit = typename V::visit;
  const auto script = [&](std::uint64_t seed, std::size_t splits) {
    auto from = std::make_shared<fr::test::script<visit>>();
    for (std::size_t split = 0; split < splits; ++split) {
      from->splits.push_back(log_of<V>(seed + split));
    }
    from->chunk_max = 5;
    from->chunks_vary = false;
    from->crash_after = run.crash_after;
    if (run.pause_after != 0) from->pause_after = run.pause_after;
    return scripted<visit>(from);
  };
  const auto sink = [&](std::size_t number) {
    return fr::to(sink_names[number], fr::test::keep_rows_in(into[number]));
  };
  const auto to_line = [](const auto& of) {
    return line{fmt::format("{} {} {} {}", of.key, of.amount, of.at.time_since_epoch().count(),
                            mark_of(of))};
  };
  const fr::window_options late_again{.allowed_lateness = fr::duration{6}};

  fr::pipeline p("golden");
  auto visits = p.from("visits", script(1, 1)) |
                fr::event_time(&visit::at, fr::bounded_disorder{fr::duration{5}});
  auto others = p.from("others", script(7, 2)) |
                fr::event_time(&visit::at, fr::bounded_disorder{fr::duration{4}});
  auto by_key = visits | fr::key_by(&visit::key);
  auto both = fr::merge(visits, others);
  auto both_by_key = both | fr::key_by(&visit::key);
  both_by_key | fr::window(fr::tumbling{fr::duration{20}}, late_again) |
      fr::aggregate("tumbling", fr::count("n"), fr::collect("all", &visit::amount),
                    total_aggregate<V>{"total"}) |
      sink(0);
  both_by_key | fr::window(fr::sliding{fr::duration{30}, fr::duration{10}}) |
      fr::aggregate("sliding", fr::sum("sum", &visit::amount), fr::min("least", &visit::amount)) |
      sink(1);
  by_key | fr::window(fr::session{fr::duration{6}}, late_again) |
      fr::aggregate("session", fr::count("n"), fr::last("last", &visit::amount)) | sink(2);
  by_key |
      fr::window(fr::tumbling{fr::duration{40}}, late_again,
                 fr::panes{.every_count = 4, .mode = fr::accumulation::retract}) |
      fr::aggregate("panes", fr::max("most", &visit::amount)) | sink(3);
  by_key | fr::window(fr::count_window{.size = 6, .slide = 4}) |
      fr::aggregate("counted", fr::collect("all", &visit::amount)) | sink(4);
  both_by_key |
      fr::trailing("trailing",
                   {fr::trailing_span{fr::duration{15}},
                    fr::trailing_span{fr::duration{60}, {.resolution = fr::duration{10}}}},
                   fr::count("n"), fr::sum("sum", &visit::amount)) |
      fr::map([to_line](const auto& row) {
        line made = to_line(row);
        for (const auto& span : row.trailing) {
          made.text += fmt::format(" {}/{}", std::get<0>(span), std::get<1>(span));
        }
        return made;
      }) |
      sink(5);
  by_key | fr::process<line>("tally", tallying<V>{}) | sink(6);
  others | fr::ordered("ordered") | fr::map(to_line) | sink(7);
  both |
      fr::sample("sample", fr::rarity(&visit::key, {.rate = 0.5,
                                                    .half_life = fr::duration{100},
                                                    .epoch = fr::duration{25}})) |
      fr::map([to_line](const auto& row) {
        return line{fmt::format("{} {:.6f}", to_line(row.value).text, row.probability)};
      }) |
      sink(8);
  both | fr::map(to_line) | sink(9);
  visits |
      fr::to("latest", fr::upsert(&visit::key, [](const visit& of) { return of.amount % 9 == 0; }));
  if (run.pause_after == 0) return p.run(run.options, &run.summary);
  absl::StatusOr<fr::job> job = p.start(run.options);
  if (!job.ok()) return job.status();
  while (job->metrics().records() < run.stop_at && !job->wait_for(fr::duration{1000})) {
  }
  job->stop();
  absl::Status done = job->wait();
  run.summary = job->summary();
  return done;
}

}  // namespace golden
