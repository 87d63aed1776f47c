// Fuzzes csv::read: any bytes become rows and dead letters, the same ones however they are read.
//
// Each input is read in blocks of several sizes, with limits of 1 and 1,024 records, and in two
// halves with a position between them; reading must end at the end of the file. Records may have 64
// bytes here, so that small inputs reach the limit. The bytes are tried as times, too.
// Threads: one. Memory: in proportion to the input.
#include <freshet/connectors/csv.hpp>
#include <freshet/core/time_text.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace fr = freshet;

namespace {

struct row {
  std::optional<std::string> key;
  std::optional<double> value;
  std::optional<fr::timestamp> at;
  fr::csv::raw_record raw;
};
BOOST_DESCRIBE_STRUCT(row, (), (key, value, at, raw))

void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "csv_fuzz: does not hold: %s\n", sentence);
  std::abort();
}

/// One file for all inputs of this process.
const std::string& path() {
  static const struct holder {
    std::string name = (std::filesystem::temp_directory_path() / "csv_fuzz_XXXXXX").string();
    holder() { ::close(::mkstemp(name.data())); }
    ~holder() { ::unlink(name.c_str()); }
  } made;
  return made.name;
}

struct outcome {
  bool opened = false;
  std::string text;      ///< Rows and dead letters, spelled out.
  std::string position;  ///< After the last read.
};

std::string spelled(const row& each) {
  std::string text = each.raw.text + " key ";
  text += each.key ? "'" + *each.key + "'" : "none";
  text += each.value ? " value " + std::to_string(*each.value) : "";
  text += each.at ? " at " + fr::to_iso_8601(*each.at) : "";
  return text + "\n";
}

/// Rows and dead letters together, in the order in which they stand in the file.
std::string spelled(const fr::batch<row>& rows, const std::vector<fr::dead_letter>& dead) {
  std::string text;
  std::size_t next = 0;
  for (const fr::dead_letter& letter : dead) {
    for (; next < rows.size() && rows.positions[next].sequence < letter.sequence; ++next) {
      text += std::to_string(rows.positions[next].sequence) + " " + spelled(rows.values[next]);
    }
    text += std::to_string(letter.sequence) + " line " + std::to_string(letter.line) + " " +
            letter.reason + ": " + letter.record + "\n";
  }
  for (; next < rows.size(); ++next) {
    text += std::to_string(rows.positions[next].sequence) + " " + spelled(rows.values[next]);
  }
  return text;
}

/// Reads `records` records, in calls of `limit`, from `position` on.
outcome read(bool header, std::size_t block, std::size_t limit, std::size_t records,
             std::optional<std::string> position) {
  outcome result;
  const auto source =
      fr::csv::read<row>(path(), {.header = header, .record_bytes_max = 64, .block_bytes = block})
          .open();
  require(source.ok(), "the file can be opened");
  const auto reader = (*source)->open(0, position);
  if (!reader.ok()) return result;
  result.opened = true;
  fr::batch<row> rows;
  std::vector<fr::dead_letter> dead;
  for (auto state = fr::read_state::more; state == fr::read_state::more && records > 0;) {
    const std::size_t before = rows.size() + dead.size();
    const auto next = (*reader)->read(limit, rows, dead);
    require(next.ok(), "a plain file is read without error");
    require(rows.size() + dead.size() - before <= limit, "a read keeps its limit");
    state = *next;
    records -= rows.size() + dead.size() - before;
  }
  result.text = spelled(rows, dead);
  result.position = (*reader)->position();
  return result;
}

void check(bool header, std::size_t bytes) {
  constexpr auto all = static_cast<std::size_t>(-1);
  const outcome whole = read(header, 4096, 1024, all, std::nullopt);
  for (const std::size_t block : {1U, 7U, 64U}) {
    const outcome again = read(header, block, 1, all, std::nullopt);
    require(again.opened == whole.opened && again.text == whole.text &&
                again.position == whole.position,
            "blocks and limits do not change what is read");
  }
  if (!whole.opened) return;
  const auto end = fr::csv::detail::decode_position(whole.position);
  require(end.has_value() && end->byte == bytes, "reading ends at the end of the file");

  const std::size_t half = 1 + bytes % 5;
  const outcome first = read(header, 4096, 1, half, std::nullopt);
  const outcome rest = read(header, 3, 1024, all, first.position);
  require(rest.opened, "a position that was given out is accepted");
  require(first.text + rest.text == whole.text, "two halves give what the whole gives");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::ofstream file(path(), std::ios::binary);
  file << text;
  file.close();
  require(file.good(), "the input can be written");
  check(true, size);
  check(false, size);

  if (const auto at = fr::parse_iso_8601(text)) {
    require(fr::parse_iso_8601(fr::to_iso_8601(*at)) == at, "a time reads back equal");
  }
  if (const auto length = fr::parse_duration(text)) {
    require(fr::parse_duration(fr::to_text(*length)) == length, "a duration reads back equal");
  }
  static_cast<void>(fr::parse_epoch(text, fr::epoch_unit::seconds));
  static_cast<void>(fr::csv::detail::decode_position(text));
  return 0;
}
