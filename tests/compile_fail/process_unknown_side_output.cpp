// expect: freshet: this side output is not among those of the operator; name it in
// A row for a side output that was not named.
#include <freshet/pipeline/process.hpp>

#include <string>

struct payment {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card))

constexpr freshet::side_output<"large", payment> large;

struct routing {
  void process(const payment& p, auto& context) { context.emit(large, p); }
};
auto routed(const freshet::stream<payment>& payments) {
  return payments | freshet::key_by(&payment::card) |
#ifdef FRESHET_FIXED
         freshet::process<payment>("route", routing{}, large);
#else
         freshet::process<payment>("route", routing{});
#endif
}
