// The sink behind `write_parts`, whatever its format: rows become text, their partition's part
// takes it.
//
// `Writer` and its formats are those of file_sink.hpp, with the parts' `extension` in
// addition. Threads: one at a time. Memory: the text of a batch, and that of
// committed_parts.hpp.
#pragma once

#include <freshet/connectors/detail/committed_parts.hpp>
#include <freshet/connectors/parts.hpp>
#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Format, class Partition>
class parts_sink final : public sink<T> {
 public:
  parts_sink(const std::string& folder, std::string place, std::string extension, Format format,
             Partition partition, roll options)
      : format_(std::move(format)),
        partition_(std::move(partition)),
        parts_(folder, std::move(place), std::move(extension), std::string(format_.header()),
               options) {}

  sink_guarantee guarantee() const override { return sink_guarantee::exactly_once; }
  bool can_roll_back() const override { return true; }

  absl::Status start(std::optional<std::string_view> committed) override {
    return parts_.start(committed);
  }

  absl::Status write(const batch<T>& rows) override {
    // Rows of one partition that follow each other go together, until its part is full.
    lines_.clear();
    std::string current;
    std::uint64_t room = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::string next = partition_of(rows.values[row], row);
      if (row == 0 || next != current || lines_.size() >= room) {
        if (absl::Status done = parts_.append(current, lines_); !done.ok()) return done;
        lines_.clear();
        room = parts_.room(next);
      }
      current = std::move(next);
      format_.append(rows.values[row], lines_);
    }
    return parts_.append(current, lines_);
  }

  absl::StatusOr<std::string> prepare() override { return parts_.prepare(); }
  absl::Status commit(std::string_view token, bool last) override {
    return parts_.commit(token, last);
  }

 private:
  std::string partition_of(const T& row, std::size_t index) {
    try {
      return std::invoke(partition_, row);
    } catch (...) {
      throw row_failure(index);
    }
  }

  Format format_;
  Partition partition_;
  committed_parts parts_;
  std::string lines_;  // Of one partition; kept for its memory.
};

/// Throws `std::invalid_argument` when `options` are unusable.
void check_roll(std::string_view place, const roll& options);

/// What `write_parts` functions return: a sink that the engine opens.
template <class Writer, class Partition>
class parts_description {
 public:
  parts_description(std::string folder, Writer writer, Partition partition, roll options)
      : folder_(std::move(folder)),
        writer_(std::move(writer)),
        partition_(std::move(partition)),
        options_(options) {
    check_roll(place(), options_);
  }

  /// \param columns the names of the cells; empty means those of `freshet::columns<T>`.
  template <class T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>& columns) const {
    constexpr bool has_folder = requires(Partition of, const T& row) {
      { std::invoke(of, row) } -> std::convertible_to<std::string>;
    };
    static_assert(
        has_folder,
        "freshet: write_parts needs a function that gives each row's folder as text; give "
        "daily(&row::at), by_value(\"name\", &row::key), or a lambda");
    if constexpr (has_folder && Writer::template check<T>()) {
      auto format = writer_.template format<T>(columns);
      return std::make_unique<parts_sink<T, decltype(format), Partition>>(
          folder_, place(), std::string(Writer::extension), std::move(format), partition_,
          options_);
    } else {
      return absl::InternalError("unreachable");
    }
  }

 private:
  std::string place() const {
    return std::string(Writer::writer_name) + "_parts '" + folder_ + "'";
  }

  std::string folder_;
  Writer writer_;
  Partition partition_;
  roll options_;
};

}  // namespace freshet::detail
