// expect: freshet: this struct has no named fields
#include <freshet/core/fields.hpp>

#include <cstddef>
#include <string>

struct event {
  long at = 0;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(event, (), (at))
#endif

struct payment : event {
  std::string card;
};
BOOST_DESCRIBE_STRUCT(payment, (event), (card))

std::size_t header_columns() {
  return freshet::field_names<payment>().size();
}
