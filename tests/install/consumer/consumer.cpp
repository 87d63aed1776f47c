// A program outside of freshet's build: it includes installed headers and links the installed
// library.
#include <freshet/core/time.hpp>

#include <chrono>
#include <cstdio>

int main() {
  namespace fr = freshet;
  using namespace std::chrono_literals;

  const fr::timestamp end = fr::saturating_add(fr::timestamp{90s}, 30s);
  if (end != fr::timestamp{2min}) {
    std::fputs(
        "consumer: 90 s + 30 s is not 2 min; the installed headers are not the tested ones\n",
        stderr);
    return 1;
  }
  std::puts("consumer: ok");
  return 0;
}
