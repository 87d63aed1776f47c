// One file that is published exactly once, whatever its format: rows become text, a committed file
// takes it.
//
// A format has `header()`, the first line of a file or nothing, and `append(row, out)`, which adds
// the row's line with its end. Threads: one at a time. Memory: the text of a batch, and 256 KiB.
#pragma once

#include <freshet/connectors/detail/committed_file.hpp>
#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Format>
class file_sink final : public sink<T> {
 public:
  /// \param place  what error messages begin with, as `csv::write 'a.csv'`.
  file_sink(std::string path, std::string place, Format format)
      : format_(std::move(format)), file_(std::move(path), std::move(place)) {}

  sink_guarantee guarantee() const override { return sink_guarantee::exactly_once; }
  bool can_roll_back() const override { return true; }

  absl::Status start(std::optional<std::string_view> committed) override {
    const absl::StatusOr<bool> fresh = file_.start(committed);
    if (!fresh.ok()) return fresh.status();
    if (!*fresh || format_.header().empty()) return absl::OkStatus();
    return file_.append(format_.header() + '\n');
  }

  absl::Status write(const batch<T>& rows) override {
    lines_.clear();
    for (const T& row : rows.values) format_.append(row, lines_);
    return file_.append(lines_);
  }

  absl::StatusOr<std::string> prepare() override { return file_.prepare(); }

  absl::Status commit(std::string_view token, bool last) override {
    return file_.commit(token, last);
  }

 private:
  Format format_;
  committed_file file_;
  std::string lines_;  // Of one batch; kept for its memory.
};

/// What `write` functions return: a sink that the engine opens. `Writer` has `writer_name`, what
/// messages begin with, `check<T>()`, which stops the compiler at rows that it cannot write, and
/// `format<T>(columns)`.
template <class Writer>
class file_write_description {
 public:
  file_write_description(std::string path, Writer writer)
      : path_(std::move(path)), writer_(std::move(writer)) {}

  /// \param columns the names of the cells; empty means those of `freshet::columns<T>`.
  template <class T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>& columns) const {
    if constexpr (Writer::template check<T>()) {
      auto format = writer_.template format<T>(columns);
      return std::make_unique<file_sink<T, decltype(format)>>(
          path_, std::string(Writer::writer_name) + " '" + path_ + "'", std::move(format));
    } else {
      return absl::InternalError("unreachable");
    }
  }

 private:
  std::string path_;
  Writer writer_;
};

}  // namespace freshet::detail
