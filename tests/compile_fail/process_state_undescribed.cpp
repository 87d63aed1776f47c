// expect: freshet: the state of a process function must be checkpointable
// The state of a function that nobody described.
#include <freshet/pipeline/process.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

struct counting {
  struct state {
    int count = 0;
  };
  void process(const payment&, state& mine, auto& context) { context.emit(++mine.count); }
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(counting::state, (), (count))
#endif

auto counts(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card) | freshet::process<int>("count", counting{});
}
