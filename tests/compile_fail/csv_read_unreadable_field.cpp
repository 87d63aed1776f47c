// expect: freshet: csv::read can fill numbers, bool, char, std::string, timestamp
#include <freshet/connectors/csv.hpp>

#include <string>
#include <vector>

struct payment {
  std::string card;
#ifdef FRESHET_FIXED
  std::string amounts;
#else
  std::vector<double> amounts;
#endif
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amounts))

auto payments() { return freshet::csv::read<payment>("payments.csv"); }
