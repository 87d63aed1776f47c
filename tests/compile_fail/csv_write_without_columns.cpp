// expect: freshet: csv::write needs rows that flatten into cells
#include <freshet/connectors/csv.hpp>

#include <string>

struct payment {
  std::string card;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (), (card))
#endif

auto payments() { return freshet::csv::write("payments.csv").open<payment>({}); }
