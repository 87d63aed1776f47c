// What a user saw: a process function gave other rows with other batch sizes. A timer that was set
// for a time that is over fired before the next record only if that one had entered at a later
// frontier; else it waited for the end of the batch.
#include "pipeline/process_support.hpp"

namespace fr = freshet;
using namespace freshet::test;

namespace {

/// Says how many records there were when its timer fired. A record of the value 2 sets one for 20.
struct counting {
  struct state {
    std::int64_t records = 0;
  };
  void process(const event& each, state& mine, auto& context) const {
    ++mine.records;
    if (each.value == 2) context.set_event_timer(tick(20));
  }
  void on_timer(const fr::timer&, const state& mine, auto& context) const {
    context.emit(mine.records);
  }
};
BOOST_DESCRIBE_STRUCT(counting::state, (), (records))

}  // namespace

TEST_CASE("0005: a timer for a time that is over fires before the next record, in every batch",
          "[regression][process][timer]") {
  // The last two enter at the same frontier, 50.
  const auto log = script_of({{e("a", 50), e("a", 30, 2), e("a", 31)}});
  for (const std::size_t chunk : {1U, 2U, 3U}) {
    log->chunk_max = chunk;
    log->chunks_vary = false;
    const process_rows found = run_cut(log, {}, [](const auto& keyed) {
      const auto rows = keyed | fr::process<std::int64_t>("p", counting{});
      return std::tuple(rows, rows);
    });
    INFO("batches of " << chunk);
    CHECK(found.rows == rows_of_text{"2@19"});
  }
}
