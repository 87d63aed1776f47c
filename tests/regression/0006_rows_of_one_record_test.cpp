// What a user saw: collect gave the rows of one record in another order with other batch sizes,
// where they had gone different ways above a flat_map. Its rows were numbered by counting on while
// rows of one record stood side by side, which depends on batches, and two could get one number.
#include "pipeline/support.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Two rows, told apart by one more digit.
auto twice() {
  return fr::flat_map<event>([](const event& each, auto& emit) {
    emit(event{each.key, 10 * each.value, each.at});
    emit(event{each.key, 10 * each.value + 1, each.at});
  });
}

rows_of_text collected(std::size_t chunk) {
  const auto from = script_of({{{"a", 1, tick(1)}, {"a", 2, tick(1)}}});
  from->chunk_max = chunk;
  from->chunks_vary = false;
  const auto rows = keeper();
  fr::pipeline p("rows");
  const auto first = p.from("events", scripted<event>(from)) |
                     fr::event_time(&event::at, fr::bounded_disorder{}) | twice();
  const auto even = first | fr::filter([](const event& each) { return each.value % 2 == 0; });
  const auto odd = first | fr::filter([](const event& each) { return each.value % 2 != 0; });
  fr::merge(even, odd) | twice() | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
      fr::aggregate("w", fr::collect("all", &event::value)) | fr::to("rows", keep_rows_in(rows));
  (void)run_to_end(p);
  return rows->rows;
}

}  // namespace

TEST_CASE("0006: rows of one record keep their order, whichever ways they go, in every batch",
          "[regression][flat_map]") {
  const rows_of_text wanted = {"a|0|10|[100,101,110,111,200,201,210,211]@9"};
  CHECK(collected(1) == wanted);
  CHECK(collected(2) == wanted);
}
