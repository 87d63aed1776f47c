// What the CSV tests share: a folder that goes away, whole files as text, and reading to the end.
#pragma once

#include "catch.hpp"

#include <freshet/connectors/csv.hpp>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace csv_test {

/// A fresh folder that is removed with its content.
class temporary_folder {
 public:
  temporary_folder() {
    path_ = (std::filesystem::temp_directory_path() / "freshet_csv_XXXXXX").string();
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  /// Writes `text` to the file `name` and returns its path.
  std::string file(const std::string& name, std::string_view text) const {
    std::ofstream(*this / name, std::ios::binary) << text;
    return *this / name;
  }

 private:
  std::string path_;
};

inline std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Everything that one split of a source delivers.
template <class T>
struct delivered {
  std::vector<T> rows;
  std::vector<std::uint64_t> sequences;
  std::vector<freshet::dead_letter> dead;
  std::vector<std::string> positions;  ///< After each call of `read`.
  absl::Status status;
};

/// Reads one split to its end, `limit` records at a time.
template <class Description>
delivered<typename Description::value_type> read_split(
    const Description& from, std::size_t split = 0,
    std::optional<std::string_view> position = std::nullopt, std::size_t limit = 1024) {
  using T = typename Description::value_type;
  delivered<T> all;
  auto source = from.open();
  if (!source.ok()) {
    all.status = source.status();
    return all;
  }
  auto reader = (*source)->open(split, position);
  if (!reader.ok()) {
    all.status = reader.status();
    return all;
  }
  freshet::batch<T> rows;
  for (;;) {
    const auto state = (*reader)->read(limit, rows, all.dead);
    if (!state.ok()) {
      all.status = state.status();
      return all;
    }
    all.positions.push_back((*reader)->position());
    if (*state == freshet::read_state::end) break;
  }
  all.rows = rows.values;
  for (const auto& where : rows.positions) all.sequences.push_back(where.sequence);
  return all;
}

}  // namespace csv_test
