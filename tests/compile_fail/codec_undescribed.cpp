// expect: freshet: this type cannot be checkpointed
#include <freshet/core/codec.hpp>

#include <map>
#include <string>
#include <vector>

struct payment {
  std::string card;
  double amount = 0;
};
#ifdef FRESHET_FIXED
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))
#endif

// The struct stands deep inside the state; the sentence comes all the same.
std::string save(const std::map<std::string, std::vector<payment>>& state) {
  return freshet::to_bytes(state);
}
