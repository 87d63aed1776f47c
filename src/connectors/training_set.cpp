// The manifest of a training set: its text, and what is read of it.
#include <freshet/connectors/detail/committed_file.hpp>
#include <freshet/connectors/detail/training_manifest.hpp>
#include <freshet/core/time_text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <iterator>

namespace freshet::detail {
namespace {

/// A JSON string. Bytes that are no UTF-8 stay as they are.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') out += '\\';
    if (static_cast<unsigned char>(each) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(each));
    } else {
      out += each;
    }
  }
  out += '"';
  return out;
}

std::string time_or_null(const std::optional<timestamp>& at) {
  return at ? quoted(to_iso_8601(*at)) : "null";
}

/// Twelve digits: sums of doubles that came in another order may differ beyond.
std::string category_text(const std::string& name, const training_category& of) {
  return fmt::format(R"({{"category": {}, "kept": {}, "seen_estimated": {:.12g}}})", name, of.kept,
                     of.weight);
}

/// The lines of an array, with commas.
std::string array_of(const std::vector<std::string>& lines) {
  return lines.empty() ? "[]" : fmt::format("[\n    {}\n  ]", fmt::join(lines, ",\n    "));
}

constexpr std::string_view kind_line = "{\n  \"freshet\": \"training set 1\",\n  \"rows\": ";

template <class Number>
bool parse_whole(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void training_counts::add(const std::string& category, double weight, const position& where) {
  ++rows;
  auto found = categories.find(category);
  if (found == categories.end() && categories.size() < categories_max) {
    found = categories.emplace(category, training_category{}).first;
  }
  training_category& of = found != categories.end() ? found->second : others;
  ++of.kept;
  of.weight += weight;
  const auto [split, fresh] = splits.emplace(where.split, training_split{});
  training_split& range = split->second;
  range.first = fresh ? where.sequence : std::min(range.first, where.sequence);
  range.last = std::max(range.last, where.sequence);
}

void training_counts::add_time(timestamp at) {
  first = std::min(at, first.value_or(at));
  last = std::max(at, last.value_or(at));
}

std::string manifest_text(const training_description& of, const training_counts& counts) {
  std::vector<std::string> columns, splits, categories;
  for (const auto& [name, kind] : of.columns) {
    columns.push_back(fmt::format(R"({{"name": {}, "kind": {}}})", quoted(name), quoted(kind)));
  }
  for (const auto& [split, range] : counts.splits) {
    splits.push_back(fmt::format(R"({{"split": {}, "first_sequence": {}, "last_sequence": {}}})",
                                 split, range.first, range.last));
  }
  for (const auto& [name, category] : counts.categories) {
    categories.push_back(category_text(quoted(name), category));
  }
  if (counts.others.kept > 0) categories.push_back(category_text("null", counts.others));
  return fmt::format(
      "{}{},\n  \"sampler\": {},\n  \"first_event_time\": {},\n  \"last_event_time\": {},\n"
      "  \"columns\": {},\n  \"positions\": {},\n  \"categories\": {}\n}}\n",
      kind_line, counts.rows, quoted(of.sampler), time_or_null(counts.first),
      time_or_null(counts.last), array_of(columns), array_of(splits), array_of(categories));
}

absl::StatusOr<std::uint64_t> manifest_rows(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(fmt::format(
        "training_set manifest '{}': cannot open; it is written when the job that makes the "
        "training set has ended",
        path));
  }
  std::string head(kind_line.size() + 24, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  std::uint64_t rows = 0;
  const std::size_t end = head.find(',', kind_line.size());
  if (!std::string_view(head).starts_with(kind_line) || end == std::string::npos ||
      !parse_whole(std::string_view(head).substr(kind_line.size(), end - kind_line.size()), rows)) {
    return absl::DataLossError(fmt::format(
        "training_set manifest '{}': it does not begin as a manifest of version 1 does; give the "
        "path of the training set's file",
        path));
  }
  return rows;
}

std::string join_token(std::string_view data, const training_counts& counts) {
  return to_bytes(std::pair<std::string, training_counts>(data, counts));
}

absl::StatusOr<std::pair<std::string, training_counts>> split_token(std::string_view token,
                                                                    const std::string& place) {
  auto parts = from_bytes<std::pair<std::string, training_counts>>(token);
  if (parts.ok()) return parts;
  return absl::DataLossError(place + ": the checkpoint's token is not one of a training set");
}

absl::Status write_manifest(const std::string& path, const std::string& place,
                            const std::string& text) {
  committed_file file(path, place);
  if (const auto fresh = file.start(std::nullopt); !fresh.ok()) return fresh.status();
  if (absl::Status done = file.append(text); !done.ok()) return done;
  const absl::StatusOr<std::string> token = file.prepare();
  if (!token.ok()) return token.status();
  return file.commit(*token, true);
}

std::string join_position(std::uint64_t count, std::string_view position) {
  return fmt::format("{}:{}", count, position);
}

std::optional<std::pair<std::uint64_t, std::string_view>> split_position(std::string_view joined) {
  const std::size_t colon = joined.find(':');
  std::uint64_t count = 0;
  if (colon == std::string_view::npos || !parse_whole(joined.substr(0, colon), count)) {
    return std::nullopt;
  }
  return std::pair(count, joined.substr(colon + 1));
}

}  // namespace freshet::detail
