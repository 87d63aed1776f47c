// expect: freshet: csv::read needs to know the names of the record's fields
#include <freshet/connectors/csv.hpp>

#include <string>

struct payment {
  std::string card;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (), (card))
#endif

auto payments() { return freshet::csv::read<payment>("payments.csv"); }
