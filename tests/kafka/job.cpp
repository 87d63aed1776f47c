// The job that the Kafka crash test kills: from a topic to two, exactly once.
//
//     freshet_kafka_job BROKERS STATE EVERY PACE
//
// Reads the topic `in` to its end: values "KEY MILLISECONDS NUMBER". Writes each number's value to
// `copies`, and the counts and sums of each key in windows of a second to `sums`. EVERY: between
// two commits. PACE: what each record takes at least, such as 20us: time to be killed in.
#include <freshet/connectors/kafka.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>
#include <boost/describe/class.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>

namespace fr = freshet;
namespace kafka = freshet::kafka;
using namespace std::chrono_literals;

namespace {

struct item {
  std::int64_t key = 0;
  fr::timestamp at;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(item, (), (key, at, number))

struct to_item {
  fr::duration pace;

  absl::StatusOr<item> operator()(std::string_view text) const {
    std::int64_t parts[3] = {};
    const char* next = text.data();
    for (std::int64_t& part : parts) {
      const auto [rest, error] = std::from_chars(next, text.data() + text.size(), part);
      if (error != std::errc()) return absl::InvalidArgumentError("not three numbers");
      next = rest + 1;
    }
    if (pace > 0us) std::this_thread::sleep_for(pace);
    return item{parts[0], fr::timestamp(std::chrono::milliseconds(parts[1])), parts[2]};
  }
};

int run(const std::string& brokers, const std::string& state, fr::duration every,
        fr::duration pace) {
  const auto to = [&](const std::string& topic) {
    return kafka::write_options{
        .brokers = brokers, .transactional_id = "crash." + topic, .connect_within = 1h};
  };
  fr::pipeline p("kafka_crash");
  auto items =
      p.from("in",
             kafka::read(
                 "in", to_item{pace},
                 {.brokers = brokers, .group = "crash", .until_end = true, .connect_within = 1h})) |
      fr::event_time(&item::at, fr::bounded_disorder(1s));
  items | fr::to("copies", kafka::write(
                               "copies",
                               [](const item& each) {
                                 kafka::message made;
                                 made.key = std::to_string(each.key);
                                 made.value = std::to_string(each.number);
                                 return made;
                               },
                               to("copies")));
  items | fr::key_by(&item::key) | fr::window(fr::tumbling(1s)) |
      fr::aggregate("sums", fr::count("count"), fr::sum("sum", &item::number)) |
      fr::to("sums", kafka::write(
                         "sums",
                         [](const auto& row) {
                           return fmt::format("{} {} {} {}", row.key,
                                              row.window.begin.time_since_epoch() / 1ms,
                                              std::get<0>(row.values), std::get<1>(row.values));
                         },
                         to("sums")));
  const absl::Status done =
      p.run({.parallelism = 2, .checkpoint = {.directory = state, .every = every}});
  if (done.ok()) return 0;
  fmt::print(stderr, "{}\n", done.ToString());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    return run(argv[1], argv[2], *fr::parse_duration(argv[3]), *fr::parse_duration(argv[4]));
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "{}\n", wrong.what());
    return 1;
  }
}
