// expect: freshet: this struct has no named fields
#include <freshet/core/fields.hpp>

#include <cstddef>
#include <string>
#include <string_view>

struct payment {
  std::string card;
  double amount = 0;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))
#endif

std::size_t bytes_of(const payment& value) {
  std::size_t bytes = 0;
  freshet::for_each_field(value, [&](std::string_view name, const auto& member) {
    bytes += name.size() + sizeof member;
  });
  return bytes;
}
