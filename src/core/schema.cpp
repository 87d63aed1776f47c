// Plans: how bytes of one format are copied into those of another.
#include <freshet/core/schema.hpp>

#include "core/parsed_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

namespace {

using kind = format_part::kind;

constexpr std::size_t none = static_cast<std::size_t>(-1);

/// Steps inside each other. Values nest to `nesting_max` containers at most, with a step or two
/// between one and the next; a hostile format may nest without any container.
constexpr std::size_t steps_max = 4 * nesting_max;

/// One step of a plan. Its parts are those of what was written.
struct step {
  kind is = kind::fixed;
  std::size_t size = 0;
  std::vector<std::size_t> parts = {};
  std::string_view from = {};  ///< A number that becomes a wider one.
  std::string_view to = {};
  // Of records.
  std::vector<std::size_t> places = {};  ///< By field: its place among those wanted; or none.
  std::vector<std::string> fresh = {};   ///< By wanted field: what it is where there is none.
  bool in_order = true;       ///< The fields that stay come in the order in which they were.
  bool from_nothing = false;  ///< What was written has no fields: one byte.
};

}  // namespace

class conversion_plan {
 public:
  std::vector<step> steps;
  std::size_t root = 0;
  std::string written;  ///< What the steps view.
  std::string wanted;

  /// Copies what `index` says from `reader`; skips it when `out` is null.
  bool run(std::size_t index, byte_reader& reader, std::string* out, std::size_t depth) const;

 private:
  bool run_elements(const step& at, byte_reader& reader, std::string* out, std::size_t depth) const;
  bool run_record(const step& at, byte_reader& reader, std::string* out, std::size_t depth) const;
  static bool copy(byte_reader& reader, std::size_t size, std::string* out) {
    std::string_view bytes;
    if (!reader.read_bytes(size, bytes)) return false;
    if (out != nullptr) out->append(bytes);
    return true;
  }
};

namespace {

void put_count(std::string* out, std::uint64_t count) {
  if (out == nullptr) return;
  byte_writer writer(*out);
  writer.write_count(count);
}

/// Reads a number as a `Narrow` and writes it in `to_bytes` bytes.
template <class Narrow, class Wide>
bool widen_as(byte_reader& reader, std::size_t to_bytes, std::string* out) {
  Narrow value{};
  if (!reader.read_fixed(value)) return false;
  if (out == nullptr) return true;
  byte_writer writer(*out);
  const Wide wide = static_cast<Wide>(value);
  if constexpr (std::is_floating_point_v<Wide>) {
    writer.write_fixed(wide);
  } else {
    for (std::size_t byte = 0; byte < to_bytes; ++byte) {
      writer.write_byte(static_cast<std::uint8_t>(static_cast<std::uint64_t>(wide) >> (8 * byte)));
    }
  }
  return true;
}

std::size_t bytes_of_number(std::string_view name) {
  return name.ends_with("64") ? 8 : name.ends_with("32") ? 4 : name.ends_with("16") ? 2 : 1;
}

bool widen(const step& at, byte_reader& reader, std::string* out) {
  const std::size_t to = bytes_of_number(at.to);
  if (at.from == "f32") return widen_as<float, double>(reader, to, out);
  const bool with_sign = at.from.front() == 'i';
  switch (bytes_of_number(at.from)) {
    case 1:
      return with_sign ? widen_as<std::int8_t, std::int64_t>(reader, to, out)
                       : widen_as<std::uint8_t, std::uint64_t>(reader, to, out);
    case 2:
      return with_sign ? widen_as<std::int16_t, std::int64_t>(reader, to, out)
                       : widen_as<std::uint16_t, std::uint64_t>(reader, to, out);
    default:
      return with_sign ? widen_as<std::int32_t, std::int64_t>(reader, to, out)
                       : widen_as<std::uint32_t, std::uint64_t>(reader, to, out);
  }
}

/// Whether every value of the number `from` is one of `to`, too.
bool widens(std::string_view from, std::string_view to) {
  const auto is_number = [](std::string_view name) {
    return name.size() >= 2 && name.size() <= 3 &&
           (name[0] == 'i' || name[0] == 'u' || name[0] == 'f') && name[1] >= '0' && name[1] <= '9';
  };
  if (!is_number(from) || !is_number(to)) return false;
  if (bytes_of_number(from) >= bytes_of_number(to)) return false;
  return from[0] == to[0] || (from[0] == 'u' && to[0] == 'i');
}

}  // namespace

bool conversion_plan::run(std::size_t index, byte_reader& reader, std::string* out,
                          std::size_t depth) const {
  if (depth == 0) return reader.fail("a value nested too deep found");
  const step& at = steps[index];
  switch (at.is) {
    case kind::fixed:
      return at.from.empty() ? copy(reader, at.size, out) : widen(at, reader, out);
    case kind::own: {
      std::uint64_t version = 0;
      if (!reader.read_count(version)) return false;
      put_count(out, version);
      [[fallthrough]];
    }
    case kind::string: {
      std::size_t size = 0;
      if (!reader.read_size(size)) return false;
      put_count(out, size);
      return copy(reader, size, out);
    }
    case kind::optional: {
      std::uint8_t flag = 0;
      if (!reader.read_byte(flag)) return false;
      if (flag > 1) return reader.fail(fmt::format("flag {} found, 0 or 1 wanted", flag));
      if (out != nullptr) out->push_back(static_cast<char>(flag));
      return flag == 0 || run(at.parts[0], reader, out, depth - 1);
    }
    case kind::variant: {
      std::uint64_t chosen = 0;
      if (!reader.read_count(chosen)) return false;
      if (chosen >= at.parts.size()) {
        return reader.fail(
            fmt::format("alternative {} found, one below {} wanted", chosen, at.parts.size()));
      }
      put_count(out, chosen);
      return run(at.parts[static_cast<std::size_t>(chosen)], reader, out, depth - 1);
    }
    case kind::record:
      return run_record(at, reader, out, depth - 1);
    case kind::product:
      if (at.parts.empty()) return copy(reader, 1, out);
      return std::all_of(at.parts.begin(), at.parts.end(),
                         [&](std::size_t part) { return run(part, reader, out, depth - 1); });
    default:
      return run_elements(at, reader, out, depth - 1);
  }
}

bool conversion_plan::run_elements(const step& at, byte_reader& reader, std::string* out,
                                   std::size_t depth) const {
  const step& first = steps[at.parts[0]];
  const bool block = first.is == kind::fixed && first.from.empty() && at.is != kind::map;
  std::size_t count = at.size;
  if (at.is == kind::array) {
    if (count == 0) return copy(reader, 1, out);
    if (block && count > reader.remaining() / first.size) {
      return reader.fail(fmt::format("bytes left {} for {} elements", reader.remaining(), count));
    }
  } else {
    if (!reader.read_size(count, block ? first.size : 1)) return false;
    put_count(out, count);
  }
  if (block) return copy(reader, count * first.size, out);
  for (std::size_t element = 0; element < count; ++element) {
    for (const std::size_t part : at.parts) {
      if (!run(part, reader, out, depth)) return false;
    }
  }
  return true;
}

bool conversion_plan::run_record(const step& at, byte_reader& reader, std::string* out,
                                 std::size_t depth) const {
  if (at.from_nothing && !copy(reader, 1, nullptr)) return false;
  const std::size_t begin = out == nullptr ? 0 : out->size();
  std::size_t next = 0;  // In order: the wanted field that comes next.
  std::vector<std::pair<std::size_t, std::size_t>> pieces;  // Else: where each has come to stand.
  if (!at.in_order) pieces.resize(at.fresh.size(), {none, 0});
  for (std::size_t field = 0; field < at.parts.size(); ++field) {
    const std::size_t place = at.places[field];
    std::string* const to = place == none ? nullptr : out;
    if (to != nullptr && at.in_order) {
      for (; next < place; ++next) to->append(at.fresh[next]);
      ++next;
    }
    const std::size_t before = to == nullptr ? 0 : to->size();
    if (!run(at.parts[field], reader, to, depth)) return false;
    if (to != nullptr && !at.in_order) pieces[place] = {before, to->size() - before};
  }
  if (out == nullptr) return true;
  if (at.fresh.empty()) {
    out->push_back('\0');
  } else if (at.in_order) {
    for (; next < at.fresh.size(); ++next) out->append(at.fresh[next]);
  } else {
    std::string ordered;
    for (std::size_t place = 0; place < pieces.size(); ++place) {
      const auto& [from, size] = pieces[place];
      ordered.append(from == none ? std::string_view(at.fresh[place])
                                  : std::string_view(*out).substr(from, size));
    }
    out->resize(begin);
    out->append(ordered);
  }
  return true;
}

namespace {

/// Makes the plan. Where there is nothing wanted, it walks through what was written.
class planner {
 public:
  planner(conversion_plan& plan, const parsed_format& written, const parsed_format* wanted,
          const value_schema* notes)
      : plan_(plan), written_(written), wanted_(wanted), notes_(notes) {}

  std::string make() {
    plan_.root = compile(written_.root, wanted_ == nullptr ? none : wanted_->root);
    return std::move(wrong_);
  }

 private:
  std::size_t compile(std::size_t from, std::size_t to) {
    if (!wrong_.empty()) return 0;
    const auto [found, fresh] = known_.emplace(std::pair(from, to), plan_.steps.size());
    if (!fresh) return found->second;
    const std::size_t index = found->second;
    plan_.steps.emplace_back();
    step made =
        to == none ? walk(written_.parts[from]) : convert(written_.parts[from], wanted_->parts[to]);
    plan_.steps[index] = std::move(made);
    return index;
  }

  step walk(const format_part& from) {
    step made{.is = from.is, .size = from.size};
    for (const std::size_t part : from.parts) made.parts.push_back(compile(part, none));
    if (from.is == kind::record) {
      made.from_nothing = from.parts.empty();
      for (std::size_t field = 0; field < from.parts.size(); ++field) made.places.push_back(field);
      made.fresh.resize(from.parts.size());
    }
    return made;
  }

  step convert(const format_part& from, const format_part& to) {
    const auto may_have_fields = [](const format_part& part) {
      return part.is == kind::record || part.name == "empty";
    };
    if (may_have_fields(from) && may_have_fields(to)) return convert_record(from, to);
    if (widens(from.name, to.name)) return {.size = from.size, .from = from.name, .to = to.name};
    step made{.is = from.is, .size = from.size};
    if (from.is != to.is || from.name != to.name || from.size != to.size) {
      fail(from, to);
      return made;
    }
    if (from.is == kind::own) check_version(from, to);
    if (from.name == "set" || from.is == kind::map) check_key(from, to);
    if (from.is == kind::variant) check_alternatives(from, to);
    if (from.is != kind::variant && from.parts.size() != to.parts.size()) fail(from, to);
    for (std::size_t part = 0; part < from.parts.size() && wrong_.empty(); ++part) {
      made.parts.push_back(compile(from.parts[part], to.parts[part]));
    }
    return made;
  }

  /// The field of `from` that is field `field` of `to`; or none.
  std::size_t origin_of(const format_part& from, const format_part& to, std::size_t field) const {
    const auto find = [&](std::string_view name) {
      const auto found = std::find(from.fields.begin(), from.fields.end(), name);
      return found == from.fields.end() ? none
                                        : static_cast<std::size_t>(found - from.fields.begin());
    };
    std::size_t origin = find(to.fields[field]);
    if (origin != none) return origin;
    for (const std::string& former : notes_->fields[to.notes[field]].former) {
      const bool taken = std::find(to.fields.begin(), to.fields.end(), former) != to.fields.end();
      if (!taken) origin = find(former);
      if (origin != none) return origin;
    }
    return none;
  }

  step convert_record(const format_part& from, const format_part& to) {
    step made{.is = kind::record};
    made.from_nothing = from.parts.empty();
    made.places.assign(from.parts.size(), none);
    std::size_t common = 0;
    std::size_t last = 0;
    for (std::size_t field = 0; field < to.parts.size(); ++field) {
      made.fresh.push_back(notes_->fields[to.notes[field]].fresh);
      const std::size_t origin = origin_of(from, to, field);
      if (origin == none || made.places[origin] != none) continue;
      made.places[origin] = field;
      made.in_order &= common++ == 0 || origin > last;
      last = origin;
    }
    if (common == 0 && !from.parts.empty() && !to.parts.empty()) {
      fail(from, to, "no field of the one is a field of the other");
    }
    for (std::size_t field = 0; field < from.parts.size(); ++field) {
      const std::size_t place = made.places[field];
      if (place != none) path_.push_back(to.fields[place]);
      made.parts.push_back(compile(from.parts[field], place == none ? none : to.parts[place]));
      if (place != none && wrong_.empty()) path_.pop_back();
    }
    return made;
  }

  void check_version(const format_part& from, const format_part& to) {
    if (from.version > to.version) {
      fail(from, to, "it was written by a newer codec");
    } else if (from.version < notes_->oldest_versions[to.own_number]) {
      fail(from, to,
           "its codec does not read that version; give it decode(reader, value, version)");
    }
  }

  /// Keys that were different must stay so.
  void check_key(const format_part& from, const format_part& to) {
    const format_part& before = written_.parts[from.parts[0]];
    const format_part& now = wanted_->parts[to.parts[0]];
    const bool refers = before.text.find('^') != std::string_view::npos;
    if (before.text != now.text || refers) {
      fail(before, now, "keys of maps and elements of sets cannot change");
    }
  }

  void check_alternatives(const format_part& from, const format_part& to) {
    if (from.parts.size() > to.parts.size()) fail(from, to, "an alternative is gone");
    for (std::size_t i = 0; i < from.parts.size() && wrong_.empty(); ++i) {
      const std::string_view before = written_.parts[from.parts[i]].text;
      if (before == wanted_->parts[to.parts[i]].text) continue;
      for (const std::size_t other : to.parts) {
        if (wanted_->parts[other].text == before) fail(from, to, "alternatives changed places");
      }
    }
  }

  void fail(const format_part& from, const format_part& to, std::string_view why = {}) {
    if (!wrong_.empty()) return;
    std::string place;
    for (const std::string_view each : path_) {
      if (!place.empty()) place += '.';
      place += each;
    }
    place = place.empty() ? "it" : "field '" + place + "'";
    wrong_ = fmt::format("{} was {}, is {} now{}{}", place, from.text, to.text,
                         why.empty() ? "" : ": ", why);
  }

  conversion_plan& plan_;
  const parsed_format& written_;
  const parsed_format* wanted_;
  const value_schema* notes_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> known_;
  std::vector<std::string_view> path_;
  std::string wrong_;
};

}  // namespace

}  // namespace detail

absl::StatusOr<value_converter> value_converter::make(std::string_view written,
                                                      const value_schema& wanted) {
  // What refers to a struct around it is compared by its text alone, which is no proof but here.
  if (written == wanted.text) return of(written);
  const auto plan = std::make_shared<detail::conversion_plan>();
  plan->written = written;
  plan->wanted = wanted.text;
  const auto from = detail::parse_format(plan->written);
  if (!from.ok()) return from.status();
  const auto to = detail::parse_format(plan->wanted);
  if (!to.ok()) return to.status();
  const std::string wrong = detail::planner(*plan, *from, &*to, &wanted).make();
  if (!wrong.empty()) return absl::FailedPreconditionError(wrong);
  return value_converter(plan, false);
}

absl::StatusOr<value_converter> value_converter::of(std::string_view format) {
  const auto plan = std::make_shared<detail::conversion_plan>();
  plan->written = format;
  const auto from = detail::parse_format(plan->written);
  if (!from.ok()) return from.status();
  (void)detail::planner(*plan, *from, nullptr, nullptr).make();
  return value_converter(plan, true);
}

absl::StatusOr<std::string> value_converter::convert(std::string_view bytes) const {
  byte_reader reader(bytes);
  std::string out;
  out.reserve(bytes.size());
  if (plan_->run(plan_->root, reader, &out, detail::steps_max) && reader.remaining() > 0) {
    reader.fail(fmt::format("bytes after the value {}, wanted 0", reader.remaining()));
  }
  if (!reader.ok()) return reader.status();
  return out;
}

}  // namespace freshet
