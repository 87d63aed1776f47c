#include "results.hpp"

#include <fmt/core.h>

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <stdexcept>
#include <utility>

namespace suite {

namespace json = boost::json;

namespace {

constexpr std::int64_t format = 1;

[[noreturn]] void fail(std::string_view where, std::string_view what) {
  throw std::runtime_error(fmt::format("{}: {}", where, what));
}

/// An object that knows what it is called when something in it is not as it should be.
class reader {
 public:
  reader(const json::value& of, std::string where) : where_(std::move(where)) {
    if (!of.is_object()) fail(where_, "found no object");
    object_ = &of.get_object();
  }

  const json::value* find(std::string_view name) const {
    return object_->if_contains({name.data(), name.size()});
  }
  const json::value& at(std::string_view name) const {
    if (const json::value* const found = find(name)) return *found;
    fail(where_, fmt::format("'{}' is absent", name));
  }
  std::string text(std::string_view name) const {
    const json::value& found = at(name);
    if (!found.is_string()) fail(where_, fmt::format("'{}' is no text", name));
    return {found.get_string().data(), found.get_string().size()};
  }
  double number(std::string_view name) const { return number(at(name), name); }
  std::uint64_t whole(std::string_view name) const {
    const double found = number(name);
    if (!(found >= 0 && found < 1.8e19)) fail(where_, fmt::format("'{}' is out of range", name));
    return static_cast<std::uint64_t>(found);
  }
  bool flag(std::string_view name) const {
    const json::value& found = at(name);
    if (!found.is_bool()) fail(where_, fmt::format("'{}' is neither true nor false", name));
    return found.get_bool();
  }
  samples numbers(std::string_view name) const {
    samples all;
    for (const json::value& each : array(name)) all.push_back(number(each, name));
    return all;
  }
  const json::array& array(std::string_view name) const {
    const json::value& found = at(name);
    if (!found.is_array()) fail(where_, fmt::format("'{}' is no list", name));
    return found.get_array();
  }
  const std::string& where() const { return where_; }

 private:
  double number(const json::value& of, std::string_view name) const {
    if (of.is_double() && std::isfinite(of.get_double())) return of.get_double();
    if (of.is_int64()) return static_cast<double>(of.get_int64());
    if (of.is_uint64()) return static_cast<double>(of.get_uint64());
    fail(where_, fmt::format("'{}' is no finite number", name));
  }

  std::string where_;
  const json::object* object_ = nullptr;
};

row row_from(const json::value& of, std::size_t number) {
  reader in(of, fmt::format("row {}", number));
  row made;
  made.group = in.text("group");
  made.name = in.text("name");
  in = reader(of, fmt::format("row '{}: {}'", made.group, made.name));
  made.unit = in.text("unit");
  made.source = in.text("source");
  made.ours = in.numbers("ours");
  made.loop = in.numbers("loop");
  made.ratio = in.numbers("ratio");
  made.more_is_better = in.flag("more_is_better");
  made.error = in.text("error");
  if (made.error.empty() && made.ours.empty()) fail(in.where(), "'ours' is empty");
  if (const json::value* const found = in.find("target")) {
    const reader target(*found, in.where() + ", target");
    made.target = bound{target.flag("of_ratio"), target.flag("at_most"), target.number("value")};
  }
  if (const json::value* const found = in.find("drawn")) {
    const reader drawn(*found, in.where() + ", drawn");
    made.drawn = place{drawn.text("chart"), drawn.text("series"), drawn.text("x")};
  }
  return made;
}

json::array to_array(const samples& of) {
  return json::array(of.begin(), of.end());
}

json::object to_object(const row& of) {
  json::object made{{"group", of.group},
                    {"name", of.name},
                    {"unit", of.unit},
                    {"source", of.source},
                    {"ours", to_array(of.ours)},
                    {"loop", to_array(of.loop)},
                    {"ratio", to_array(of.ratio)},
                    {"more_is_better", of.more_is_better},
                    {"error", of.error},
                    // For who reads the file; it follows from the rest.
                    {"verdict", std::string(text_of(verdict_of(of)))}};
  if (of.target) {
    made["target"] = json::object{{"of_ratio", of.target->of_ratio},
                                  {"at_most", of.target->at_most},
                                  {"value", of.target->value}};
  }
  if (of.drawn) {
    made["drawn"] =
        json::object{{"chart", of.drawn->chart}, {"series", of.drawn->series}, {"x", of.drawn->x}};
  }
  return made;
}

json::object to_object(const circumstances& of) {
  return {{"date", of.date},
          {"commit", of.commit},
          {"cpu", of.cpu},
          {"cores", of.cores},
          {"l1_bytes", of.l1_bytes},
          {"l2_bytes", of.l2_bytes},
          {"l3_bytes", of.l3_bytes},
          {"memory_bytes", of.memory_bytes},
          {"kernel", of.kernel},
          {"compiler", of.compiler},
          {"flags", of.flags},
          {"load_before", of.load_before},
          {"load_after", of.load_after},
          {"seconds", of.seconds},
          {"quick", of.quick},
          {"mix64_per_second", to_array(of.mix64_per_second)},
          {"dependent_miss_ns", to_array(of.dependent_miss_ns)}};
}

circumstances circumstances_from(const json::value& of) {
  const reader in(of, "circumstances");
  circumstances made;
  made.date = in.text("date");
  made.commit = in.text("commit");
  made.cpu = in.text("cpu");
  made.cores = in.whole("cores");
  made.l1_bytes = in.whole("l1_bytes");
  made.l2_bytes = in.whole("l2_bytes");
  made.l3_bytes = in.whole("l3_bytes");
  made.memory_bytes = in.whole("memory_bytes");
  made.kernel = in.text("kernel");
  made.compiler = in.text("compiler");
  made.flags = in.text("flags");
  made.load_before = in.number("load_before");
  made.load_after = in.number("load_after");
  made.seconds = in.number("seconds");
  made.quick = in.flag("quick");
  made.mix64_per_second = in.numbers("mix64_per_second");
  made.dependent_miss_ns = in.numbers("dependent_miss_ns");
  return made;
}

/// One row per line: differences between two files can be read.
template <class Each>
std::string lines_of(const std::vector<Each>& all, json::object (*to)(const Each&)) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    text += "  " + json::serialize(to(all[i])) + (i + 1 < all.size() ? ",\n" : "\n");
  }
  return text;
}

}  // namespace

verdict verdict_of(const row& of) {
  if (!of.error.empty()) return verdict::failed;
  if (!of.target) return verdict::no_target;
  const double found = median(of.target->of_ratio ? of.ratio : of.ours);
  const bool met = of.target->at_most ? found <= of.target->value : found >= of.target->value;
  return met ? verdict::met : verdict::missed;
}

std::string_view text_of(verdict of) {
  switch (of) {
    case verdict::no_target:
      return "";
    case verdict::met:
      return "met";
    case verdict::missed:
      return "missed";
    case verdict::failed:
      return "failed";
  }
  return "";
}

std::string to_json(const results& all) {
  const auto object = [](const published& of) {
    return json::object{
        {"claim", of.claim}, {"theirs", of.theirs}, {"ours", of.ours}, {"method", of.method}};
  };
  return fmt::format(
      "{{\"format\": {},\n\"circumstances\": {},\n\"rows\": [\n{}],\n\"published\": "
      "[\n{}]}}\n",
      format, json::serialize(to_object(all.of)), lines_of<row>(all.rows, to_object),
      lines_of<published>(all.beside, object));
}

results from_json(std::string_view text) {
  boost::system::error_code failed;
  const json::value parsed = json::parse({text.data(), text.size()}, failed);
  if (failed) fail("no JSON", failed.message());
  const reader in(parsed, "the file");
  if (in.whole("format") != format) {
    fail("the file",
         fmt::format("format is {}, wanted {}; run ./run bench again", in.whole("format"), format));
  }
  results all;
  all.of = circumstances_from(in.at("circumstances"));
  std::set<std::pair<std::string, std::string>> known;
  for (const json::value& each : in.array("rows")) {
    all.rows.push_back(row_from(each, all.rows.size() + 1));
    const row& last = all.rows.back();
    if (!known.emplace(last.group, last.name).second) {
      fail(fmt::format("row '{}: {}'", last.group, last.name), "is there twice");
    }
  }
  for (const json::value& each : in.array("published")) {
    const reader one(each, "published");
    all.beside.push_back(
        {one.text("claim"), one.text("theirs"), one.text("ours"), one.text("method")});
  }
  return all;
}

results load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(fmt::format("'{}'", path), "cannot be read");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    return from_json(text);
  } catch (const std::runtime_error& error) {
    fail(fmt::format("'{}'", path), error.what());
  }
}

void save(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) fail(fmt::format("'{}'", path), "cannot be written");
}

double median(samples values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string figure(double value) {
  if (!std::isfinite(value)) return "";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1e15) return fmt::format("{:.2e}", value);
  if (size < 9.995) return fmt::format("{:.2f}", value);
  if (size < 99.95) return fmt::format("{:.1f}", value);
  std::string digits = fmt::format("{:.0f}", size);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return value < 0 ? "-" + digits : digits;
}

}  // namespace suite
