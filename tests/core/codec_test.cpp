// Values to bytes and back: round trips, the documented bytes, formats, both tiers of extension.
#include <freshet/core/codec.hpp>
#include <freshet/core/time.hpp>

#include "catch.hpp"
#include "codec_samples.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace fr = freshet;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

// The oracle: the documented format written down bit by bit, without anything from the library.
template <class Integer>
std::string naive_integer(Integer value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes += static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xffU);
  }
  return bytes;
}

std::string naive_count(std::size_t count) {
  std::string bytes;
  for (; count >= 128; count /= 128) bytes += static_cast<char>(count % 128 + 128);
  return bytes + static_cast<char>(count);
}

std::string naive_string(const std::string& text) {
  return naive_count(text.size()) + text;
}

std::string naive_order(const samples::order& value) {
  std::uint64_t amount = 0;
  std::uint32_t discount = 0;
  std::memcpy(&amount, &value.amount, sizeof amount);
  std::memcpy(&discount, &value.discount, sizeof discount);
  std::string bytes = naive_integer(value.at.time_since_epoch().count());
  bytes += naive_integer(value.sequence) + naive_string(value.card) + naive_integer(amount);
  bytes += naive_integer(discount) + (value.fraud ? '\1' : '\0');
  bytes += static_cast<char>(value.via);
  bytes += value.region ? "\1" + naive_integer(*value.region) : std::string(1, '\0');
  bytes += naive_count(value.items.size());
  for (const std::int64_t item : value.items) bytes += naive_integer(item);
  for (const std::uint16_t part : value.address) bytes += naive_integer(part);
  bytes += value.note.first + naive_integer(value.note.second.count());
  bytes += static_cast<char>(value.extra.index());
  if (value.extra.index() == 0) bytes += '\0';
  if (value.extra.index() == 1) bytes += naive_string(std::get<1>(value.extra));
  if (value.extra.index() == 2) {
    std::memcpy(&amount, &std::get<2>(value.extra), sizeof amount);
    bytes += naive_integer(amount);
  }
  bytes += naive_count(value.tags.size());
  for (const auto& [name, number] : value.tags) bytes += naive_string(name) + naive_integer(number);
  return bytes;
}

template <class T>
void check_round_trips(std::uint64_t seed) {
  samples::generator random(seed);
  for (int round = 0; round < 1000; ++round) {
    CAPTURE(seed, round);
    const T value = random.value<T>();
    const std::string bytes = fr::to_bytes(value);
    const absl::StatusOr<T> read = fr::from_bytes<T>(bytes);
    REQUIRE(read.ok());
    REQUIRE(*read == value);
    REQUIRE(fr::to_bytes(*read) == bytes);
  }
}

struct empty {};
BOOST_DESCRIBE_STRUCT(empty, (), ())

struct renamed_event {
  fr::timestamp at;
  std::uint32_t sequence;
};
BOOST_DESCRIBE_STRUCT(renamed_event, (), (at, sequence))

struct swapped_event {
  std::uint32_t sequence;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(swapped_event, (), (sequence, at))

// The full tier: a type with an invariant, which bytes could break.
class percentage {
 public:
  int value() const { return value_; }
  bool set(int value) {
    value_ = value;
    return value >= 0 && value <= 100;
  }

 private:
  int value_ = 0;
};

struct plain {
  int number;
};
enum class fixed { one };
enum open { two };
struct no_default {
  explicit no_default(int start) : number(start) {}
  int number;
};
BOOST_DESCRIBE_STRUCT(no_default, (), (number))

}  // namespace

template <>
struct freshet::codec<percentage> {
  static void encode(byte_writer& writer, const percentage& value) {
    writer.write_byte(static_cast<std::uint8_t>(value.value()));
  }
  static bool decode(byte_reader& reader, percentage& value) {
    std::uint8_t byte = 0;
    if (!reader.read_byte(byte)) return false;
    return value.set(byte) || reader.fail("percentage above 100 found, 0 to 100 wanted");
  }
  static std::string format() { return "percentage"; }
};

TEST_CASE("codec gives back every value of every kind", "[core][codec]") {
  check_round_trips<samples::order>(1);
  check_round_trips<samples::state>(2);
  check_round_trips<samples::tree>(3);
}

TEST_CASE("codec writes an order as the naive encoder does", "[core][codec]") {
  samples::generator random(4);
  for (int round = 0; round < 1000; ++round) {
    CAPTURE(round);
    const auto value = random.value<samples::order>();
    REQUIRE(fr::to_bytes(value) == naive_order(value));
  }
}

TEST_CASE("codec writes the documented bytes of numbers", "[core][codec][golden]") {
  CHECK(fr::to_bytes(true) == "\x01"s);
  CHECK(fr::to_bytes('c') == "c"s);
  CHECK(fr::to_bytes(std::int8_t{-1}) == "\xff"s);
  CHECK(fr::to_bytes(std::uint16_t{0x1234}) == "\x34\x12"s);
  CHECK(fr::to_bytes(std::int32_t{-2}) == "\xfe\xff\xff\xff"s);
  CHECK(fr::to_bytes(std::uint64_t{0x0102030405060708U}) == "\x08\x07\x06\x05\x04\x03\x02\x01"s);
  CHECK(fr::to_bytes(1.0F) == "\x00\x00\x80\x3f"s);
  CHECK(fr::to_bytes(-2.5) == "\x00\x00\x00\x00\x00\x00\x04\xc0"s);
  CHECK(fr::to_bytes(samples::channel::terminal) == "\x01"s);
  CHECK(fr::to_bytes(fr::timestamp{258us}) == "\x02\x01\x00\x00\x00\x00\x00\x00"s);
  CHECK(fr::to_bytes(std::chrono::hours{-1}) == "\xff\xff\xff\xff\xff\xff\xff\xff"s);
}

TEST_CASE("codec writes the documented bytes of composed values", "[core][codec][golden]") {
  CHECK(fr::to_bytes("card"s) ==
        "\x04"
        "card"s);
  CHECK(fr::to_bytes(std::string(300, 'x')) == "\xac\x02" + std::string(300, 'x'));
  CHECK(fr::to_bytes(std::optional<char>{}) == "\x00"s);
  CHECK(fr::to_bytes(std::optional<char>{'a'}) ==
        "\x01"
        "a"s);
  CHECK(fr::to_bytes(std::vector<std::int16_t>{1, 2}) == "\x02\x01\x00\x02\x00"s);
  CHECK(fr::to_bytes(std::vector<bool>{true, false}) == "\x02\x01\x00"s);
  CHECK(fr::to_bytes(std::array{'a', 'b'}) == "ab"s);
  CHECK(fr::to_bytes(std::pair{'a', true}) == "a\x01"s);
  CHECK(fr::to_bytes(std::tuple{'a', "bc"s}) ==
        "a\x02"
        "bc"s);
  CHECK(fr::to_bytes(std::map<char, char>{{'b', '2'}, {'a', '1'}}) ==
        "\x02"
        "a1b2"s);
  CHECK(fr::to_bytes(std::set<char>{'b', 'a'}) ==
        "\x02"
        "ab"s);
  CHECK(fr::to_bytes(std::variant<bool, char>{'a'}) ==
        "\x01"
        "a"s);
  CHECK(fr::to_bytes(samples::event{{fr::timestamp{1us}}, 2}) ==
        "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00"s);
}

TEST_CASE("codec writes one zero byte for what has no parts", "[core][codec][golden]") {
  CHECK(fr::to_bytes(std::monostate{}) == "\x00"s);
  CHECK(fr::to_bytes(std::tuple<>{}) == "\x00"s);
  CHECK(fr::to_bytes(std::array<int, 0>{}) == "\x00"s);
  CHECK(fr::to_bytes(empty{}) == "\x00"s);
  CHECK(fr::from_bytes<std::vector<empty>>("\x02\x00\x00"s).value().size() == 2);
}

TEST_CASE("codec keeps the sign of zero and the bits of a NaN", "[core][codec]") {
  CHECK(std::signbit(fr::from_bytes<double>(fr::to_bytes(-0.0)).value()));
  const std::string odd_nan = "\x01\x00\x00\x00\x00\x00\xf0\x7f"s;
  const std::vector<double> read = fr::from_bytes<std::vector<double>>("\x01" + odd_nan).value();
  CHECK(std::isnan(read.front()));
  CHECK(fr::to_bytes(read) == "\x01" + odd_nan);
}

TEST_CASE("codec writes equal hashed containers to equal bytes", "[core][codec]") {
  samples::generator random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::string, int>> entries;
    for (std::size_t i = 0; i < 40; ++i) entries.emplace_back(random.value<std::string>(), i);
    std::unordered_map<std::string, int> forward(entries.begin(), entries.end());
    std::unordered_map<std::string, int> grown(4096);
    absl::flat_hash_map<std::string, int> flat;
    std::map<std::string, int> ordered;
    for (const auto& entry : forward) grown.insert(entry);
    for (const auto& entry : forward) flat.insert(entry);
    for (const auto& entry : forward) ordered.insert(entry);
    REQUIRE(fr::to_bytes(grown) == fr::to_bytes(forward));
    REQUIRE(fr::to_bytes(flat) == fr::to_bytes(forward));
    // Whatever the kind of map, the format is the same, and each reads the others' bytes.
    REQUIRE(fr::from_bytes<std::map<std::string, int>>(fr::to_bytes(flat)).value() == ordered);
    REQUIRE(fr::from_bytes<absl::flat_hash_map<std::string, int>>(fr::to_bytes(ordered)).value() ==
            flat);
  }
}

TEST_CASE("codec sorts hashed sets as bytes", "[core][codec][golden]") {
  const std::unordered_set<std::int16_t> hashed{256, 1, 2};
  const absl::flat_hash_set<std::int16_t> flat{2, 256, 1};
  CHECK(fr::to_bytes(hashed) == "\x03\x00\x01\x01\x00\x02\x00"s);
  CHECK(fr::to_bytes(flat) == fr::to_bytes(hashed));
  CHECK(fr::from_bytes<std::unordered_set<std::int16_t>>(fr::to_bytes(flat)).value() == hashed);
}

TEST_CASE("codec replaces everything that the value held", "[core][codec]") {
  samples::generator random(6);
  auto order = random.value<samples::order>();
  auto state = random.value<samples::state>();
  for (int round = 0; round < 1000; ++round) {
    CAPTURE(round);
    const auto next_order = random.value<samples::order>();
    const auto next_state = random.value<samples::state>();
    const std::string bytes = fr::to_bytes(std::pair{next_order, next_state});
    fr::byte_reader reader(bytes);
    REQUIRE((fr::decode(reader, order) && fr::decode(reader, state)));
    REQUIRE(order == next_order);
    REQUIRE(state == next_state);
  }
}

TEST_CASE("codec appends to what the string already holds", "[core][codec]") {
  std::string bytes = "head";
  fr::byte_writer writer(bytes);
  fr::encode(writer, 'a');
  fr::encode(writer, "b"s);
  CHECK(bytes ==
        "heada\x01"
        "b");
  CHECK(writer.size() == bytes.size());
}

TEST_CASE("codec format names fields and types but no structs", "[core][codec][golden]") {
  CHECK(fr::format_of<samples::event>() == "{at:time_us,sequence:u32}");
  CHECK(fr::format_of<samples::order>() ==
        "{at:time_us,sequence:u32,card:string,amount:f64,discount:f32,fraud:bool,via:u8,"
        "region:optional<i16>,items:vector<i64>,address:array<u16,3>,"
        "note:tuple<char,duration_ms>,extra:variant<empty,string,f64>,tags:map<string,i32>}");
  CHECK(fr::format_of<samples::state>() ==
        "{panes:vector<tuple<time_us,f64>>,seen:map<string,vector<bool>>,levels:set<i8>,"
        "rest:tuple<u64,vector<string>,array<bool,2>>}");
  CHECK(fr::format_of<empty>() == "{}");
}

TEST_CASE("codec format survives a renamed struct but not swapped fields", "[core][codec]") {
  CHECK(fr::format_of<renamed_event>() == fr::format_of<samples::event>());
  CHECK(fr::format_of<swapped_event>() != fr::format_of<samples::event>());
}

TEST_CASE("codec format tells units of time apart", "[core][codec][golden]") {
  CHECK(fr::format_of<std::chrono::nanoseconds>() == "duration_ns");
  CHECK(fr::format_of<std::chrono::minutes>() == "duration_min");
  CHECK(fr::format_of<std::chrono::duration<double>>() == "duration_s<f64>");
  CHECK(fr::format_of<std::chrono::duration<std::int64_t, std::ratio<1, 30>>>() ==
        "duration_1/30s");
  CHECK(fr::format_of<std::chrono::sys_seconds>() == "time_s");
}

TEST_CASE("codec format ends where a struct contains itself", "[core][codec][golden]") {
  CHECK(fr::format_of<samples::tree>() == "{value:i16,children:vector<^1>,named:map<string,^1>}");
}

TEST_CASE("codec of an application is used inside containers", "[core][codec]") {
  std::vector<percentage> values(2);
  REQUIRE(values[1].set(100));
  CHECK(fr::to_bytes(values) == "\x02\x01\x01\x00\x01\x01\x64"s);
  CHECK(
      fr::from_bytes<std::vector<percentage>>("\x02\x01\x01\x00\x01\x01\x64"s).value()[1].value() ==
      100);
  CHECK(fr::format_of<std::vector<percentage>>() == "vector<\"percentage\":1>");
  CHECK(fr::from_bytes<percentage>("\x01\x01\x65").status().message() ==
        "codec: byte 3 of 3: percentage above 100 found, 0 to 100 wanted; the bytes are damaged or "
        "of another format");
}

TEST_CASE("codec knows what can be checkpointed", "[core][codec]") {
  STATIC_REQUIRE(fr::checkpointable<samples::order>);
  STATIC_REQUIRE(fr::checkpointable<samples::tree>);
  STATIC_REQUIRE(fr::checkpointable<percentage>);
  STATIC_REQUIRE(fr::checkpointable<fixed>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<open>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<plain>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<std::map<int, std::vector<plain>>>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<no_default>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<int*>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<std::string_view>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<long double>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<wchar_t>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<const int>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<std::multimap<int, int>>);
  STATIC_REQUIRE_FALSE(fr::checkpointable<std::chrono::steady_clock::time_point>);
}
