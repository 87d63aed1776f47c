// expect: freshet: to needs a sink description such as csv::write(path), one whose
// A path is not a sink.
#include <freshet/connectors/callback.hpp>
#include <freshet/pipeline/pipeline.hpp>

void finish(const freshet::stream<int>& numbers) {
#ifdef FRESHET_FIXED
  numbers | freshet::to("numbers", freshet::callback([](int) {}));
#else
  numbers | freshet::to("numbers", "numbers.csv");
#endif
}
