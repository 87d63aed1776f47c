// expect: this description holds members that are not public or are hidden by a derived struct
#include <freshet/core/codec.hpp>

#include <string>

class account {
 public:
  std::string owner;

#ifndef FRESHET_FIXED
 private:
#endif
  int balance = 0;

#ifdef FRESHET_FIXED
  BOOST_DESCRIBE_CLASS(account, (), (owner, balance), (), ())
#else
  BOOST_DESCRIBE_CLASS(account, (), (owner), (), (balance))
#endif
};

std::string save(const account& value) {
  return freshet::to_bytes(value);
}
