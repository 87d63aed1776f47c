// Bytes of an older format, read as a newer type.
#include "catch.hpp"
#include "codec_samples.hpp"

#include <freshet/core/schema.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace fr = freshet;
using namespace std::string_literals;
using Catch::Matchers::Contains;

namespace before {

struct item {
  std::int32_t count = 0;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(item, (), (count, name))

struct refund {
  double amount = 0;
};
BOOST_DESCRIBE_STRUCT(refund, (), (amount))

enum class channel : std::uint8_t { web };

struct order {
  std::string card;
  std::uint8_t flags = 0;
  float discount = 0;
  std::optional<item> first;
  std::vector<item> items;
  std::map<std::string, std::pair<item, std::uint32_t>> by_name;
  std::variant<std::monostate, refund> settled;
  std::tuple<item, channel> last;
  std::array<item, 2> both;
  std::vector<order> parts;
};
BOOST_DESCRIBE_STRUCT(order, (),
                      (card, flags, discount, first, items, by_name, settled, last, both, parts))

}  // namespace before

namespace after {

/// In another order, wider, with a field more.
struct item {
  std::string name;
  std::int64_t count = 0;
  double weight = 1.5;
  bool operator==(const item&) const = default;
};
BOOST_DESCRIBE_STRUCT(item, (), (name, count, weight))

struct refund {
  std::string reason = "none";
  double amount = 0;
  bool operator==(const refund&) const = default;
};
BOOST_DESCRIBE_STRUCT(refund, (), (reason, amount))

struct chargeback {
  bool lost = false;
  bool operator==(const chargeback&) const = default;
};
BOOST_DESCRIBE_STRUCT(chargeback, (), (lost))

enum class channel : std::uint8_t { web, phone };

struct order {
  std::vector<std::string> tags{"old"};
  std::string number;  ///< Was called card.
  double discount = 0;
  std::optional<item> first;
  std::vector<item> items;
  std::map<std::string, std::pair<item, std::uint64_t>> by_name;
  std::variant<std::monostate, refund, chargeback> settled;
  std::tuple<item, channel> last;
  std::array<item, 2> both;
  std::vector<order> parts;
  bool operator==(const order&) const = default;
  static constexpr std::array former_names{fr::former_name{"number", "card"}};
};
BOOST_DESCRIBE_STRUCT(order, (),
                      (tags, number, discount, first, items, by_name, settled, last, both, parts))

}  // namespace after

namespace {

after::item as_new(const before::item& old) {
  return {old.name, old.count, 1.5};
}

/// The oracle: member by member.
after::order as_new(const before::order& old) {
  after::order made;
  made.number = old.card;
  made.discount = old.discount;
  if (old.first) made.first = as_new(*old.first);
  for (const auto& each : old.items) made.items.push_back(as_new(each));
  for (const auto& [name, pair] : old.by_name) {
    made.by_name[name] = {as_new(pair.first), pair.second};
  }
  if (old.settled.index() == 1)
    made.settled = after::refund{"none", std::get<1>(old.settled).amount};
  made.last = {as_new(std::get<0>(old.last)), static_cast<after::channel>(std::get<1>(old.last))};
  made.both = {as_new(old.both[0]), as_new(old.both[1])};
  for (const auto& each : old.parts) made.parts.push_back(as_new(each));
  return made;
}

template <class From, class To>
fr::value_converter converter() {
  auto made = fr::value_converter::make(fr::format_of<From>(), fr::schema_of<To>());
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  return *made;
}

template <class From, class To>
To converted(const From& value) {
  const auto bytes = converter<From, To>().convert(fr::to_bytes(value));
  REQUIRE(bytes.ok());
  const auto read = fr::from_bytes<To>(*bytes);
  INFO(read.status().ToString());
  REQUIRE(read.ok());
  return *read;
}

template <class From, class To>
std::string refusal() {
  const auto made = fr::value_converter::make(fr::format_of<From>(), fr::schema_of<To>());
  if (made.ok()) return "none";
  REQUIRE(made.status().code() == absl::StatusCode::kFailedPrecondition);
  return std::string(made.status().message());
}

struct nothing {};
BOOST_DESCRIBE_STRUCT(nothing, (), ())
struct one {
  std::int64_t a = 7;
  bool operator==(const one&) const = default;
};
BOOST_DESCRIBE_STRUCT(one, (), (a))
struct other {
  std::int64_t b = 8;
};
BOOST_DESCRIBE_STRUCT(other, (), (b))
struct as_text {
  std::string a;
};
BOOST_DESCRIBE_STRUCT(as_text, (), (a))
template <class T>
struct holds {
  T inner{};
  BOOST_DESCRIBE_CLASS(holds, (), (inner), (), ())
};

/// Degrees; the first version wrote whole ones.
struct angle {
  double degrees = 0;
};
struct old_angle {
  std::int16_t degrees = 0;
};
struct newer_angle {};

}  // namespace

template <>
struct freshet::codec<angle> {
  static constexpr std::uint32_t version = 2;
  static void encode(byte_writer& writer, const angle& value) { writer.write_fixed(value.degrees); }
  static bool decode(byte_reader& reader, angle& value, std::uint32_t written) {
    if (written == 2) return reader.read_fixed(value.degrees);
    std::int16_t whole = 0;
    if (!reader.read_fixed(whole)) return false;
    value.degrees = whole;
    return true;
  }
  static std::string format() { return "my \"angle\""; }
};
template <>
struct freshet::codec<old_angle> {
  static void encode(byte_writer& writer, const old_angle& value) {
    writer.write_fixed(value.degrees);
  }
  static bool decode(byte_reader& reader, old_angle& value) {
    return reader.read_fixed(value.degrees);
  }
  static std::string format() { return "my \"angle\""; }
};
template <>
struct freshet::codec<newer_angle> {
  static constexpr std::uint32_t version = 3;
  static void encode(byte_writer&, const newer_angle&) {}
  static bool decode(byte_reader&, newer_angle&) { return true; }
  static std::string format() { return "my \"angle\""; }
};

TEST_CASE("old bytes become the new struct, as if copied member by member", "[core][schema]") {
  samples::generator random(1);
  const auto convert = converter<before::order, after::order>();
  REQUIRE_FALSE(convert.identical());
  for (int round = 0; round < 500; ++round) {
    CAPTURE(round);
    const auto old = random.value<before::order>();
    const auto bytes = convert.convert(fr::to_bytes(old));
    REQUIRE(bytes.ok());
    const auto read = fr::from_bytes<after::order>(*bytes);
    REQUIRE(read.ok());
    // Bytes, because a NaN among the discounts would differ from itself.
    REQUIRE(fr::to_bytes(*read) == fr::to_bytes(as_new(old)));
    REQUIRE(*bytes == fr::to_bytes(*read));
  }
}

TEST_CASE("a walk finds the end of every value and changes nothing", "[core][schema]") {
  samples::generator random(2);
  const auto check = [&]<class T>(std::type_identity<T>) {
    const auto walk = fr::value_converter::of(fr::format_of<T>());
    REQUIRE(walk.ok());
    const auto same = converter<T, T>();
    REQUIRE(same.identical());
    for (int round = 0; round < 100; ++round) {
      const std::string bytes = fr::to_bytes(random.value<T>());
      REQUIRE(walk->convert(bytes).value() == bytes);
      REQUIRE(same.convert(bytes).value() == bytes);
    }
  };
  check(std::type_identity<samples::order>{});
  check(std::type_identity<samples::state>{});
  check(std::type_identity<samples::tree>{});
  check(std::type_identity<std::array<std::array<std::string, 0>, 3>>{});
  check(std::type_identity<std::chrono::duration<float, std::ratio<1, 3>>>{});
}

TEST_CASE("a format that is the same needs no proof that keys stay different", "[core][schema]") {
  const std::string text = "{old:i64,keys:set<{parts:vector<^1>}>}";
  REQUIRE(fr::value_converter::make(text, {text, {{}, {}, {}}, {}})->identical());
  REQUIRE_FALSE(
      fr::value_converter::make("{keys:set<{parts:vector<^1>}>}", {text, {{}, {}, {}}, {}}).ok());
}

TEST_CASE("integers and floating point numbers may become wider", "[core][schema]") {
  REQUIRE(converted<holds<std::int8_t>, holds<std::int16_t>>({-5}).inner == -5);
  REQUIRE(converted<holds<std::int16_t>, holds<std::int64_t>>({-300}).inner == -300);
  REQUIRE(converted<holds<std::int32_t>, holds<std::int64_t>>({INT32_MIN}).inner == INT32_MIN);
  REQUIRE(converted<holds<std::uint32_t>, holds<std::int64_t>>({UINT32_MAX}).inner == UINT32_MAX);
  REQUIRE(converted<holds<std::uint8_t>, holds<std::uint32_t>>({255}).inner == 255);
  REQUIRE(converted<holds<float>, holds<double>>({0.1F}).inner == double{0.1F});
  REQUIRE(converted<std::vector<std::int32_t>, std::vector<std::int64_t>>({-1, 2}) ==
          std::vector<std::int64_t>{-1, 2});
}

TEST_CASE("a struct may lose its last field, or get its first", "[core][schema]") {
  REQUIRE(converted<nothing, one>({}) == one{});
  REQUIRE(converted<std::monostate, one>({}) == one{});
  REQUIRE(fr::to_bytes(converted<one, nothing>({})) == fr::to_bytes(nothing{}));
  REQUIRE(converted<std::vector<nothing>, std::vector<one>>({{}, {}}).size() == 2);
}

TEST_CASE("what may not change is refused by field and format", "[core][schema]") {
  REQUIRE(refusal<holds<one>, holds<as_text>>() == "field 'inner.a' was i64, is string now");
  REQUIRE(refusal<std::int64_t, std::int32_t>() == "it was i64, is i32 now");
  REQUIRE_THAT((refusal<std::int32_t, std::uint64_t>()), Contains("it was i32, is u64 now"));
  REQUIRE_THAT((refusal<std::int32_t, double>()), Contains("it was i32, is f64 now"));
  REQUIRE_THAT((refusal<fr::timestamp, fr::duration>()),
               Contains("it was time_us, is duration_us now"));
  REQUIRE(refusal<holds<one>, holds<other>>() ==
          "field 'inner' was {a:i64}, is {b:i64} now: no field of the one is a field of the other");
  REQUIRE_THAT((refusal<std::map<std::int32_t, one>, std::map<std::int64_t, one>>()),
               Contains("it was i32, is i64 now: keys of maps and elements of sets cannot change"));
  REQUIRE_THAT((refusal<std::set<std::int32_t>, std::set<std::int64_t>>()),
               Contains("elements of sets cannot change"));
  REQUIRE_THAT((refusal<std::variant<one, other>, std::variant<other, one>>()),
               Contains("alternatives changed places"));
  REQUIRE_THAT((refusal<std::variant<one, other>, std::variant<one>>()),
               Contains("an alternative is gone"));
  REQUIRE_THAT((refusal<std::tuple<one>, std::tuple<one, one>>()), Contains("it was tuple<"));
  REQUIRE_THAT((refusal<std::array<one, 2>, std::array<one, 3>>()), Contains("it was array<"));
  REQUIRE_THAT((refusal<one, std::optional<one>>()), Contains("it was {a:i64}, is optional<"));
}

TEST_CASE("a codec of an application is told which version was written", "[core][schema]") {
  REQUIRE(fr::format_of<angle>() == R"("my \"angle\"":2)");
  REQUIRE(converted<holds<old_angle>, holds<angle>>({{-90}}).inner.degrees == -90.0);
  REQUIRE(converted<holds<angle>, holds<angle>>({{0.5}}).inner.degrees == 0.5);
  REQUIRE_THAT((refusal<angle, old_angle>()), Contains("it was written by a newer codec"));
  REQUIRE_THAT((refusal<angle, newer_angle>()), Contains("its codec does not read that version"));
  REQUIRE_THAT(std::string(fr::from_bytes<old_angle>(fr::to_bytes(angle{})).status().message()),
               Contains("version 2 of a codec found, wanted 1"));
  REQUIRE_THAT(std::string(fr::from_bytes<angle>("\x01\x03\x01\x00\x02"s).status().message()),
               Contains("bytes after those of a codec 1, wanted 0"));
}

TEST_CASE("damaged old bytes are refused or convert to something", "[core][schema][hostile]") {
  samples::generator random(3);
  const auto convert = converter<before::order, after::order>();
  for (int round = 0; round < 6; ++round) {
    const std::string bytes = fr::to_bytes(random.value<before::order>());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      REQUIRE_FALSE(convert.convert(std::string_view(bytes).substr(0, size)).ok());
    }
    REQUIRE_FALSE(convert.convert(bytes + "x").ok());
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      const auto read = convert.convert(flipped);
      if (read.ok()) (void)fr::from_bytes<after::order>(*read);
    }
  }
}

TEST_CASE("damaged formats are refused, and never followed without end",
          "[core][schema][hostile]") {
  for (const std::string& text : {""s,
                                  "{"s,
                                  "{a"s,
                                  "{a:"s,
                                  "{a:i64"s,
                                  "{a:i64,"s,
                                  "{a:i64}}"s,
                                  "i65"s,
                                  "vector"s,
                                  "vector<>"s,
                                  "vector<i64"s,
                                  "vector<i64,i64>"s,
                                  "map<i64>"s,
                                  "array<i64>"s,
                                  "array<i64,>"s,
                                  "array<i64,99999999999999999999>"s,
                                  "^1"s,
                                  "{a:^0}"s,
                                  "{a:^2}"s,
                                  "\"own"s,
                                  "\"own\""s,
                                  "\"own\":"s,
                                  "\"own\\"s,
                                  "<i64>"s,
                                  "i64 "s,
                                  std::string(100'000, '{'),
                                  "optional<" + std::string(90'000, '<')}) {
    CAPTURE(text.substr(0, 40));
    REQUIRE(fr::value_converter::of(text).status().code() == absl::StatusCode::kInvalidArgument);
  }
  REQUIRE_THAT(std::string(fr::value_converter::of("{a:^1}")->convert("abc").status().message()),
               Contains("nested too deep"));
  REQUIRE_FALSE(fr::value_converter::of("{a:optional<^1>}")->convert(std::string(9999, 1)).ok());
  REQUIRE_FALSE(
      fr::value_converter::of("array<i64,2305843009213693953>")->convert("12345678").ok());
  REQUIRE_FALSE(
      fr::value_converter::of("array<string,9999999999>")->convert(std::string(9, 0)).ok());
  std::string deep;
  for (int level = 0; level < 190; ++level) deep += "vector<";
  REQUIRE_FALSE(fr::value_converter::of(deep + "bool" + std::string(190, '>'))
                    ->convert(std::string(500, '\1'))
                    .ok());
}

TEST_CASE("every format with a character changed is refused or walks within the bytes",
          "[core][schema][hostile]") {
  samples::generator random(4);
  const std::string text = fr::format_of<before::order>();
  const std::string bytes = fr::to_bytes(random.value<before::order>());
  const auto wanted = fr::schema_of<after::order>();
  for (std::size_t place = 0; place < text.size(); ++place) {
    for (const char each : "<>{}:,^\"0 1i"s) {
      std::string changed = text;
      changed[place] = each;
      const auto walk = fr::value_converter::of(changed);
      if (walk.ok()) (void)walk->convert(bytes);
      const auto convert = fr::value_converter::make(changed, wanted);
      if (!convert.ok()) continue;
      const auto read = convert->convert(bytes);
      if (read.ok()) (void)fr::from_bytes<after::order>(*read);
    }
  }
}
