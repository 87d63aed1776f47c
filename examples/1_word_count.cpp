// Counts the words of a diary, day by day.   Run: word_count examples/data/flood_diary.csv
//
// The entries carry their own time, and three were written down late, one of them on the next day.
// Counts follow the time in the entry, not the place in the file: that is event time.
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>

#include <cctype>
#include <string>

namespace fr = freshet;
using namespace std::chrono_literals;

struct diary_entry {
  fr::timestamp at;
  std::string entry;
};
BOOST_DESCRIBE_STRUCT(diary_entry, (), (at, entry))

struct word {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(word, (), (text))

struct word_of_day {
  fr::timestamp window_start;
  std::string text;
  std::uint64_t times = 0;
};
BOOST_DESCRIBE_STRUCT(word_of_day, (), (window_start, text, times))

/// Words are runs of letters, in lower case; short ones say little about a day.
constexpr auto words_of = [](const diary_entry& from, auto& emit) {
  constexpr std::size_t length_min = 4;
  std::string text;
  for (const char c : from.entry + '.') {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalpha(letter) != 0) {
      text += static_cast<char>(std::tolower(letter));
    } else {
      if (text.size() >= length_min) emit(word{text});
      text.clear();
    }
  }
};

int main(int argc, char** argv) {
  fr::pipeline p("word_count");

  auto words = p.from("diary", fr::csv::read<diary_entry>(argc > 1 ? argv[1] : "flood_diary.csv"))
               | fr::event_time(&diary_entry::at, fr::bounded_disorder(6h))
               | fr::flat_map<word>(words_of);

  auto per_day = words
                 | fr::key_by(&word::text)
                 | fr::window(fr::tumbling(24h))
                 | fr::aggregate("words", fr::count("times"));

  per_day.as<word_of_day>()
      | fr::filter([](const word_of_day& row) { return row.times >= 3; })
      | fr::to("page", fr::callback([](const word_of_day& row) {
          fmt::print("{}  {:2} x {}\n", fr::to_iso_8601(row.window_start).substr(0, 10), row.times,
                     row.text);
        }));

  const absl::Status done = p.run();
  if (done.ok()) return 0;
  fmt::print(stderr, "word_count: {}\n", std::string(done.message()));
  return 1;
}
