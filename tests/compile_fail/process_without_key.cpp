// expect: freshet: process needs to know which records belong together; put key_by(&record::key)
// A process function directly over a stream.
#include <freshet/pipeline/process.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

struct pass {
  void process(const payment& p, auto& context) { context.emit(p); }
};

auto passed(const freshet::stream<payment>& payments) {
  return payments
#ifdef FRESHET_FIXED
         | freshet::key_by(&payment::card)
#endif
         | freshet::process<payment>("pass", pass{});
}
