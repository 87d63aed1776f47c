// expect: freshet: a connected function needs a member on_broadcast(const row&, shared&,
// A control stream that the function does not look at.
#include <freshet/pipeline/process.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

struct checking {
  struct shared {
    int limit = 0;
  };
  void process(const payment& p, const shared&, auto& context) { context.emit(p); }
#ifdef FRESHET_FIXED
  void on_broadcast(int limit, shared& all, const freshet::broadcast_context&) {
    all.limit = limit;
  }
#endif
};
BOOST_DESCRIBE_STRUCT(checking::shared, (), (limit))

auto checked(const freshet::stream<payment>& payments, const freshet::stream<int>& limits) {
  return freshet::connect(payments | freshet::key_by(&payment::card), limits) |
         freshet::process<payment>("check", checking{});
}
