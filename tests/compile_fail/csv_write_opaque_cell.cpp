// expect: freshet: csv::write has no text for this type of cell
#include <freshet/connectors/csv.hpp>

#include <string>
#include <vector>

struct payment {
  std::string card;
#ifdef FRESHET_FIXED
  std::vector<double> amounts;
#else
  std::vector<std::vector<double>> amounts;
#endif
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amounts))

auto payments() { return freshet::csv::write("payments.csv").open<payment>({}); }
