// expect: freshet: process needs an object with a member process(const record&, state&, auto&
// The function takes another record.
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
#ifdef FRESHET_FIXED
  using record = payment;
#else
  using record = int;
#endif
  void process(const record&, state& mine, auto& context) { context.emit(++mine.count); }
};
BOOST_DESCRIBE_STRUCT(counting::state, (), (count))

auto counts(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card) | freshet::process<int>("count", counting{});
}
