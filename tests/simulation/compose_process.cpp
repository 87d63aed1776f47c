#include "simulation/compose.hpp"

#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>

namespace freshet::simulated {

namespace {

constexpr side_output<"aside", event> aside;

/// What `fold_record` and `fold_timer` emit and set, as calls of the library.
template <class Context>
struct context_calls {
  Context& context;

  void emit(const event& made) { context.emit(made); }
  void emit_aside(const event& made) { context.emit(aside, made); }
  void set_timer(ticks when) { context.set_event_timer(at_tick(when)); }
};

struct folding {
  using state = fold_state;
  std::int64_t a = 0;
  std::int64_t burst = 0;

  void process(const event& of, fold_state& kept, auto& context) const {
    context_calls<std::remove_reference_t<decltype(context)>> out{context};
    fold_record(of, kept, a, burst, out);
  }
  void on_timer(const timer& due, fold_state& kept, auto& context) const {
    context_calls<std::remove_reference_t<decltype(context)>> out{context};
    fold_timer(tick_of(due.when), context.key(), kept, a, burst, out);
  }
};

}  // namespace

std::vector<events> process_calls(const events& in, const plan_node& of, const std::string& name) {
  auto [main, side] = in | key_by(&event::key) | process<event>(name, folding{of.a, of.b}, aside);
  return {main, side};
}

}  // namespace freshet::simulated
