// A translation unit with one keyed-window pipeline, as an application would have it. Not part of
// any program: header_cost.sh says what it costs to compile.
#include <freshet/connectors/csv.hpp>
#include <freshet/freshet.hpp>

namespace fr = freshet;
using namespace std::chrono_literals;

struct payment {
  std::string card;
  double amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, at))

int main() {
  fr::pipeline p("one_window");
  p.from("payments", fr::csv::read<payment>("payments.csv")) |
      fr::event_time(&payment::at, fr::bounded_disorder{30s}) | fr::key_by(&payment::card) |
      fr::window(fr::tumbling{1min}) |
      fr::aggregate("activity", fr::count("payments"), fr::max("most", &payment::amount)) |
      fr::to("rows", fr::csv::write("activity.csv"));
  return p.run({.checkpoint = {.directory = "state"}}).ok() ? 0 : 1;
}
