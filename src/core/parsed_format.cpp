#include "core/parsed_format.hpp"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace freshet::detail {

namespace {

using kind = format_part::kind;

/// More than any type has that a compiler takes; keeps hostile text from exhausting the stack.
constexpr std::size_t depth_max = 200;

/// Names that say how many bytes there are, without brackets.
std::optional<std::size_t> fixed_bytes(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::size_t>, 13> known{{{"bool", 1},
                                                                            {"char", 1},
                                                                            {"empty", 1},
                                                                            {"i8", 1},
                                                                            {"u8", 1},
                                                                            {"i16", 2},
                                                                            {"u16", 2},
                                                                            {"i32", 4},
                                                                            {"u32", 4},
                                                                            {"f32", 4},
                                                                            {"i64", 8},
                                                                            {"u64", 8},
                                                                            {"f64", 8}}};
  for (const auto& [each, bytes] : known) {
    if (each == name) return bytes;
  }
  if (name.starts_with("time_") || name.starts_with("duration_")) return 8;
  return std::nullopt;
}

class parser {
 public:
  explicit parser(std::string_view text) : text_(text) {}

  absl::StatusOr<parsed_format> parse() {
    of_.root = type();
    if (!failed_ && next_ != text_.size()) fail();
    if (failed_) {
      return absl::InvalidArgumentError(
          fmt::format("the format [{}] cannot be understood from character {} on; it is damaged, "
                      "or of a newer build",
                      text_.substr(0, 200), next_));
    }
    return std::move(of_);
  }

 private:
  std::size_t fail() {
    failed_ = true;
    return 0;
  }

  char peek() const { return next_ < text_.size() && !failed_ ? text_[next_] : '\0'; }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++next_;
    return true;
  }
  void want(char wanted) {
    if (!take(wanted)) fail();
  }

  std::string_view name() {
    const std::size_t begin = next_;
    next_ = std::min(text_.find_first_of("<>,{}:\"^", next_), text_.size());
    if (next_ == begin) fail();
    return text_.substr(begin, next_ - begin);
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    const char* const end = text_.data() + text_.size();
    const auto [after, error] = std::from_chars(text_.data() + next_, end, value);
    if (error != std::errc{}) {
      fail();
      return 0;
    }
    next_ = static_cast<std::size_t>(after - text_.data());
    return value;
  }

  std::size_t add(format_part part, std::size_t begin) {
    if (failed_) return 0;
    part.text = text_.substr(begin, next_ - begin);
    of_.parts.push_back(std::move(part));
    return of_.parts.size() - 1;
  }

  std::size_t type() {
    if (failed_ || depth_ == depth_max) return fail();
    ++depth_;
    const std::size_t made = peek() == '{'   ? record()
                             : peek() == '^' ? reference()
                             : peek() == '"' ? own()
                                             : named();
    --depth_;
    return made;
  }

  std::size_t reference() {
    want('^');
    const std::uint64_t out = number();
    if (failed_ || out == 0 || out > enclosing_.size()) return fail();
    return enclosing_[enclosing_.size() - static_cast<std::size_t>(out)];
  }

  std::size_t own() {
    const std::size_t begin = next_;
    want('"');
    while (peek() != '"') {
      if (peek() == '\\') ++next_;
      if (next_ >= text_.size()) return fail();
      ++next_;
    }
    want('"');
    format_part part{.is = kind::own, .name = text_.substr(begin, next_ - begin)};
    want(':');
    const std::uint64_t version = number();
    if (version > UINT32_MAX) return fail();
    part.version = static_cast<std::uint32_t>(version);
    part.own_number = owns_++;
    return add(std::move(part), begin);
  }

  /// Is there before its parts, which may refer to it.
  std::size_t record() {
    const std::size_t begin = next_;
    const std::size_t index = add({.is = kind::record}, begin);
    enclosing_.push_back(index);
    format_part part{.is = kind::record};
    want('{');
    for (bool more = !take('}'); more && !failed_; more = !take('}')) {
      if (!part.parts.empty()) want(',');
      part.fields.push_back(name());
      part.notes.push_back(fields_++);
      want(':');
      part.parts.push_back(type());
    }
    enclosing_.pop_back();
    if (failed_) return 0;
    part.text = text_.substr(begin, next_ - begin);
    of_.parts[index] = std::move(part);
    return index;
  }

  std::size_t named() {
    const std::size_t begin = next_;
    format_part part;
    // Durations of numbers that are not the usual ones have a name that ends here, or none.
    part.name = name();
    if (!take('<')) {
      const std::optional<std::size_t> bytes = fixed_bytes(part.name);
      if (part.name == "string") {
        part.is = kind::string;
      } else if (bytes) {
        part.size = *bytes;
      } else {
        return fail();
      }
      return add(std::move(part), begin);
    }
    part.is = kind_of(part.name);
    bool counted = false;
    for (bool more = !take('>'); more && !failed_; more = !take('>')) {
      if (!part.parts.empty()) want(',');
      if (part.is == kind::array && part.parts.size() == 1) {
        part.size = static_cast<std::size_t>(number());
        counted = true;
        want('>');
        break;
      }
      part.parts.push_back(type());
    }
    const std::size_t wanted = wanted_parts(part.is);
    if (wanted != 0 && part.parts.size() != wanted) return fail();
    if (part.is == kind::array && !counted) return fail();
    return add(std::move(part), begin);
  }

  static kind kind_of(std::string_view name) {
    if (name == "optional") return kind::optional;
    if (name == "vector" || name == "set") return kind::sequence;
    if (name == "map") return kind::map;
    if (name == "array") return kind::array;
    if (name == "variant") return kind::variant;
    return kind::product;
  }
  static std::size_t wanted_parts(kind of) {
    if (of == kind::map) return 2;
    return of == kind::optional || of == kind::sequence || of == kind::array ? 1 : 0;
  }

  std::string_view text_;
  std::size_t next_ = 0;
  std::size_t depth_ = 0;
  bool failed_ = false;
  std::size_t fields_ = 0;
  std::size_t owns_ = 0;
  std::vector<std::size_t> enclosing_;
  parsed_format of_;
};

}  // namespace

absl::StatusOr<parsed_format> parse_format(std::string_view text) {
  return parser(text).parse();
}

}  // namespace freshet::detail
