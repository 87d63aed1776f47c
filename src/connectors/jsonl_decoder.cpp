// Fills structs from the events of Boost.JSON's parser.
//
// The parser checks the grammar, UTF-8 and escapes; numbers are taken as text, because as doubles
// they would lose digits. A stack holds the objects and arrays that are open, each with the address
// that it fills; what no member wants is passed over.
#include <freshet/connectors/detail/jsonl_decoder.hpp>

#include <fmt/format.h>
#include <boost/json/basic_parser_impl.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::jsonl::detail {

namespace {

namespace json = boost::json;

constexpr std::size_t found_bytes_shown = 60;

/// An object or array that is open.
struct frame {
  const shape* of;
  void* at;
  std::span<const member> members;
  std::size_t next = 0;     // The member that is expected to come next; of an array, its elements.
  std::size_t current = 0;  // The member whose value comes.
  std::size_t seen = 0;     // Where its members' marks begin.
};

/// What the parser calls, for each part of the text. Everything returns whether to go on.
struct handler {
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  const shape* root = nullptr;
  std::vector<member> root_members;
  std::vector<std::string> root_names;
  timestamp_format format = timestamp_format::iso;

  void* row = nullptr;
  std::vector<frame> frames;
  std::vector<char> seen;    // Marks of the members of all open objects.
  std::string part;          // What came before the last part of a string, key, or number.
  std::size_t unwanted = 0;  // Open objects and arrays that nobody wants.
  bool skip_value = false;   // Whether the next value is not wanted.
  std::string reason;

  void restart(void* at) {
    row = at;
    frames.clear();
    seen.clear();
    part.clear();
    unwanted = 0;
    skip_value = false;
    reason.clear();
  }

  bool refuse(std::string why, json::error_code& code) {
    reason = std::move(why);
    code = json::error::exception;
    return false;
  }

  /// Where the next value stands, as `user.tags[2]`.
  std::string place() const {
    std::string text;
    for (const frame& each : frames) {
      if (each.of->is_object) {
        if (!text.empty()) text += '.';
        text += each.members[each.current].name;
      } else {
        text += fmt::format("[{}]", each.next - 1);
      }
    }
    return text;
  }

  std::string wanted_text(const shape& of) const {
    std::string text = of.is_object           ? "an object"
                       : of.append != nullptr ? "an array"
                                              : of.wanted(format);
    if (of.reset != nullptr) text += " or null";
    return text;
  }

  bool wrong(std::string_view found, const shape& of, json::error_code& code) {
    const bool cut = found.size() > found_bytes_shown;
    return refuse(
        fmt::format("field '{}': found {}{}, wanted {}", place(),
                    found.substr(0, found_bytes_shown), cut ? "..." : "", wanted_text(of)),
        code);
  }

  /// The shape that the next value must have, and in `at` where it goes; null, with a reason or
  /// without, when it is not to be read.
  const shape* expect(void*& at) {
    if (skip_value) {
      skip_value = false;
      return nullptr;
    }
    frame& top = frames.back();
    if (top.of->is_object) {
      const member& to = top.members[top.current];
      at = to.at(top.at);
      return to.of;
    }
    ++top.next;
    at = top.of->append(top.at);
    return top.of->element;
  }

  bool take(scalar value, json::error_code& code) {
    if (unwanted > 0) return true;
    if (frames.empty()) return refuse("found a value, wanted an object", code);
    void* at = nullptr;
    const shape* const of = expect(at);
    if (of == nullptr) return true;
    if (of->fill != nullptr) {
      void* const to = of->engage != nullptr ? of->engage(at) : at;
      if (of->fill(value, format, to)) return true;
    }
    if (value.kind != scalar_kind::string) return wrong(value.text, *of, code);
    return wrong(fmt::format("\"{}\"", value.text.substr(0, found_bytes_shown)), *of, code);
  }

  bool open(bool object, json::error_code& code) {
    const std::string_view found = object ? "an object" : "an array";
    if (unwanted > 0) {
      ++unwanted;
      return true;
    }
    if (frames.empty()) {
      if (!object) return refuse("found an array, wanted an object", code);
      push(*root, row, root_members);
      return true;
    }
    void* at = nullptr;
    const shape* const of = expect(at);
    if (of == nullptr) {
      ++unwanted;
      return true;
    }
    if (object ? !of->is_object : of->append == nullptr) return wrong(found, *of, code);
    if (of->engage != nullptr) at = of->engage(at);
    if (!object) of->clear(at);
    push(*of, at, of->members);
    return true;
  }

  void push(const shape& of, void* at, std::span<const member> members) {
    frames.push_back({.of = &of, .at = at, .members = members, .seen = seen.size()});
    seen.resize(seen.size() + members.size(), 0);
  }

  bool close(json::error_code& code) {
    if (unwanted > 0) {
      --unwanted;
      return true;
    }
    frame& top = frames.back();
    for (std::size_t index = 0; index < top.members.size(); ++index) {
      if (seen[top.seen + index] != 0 || top.members[index].of->reset != nullptr) continue;
      top.current = index;
      return refuse(
          fmt::format("no field '{}', wanted {}", place(), wanted_text(*top.members[index].of)),
          code);
    }
    seen.resize(top.seen);
    frames.pop_back();
    return true;
  }

  /// The whole text, of which this is the last part.
  std::string_view whole(json::string_view last) {
    if (part.empty()) return {last.data(), last.size()};
    part.append(last.data(), last.size());
    return part;
  }

  bool take_key(std::string_view key, json::error_code& code) {
    if (unwanted > 0) return true;
    frame& top = frames.back();
    const std::size_t count = top.members.size();
    std::size_t index = top.next;
    if (index >= count || top.members[index].name != key) {
      for (index = 0; index < count && top.members[index].name != key; ++index) continue;
    }
    if (index == count) {
      skip_value = true;
      return true;
    }
    top.current = index;
    top.next = index + 1;
    if (std::exchange(seen[top.seen + index], 1) != 0) {
      return refuse(fmt::format("field '{}': found twice, wanted once", place()), code);
    }
    return true;
  }

  // --- The parser's side

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& code) { return open(true, code); }
  bool on_object_end(std::size_t, json::error_code& code) { return close(code); }
  bool on_array_begin(json::error_code& code) { return open(false, code); }
  bool on_array_end(std::size_t, json::error_code& code) { return close(code); }

  bool on_part(json::string_view text) {
    part.append(text.data(), text.size());
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, json::error_code&) { return on_part(text); }
  bool on_key(json::string_view text, std::size_t, json::error_code& code) {
    const bool taken = take_key(whole(text), code);
    part.clear();
    return taken;
  }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
    return on_part(text);
  }
  bool on_string(json::string_view text, std::size_t, json::error_code& code) {
    const bool taken = take({scalar_kind::string, whole(text)}, code);
    part.clear();
    return taken;
  }
  bool on_number_part(json::string_view text, json::error_code&) { return on_part(text); }
  bool on_number(json::string_view text, json::error_code& code) {
    const bool taken = take({scalar_kind::number, whole(text)}, code);
    part.clear();
    return taken;
  }
  bool on_int64(std::int64_t, json::string_view text, json::error_code& code) {
    return on_number(text, code);
  }
  bool on_uint64(std::uint64_t, json::string_view text, json::error_code& code) {
    return on_number(text, code);
  }
  bool on_double(double, json::string_view text, json::error_code& code) {
    return on_number(text, code);
  }
  bool on_bool(bool value, json::error_code& code) {
    return take({scalar_kind::boolean, value ? "true" : "false"}, code);
  }
  bool on_null(json::error_code& code) {
    if (unwanted > 0) return true;
    if (frames.empty()) return refuse("found null, wanted an object", code);
    void* at = nullptr;
    const shape* const of = expect(at);
    if (of == nullptr) return true;
    if (of->reset == nullptr) return wrong("null", *of, code);
    of->reset(at);
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

json::parse_options options_for(std::size_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  return options;
}

/// The words of what the parser found.
std::string explained(const json::error_code& code, std::size_t depth_max) {
  if (code == json::error::incomplete) return "the text ends in the middle of a value";
  if (code == json::error::extra_data) return "found more text behind the object, wanted none";
  if (code == json::error::too_deep) {
    return fmt::format("nested more than {} deep; set .depth_max", depth_max);
  }
  if (code == json::error::exponent_overflow) return "found an exponent that no number has";
  if (code == json::error::illegal_leading_surrogate ||
      code == json::error::illegal_trailing_surrogate ||
      code == json::error::expected_utf16_escape) {
    return "found half of a surrogate pair, wanted both";
  }
  return "found text that is not JSON (" + code.message() + ")";
}

}  // namespace

struct decoder::state {
  explicit state(std::size_t depth_limit)
      : depth_max(depth_limit), parser(options_for(depth_limit)) {}

  /// The first byte with which `text` is no JSON. The parser does not tell, so it gets byte by
  /// byte.
  std::size_t find_error(std::string_view text) {
    parser.reset();
    parser.handler().restart(nullptr);
    parser.handler().unwanted = 1;  // It looks at the grammar alone.
    json::error_code code;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (parser.write_some(true, text.data() + at, 1, code) == 0 || code) return at;
    }
    return text.size();
  }

  std::size_t depth_max;
  json::basic_parser<handler> parser;
};

decoder::decoder(const shape& root, const std::vector<std::pair<std::string, std::string>>& rename,
                 timestamp_format format, std::size_t depth_max)
    : state_(std::make_unique<state>(depth_max)) {
  handler& to = state_->parser.handler();
  to.root = &root;
  to.format = format;
  to.root_members.assign(root.members.begin(), root.members.end());
  to.root_names.reserve(rename.size());  // Their text must stay where it is.
  for (member& each : to.root_members) {
    for (const auto& [name, key] : rename) {
      if (name == each.name) {
        each.name = to.root_names.emplace_back(key);
        break;
      }
    }
  }
}

decoder::decoder(decoder&&) noexcept = default;
decoder& decoder::operator=(decoder&&) noexcept = default;
decoder::~decoder() = default;

const std::string& decoder::reason() const {
  return state_->parser.handler().reason;
}

bool decoder::decode(std::string_view text, void* row) {
  auto& parser = state_->parser;
  handler& to = parser.handler();
  parser.reset();
  to.restart(row);
  json::error_code code;
  std::size_t used = parser.write_some(false, text.data(), text.size(), code);
  if (!code && used == text.size()) return true;
  if (!to.reason.empty()) return false;
  if (!code) {
    code = json::error::extra_data;
  } else if (code != json::error::incomplete) {
    used = state_->find_error(text);
  }
  to.reason = fmt::format("byte {}: {}", used, explained(code, state_->depth_max));
  return false;
}

bool parse_special(std::string_view text, double& out) {
  if (text == "nan" || text == "NaN") {
    out = std::numeric_limits<double>::quiet_NaN();
  } else if (text == "inf" || text == "Infinity") {
    out = std::numeric_limits<double>::infinity();
  } else if (text == "-inf" || text == "-Infinity") {
    out = -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

}  // namespace freshet::jsonl::detail
