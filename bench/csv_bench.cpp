// How fast CSV and JSON Lines are read into a struct of four fields, and written again, in bytes of
// text per second of CPU time on one core.
//
// The input, 64 MiB of payments for each form of time, is generated from a fixed seed into a
// temporary folder, so it comes from the page cache. Each reading checks its sums against those of
// the generator: a reader that skips work does not get a figure.
//
//     csv_bench --benchmark_filter=read
#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/jsonl.hpp>
#include <freshet/core/time.hpp>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fr = freshet;

namespace {

struct payment {
  std::string card;
  double amount = 0;
  std::int64_t items = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, items, at))

struct totals {
  std::uint64_t rows = 0;
  std::uint64_t card_bytes = 0;
  double amount = 0;
  std::int64_t items = 0;
  std::int64_t times = 0;

  bool operator==(const totals&) const = default;

  void add(const payment& row) {
    ++rows;
    card_bytes += row.card.size();
    amount += row.amount;
    items += row.items;
    times += row.at.time_since_epoch().count() % 1'000'003;
  }
};

struct input {
  std::string path;
  std::uint64_t bytes = 0;
  totals expected;
};

/// A folder that goes away with the process.
const std::filesystem::path& folder() {
  static const struct holder {
    std::filesystem::path path;
    holder() {
      std::string name = (std::filesystem::temp_directory_path() / "csv_bench_XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr) std::abort();
      path = name;
    }
    ~holder() { std::filesystem::remove_all(path); }
  } made;
  return made.path;
}

using fr::csv::timestamp_format;
enum class kind { csv, jsonl };

std::string time_text(const payment& row, timestamp_format format) {
  return format == timestamp_format::iso ? fr::to_iso_8601(row.at)
                                         : std::to_string(row.at.time_since_epoch().count());
}

std::string line_of(const payment& row, kind of, timestamp_format format) {
  const std::string at = time_text(row, format);
  if (of == kind::csv) return fmt::format("{},{},{},{}\n", row.card, row.amount, row.items, at);
  const char* const quote = format == timestamp_format::iso ? "\"" : "";
  return fmt::format("{{\"card\":\"{}\",\"amount\":{},\"items\":{},\"at\":{}{}{}}}\n", row.card,
                     row.amount, row.items, quote, at, quote);
}

const input& payments(kind of, timestamp_format format) {
  static std::map<std::pair<kind, timestamp_format>, input> made;
  const auto [entry, fresh] = made.try_emplace({of, format});
  input& result = entry->second;
  if (!fresh) return result;
  result.path = (folder() / std::to_string(made.size())).string();
  std::string text = of == kind::csv ? "card,amount,items,at\n" : "";
  text.reserve((std::size_t{64} << 20U) + 200);
  std::mt19937_64 random(1);
  std::int64_t at = 1'372'930'200'000'000;
  while (text.size() < std::size_t{64} << 20U) {
    at += static_cast<std::int64_t>(random() % 2'000) * 1'000;
    const payment row{fmt::format("card-{:06}", random() % 100'000),
                      static_cast<double>(random() % 1'000'000) / 100,
                      static_cast<std::int64_t>(random() % 12), fr::timestamp{fr::duration{at}}};
    text += line_of(row, of, format);
    result.expected.add(row);
  }
  result.bytes = text.size();
  std::ofstream(result.path, std::ios::binary) << text;
  return result;
}

void read_all(benchmark::State& state, const auto& description, const input& from) {
  for (auto _ : state) {
    auto opened = description.open();
    auto reader = opened.value()->open(0, std::nullopt);
    fr::batch<payment> rows;
    std::vector<fr::dead_letter> dead;
    totals found;
    for (auto more = fr::read_state::more; more == fr::read_state::more;) {
      rows.clear();
      more = reader.value()->read(fr::batch_rows_max, rows, dead).value();
      for (const payment& row : rows.values) found.add(row);
    }
    if (!dead.empty() || !(found == from.expected)) {
      state.SkipWithError("the rows read are not those generated");
      return;
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(from.bytes));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(from.expected.rows));
}

void read_csv(benchmark::State& state, timestamp_format format) {
  const input& from = payments(kind::csv, format);
  read_all(state, fr::csv::read<payment>(from.path, {.time_format = format}), from);
}

void read_jsonl(benchmark::State& state, timestamp_format format) {
  const input& from = payments(kind::jsonl, format);
  read_all(state, fr::jsonl::read<payment>(from.path, {.time_format = format}), from);
}

void write_all(benchmark::State& state, const std::string& path, const auto& description) {
  fr::batch<payment> rows;
  std::mt19937_64 random(2);
  for (std::size_t row = 0; row < fr::batch_rows_max; ++row) {
    const auto at = static_cast<std::int64_t>(1'372'930'200'000'000 + random() % 1'000'000);
    rows.values.push_back({fmt::format("card-{:06}", random() % 100'000),
                           static_cast<double>(random() % 1'000'000) / 100,
                           static_cast<std::int64_t>(random() % 12),
                           fr::timestamp{fr::duration{at}}});
  }
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    auto sink = description.template open<payment>({});
    absl::Status status = sink.value()->start(std::nullopt);
    for (int round = 0; round < 200 && status.ok(); ++round) status = sink.value()->write(rows);
    const auto token = sink.value()->prepare();
    if (!status.ok() || !token.ok() || !sink.value()->commit(*token, true).ok()) {
      state.SkipWithError("cannot write");
      return;
    }
    bytes += std::filesystem::file_size(path);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void write_csv(benchmark::State& state, timestamp_format format) {
  const std::string path = (folder() / "written.csv").string();
  write_all(state, path, fr::csv::write(path, {.time_format = format}));
}

void write_jsonl(benchmark::State& state, timestamp_format format) {
  const std::string path = (folder() / "written.jsonl").string();
  write_all(state, path, fr::jsonl::write(path, {.time_format = format}));
}

BENCHMARK_CAPTURE(read_csv, epoch_us, timestamp_format::epoch_us)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_csv, iso, timestamp_format::iso)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_jsonl, epoch_us, timestamp_format::epoch_us)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_jsonl, iso, timestamp_format::iso)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_csv, epoch_us, timestamp_format::epoch_us)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_csv, iso, timestamp_format::iso)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_jsonl, epoch_us, timestamp_format::epoch_us)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_jsonl, iso, timestamp_format::iso)->Unit(benchmark::kMillisecond);

}  // namespace
