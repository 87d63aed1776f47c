// Training sets: sampled rows in a file, and beside it a manifest that says how they came about.
//
//     const auto sampler = fr::rarity(&payment::fraud, {.rate = 0.4, .seed = 7});
//     payments | fr::sample("training", sampler)
//              | fr::to("training set", fr::training_set::write("training.csv", sampler));
//
//     auto rows = p.from("training set", fr::training_set::read<payment>("training.csv"));
//
// The file has the record's columns, then `probability`, `weight`, `category` and `log_odds`. The
// manifest `training.csv.manifest.json` is a JSON object: the sampler with its parameters and seed,
// rows, columns and their kinds, the range of event times, the first and last sequence of each
// split that a row came from, and for each category how many rows were kept, and how many records
// they stand for (the sum of weights: an estimate without bias, exact for samplers that keep fixed
// numbers per category). The same log, sampler and seed give the same rows again, in any order.
//
// Exactly once, if the file is: what the manifest counts is part of each checkpoint, and it is
// written when the file is complete. Where there is no manifest, the training set is not complete.
// Threads: one at a time. Memory: that of the file's sink or source, and 10,000 categories; the
// rows of further ones are counted together.
#pragma once

#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/detail/training_manifest.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/detail/optional.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::training_set {

/// A row of a training set as it is read: a `T` with what sampling says of it. Member pointers and
/// functions of a `T` work on it.
template <class T>
struct row : T {
  double probability = 1;
  double weight = 1;
  std::string category;
  double log_odds = 0;

  BOOST_DESCRIBE_CLASS(row, (T), (probability, weight, category, log_odds), (), ())
};

/// The format of training sets unless another one is given: CSV.
struct csv_format {
  auto sink(std::string path) const { return csv::write(std::move(path)); }
  template <class Row>
  auto source(std::string path) const {
    return csv::read<Row>(std::move(path));
  }
};

inline std::string manifest_path(const std::string& path) {
  return path + ".manifest.json";
}

namespace detail {

using freshet::detail::training_counts;
using freshet::detail::training_description;

/// What the manifest calls a cell of this type.
template <class Cell>
std::string kind_of() {
  if constexpr (freshet::detail::is_optional<Cell>) {
    return "optional " + kind_of<typename Cell::value_type>();
  } else if constexpr (std::is_same_v<Cell, bool>) {
    return "bool";
  } else if constexpr (std::is_integral_v<Cell> || std::is_enum_v<Cell>) {
    return "integer";
  } else if constexpr (std::is_floating_point_v<Cell>) {
    return "number";
  } else if constexpr (std::is_same_v<Cell, timestamp>) {
    return "time";
  } else {
    return "text";
  }
}

template <class T>
std::vector<std::pair<std::string, std::string>> columns_of(std::vector<std::string> names) {
  if (names.empty()) names = columns<T>::names();
  std::vector<std::pair<std::string, std::string>> all;
  columns<T>::visit(T{}, [&]<class Cell>(const Cell&) {
    if (all.size() < names.size()) all.emplace_back(names[all.size()], kind_of<Cell>());
  });
  return all;
}

template <class T>
class training_sink final : public sink<T> {
 public:
  training_sink(std::unique_ptr<sink<T>> data, std::string path, training_description description)
      : data_(std::move(data)),
        place_("training_set '" + path + "'"),
        manifest_(manifest_path(path)),
        description_(std::move(description)) {}

  sink_guarantee guarantee() const override { return data_->guarantee(); }
  bool can_roll_back() const override { return data_->can_roll_back(); }
  void interrupt() override { data_->interrupt(); }

  absl::Status start(std::optional<std::string_view> committed) override {
    if (!committed) return data_->start(std::nullopt);
    auto parts = freshet::detail::split_token(*committed, place_);
    if (!parts.ok()) return parts.status();
    counts_ = std::move(parts->second);
    return data_->start(parts->first);
  }

  absl::Status write(const batch<T>& rows) override {
    if (absl::Status done = data_->write(rows); !done.ok()) return done;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      counts_.add(rows.values[i].category, rows.values[i].weight, rows.positions[i]);
      if (!rows.times.empty()) counts_.add_time(rows.times[i]);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> prepare() override {
    absl::StatusOr<std::string> token = data_->prepare();
    if (!token.ok()) return token;
    return freshet::detail::join_token(*token, counts_);
  }

  absl::Status commit(std::string_view token, bool last) override {
    const auto parts = freshet::detail::split_token(token, place_);
    if (!parts.ok()) return parts.status();
    if (absl::Status done = data_->commit(parts->first, last); !done.ok() || !last) return done;
    return freshet::detail::write_manifest(
        manifest_, place_, freshet::detail::manifest_text(description_, parts->second));
  }

 private:
  std::unique_ptr<sink<T>> data_;
  std::string place_;
  std::string manifest_;
  training_description description_;
  training_counts counts_;
};

template <class Row>
class training_reader final : public split_reader<Row> {
 public:
  training_reader(std::unique_ptr<split_reader<Row>> data, std::string path, std::uint64_t wanted,
                  std::uint64_t found)
      : data_(std::move(data)), path_(std::move(path)), wanted_(wanted), found_(found) {}

  absl::StatusOr<read_state> read(std::size_t limit, batch<Row>& rows,
                                  std::vector<dead_letter>& dead) override {
    const std::size_t before = rows.size() + dead.size();
    const absl::StatusOr<read_state> state = data_->read(limit, rows, dead);
    if (!state.ok()) return state;
    found_ += rows.size() + dead.size() - before;
    if (*state == read_state::end && found_ != wanted_) {
      return absl::DataLossError("training_set '" + path_ + "': found " + std::to_string(found_) +
                                 " rows, wanted the " + std::to_string(wanted_) +
                                 " of its manifest; make it again from its log");
    }
    return state;
  }
  std::string position() const override {
    return freshet::detail::join_position(found_, data_->position());
  }
  void committed(std::string_view position) override {
    if (const auto parts = freshet::detail::split_position(position)) {
      data_->committed(parts->second);
    }
  }
  std::uint64_t dropped() const override { return data_->dropped(); }
  std::uint64_t bytes_read() const override { return data_->bytes_read(); }

 private:
  std::unique_ptr<split_reader<Row>> data_;
  std::string path_;
  std::uint64_t wanted_;
  std::uint64_t found_;
};

template <class Row>
class training_source final : public source<Row> {
 public:
  training_source(std::unique_ptr<source<Row>> data, std::string path, std::uint64_t rows)
      : data_(std::move(data)), path_(std::move(path)), rows_(rows) {}

  std::vector<std::string> splits() const override { return data_->splits(); }
  bool replayable() const override { return data_->replayable(); }

  absl::StatusOr<std::unique_ptr<split_reader<Row>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    std::uint64_t found = 0;
    if (position) {
      const auto parts = freshet::detail::split_position(*position);
      if (!parts)
        return absl::DataLossError("training_set '" + path_ + "': it has no such position");
      found = parts->first;
      position = parts->second;
    }
    auto data = data_->open(split, position);
    if (!data.ok()) return data.status();
    return std::make_unique<training_reader<Row>>(*std::move(data), path_, rows_, found);
  }

 private:
  std::unique_ptr<source<Row>> data_;
  std::string path_;
  std::uint64_t rows_;
};

}  // namespace detail

/// What `write` returns: a sink that the engine opens.
template <class Format>
class write_description {
 public:
  write_description(std::string path, std::string sampler, Format format)
      : path_(std::move(path)), sampler_(std::move(sampler)), format_(std::move(format)) {}

  template <class T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>& names) const {
    static_assert(
        is_sampled<T>,
        "freshet: training_set::write takes the rows of sample(...); put sample above it");
    if constexpr (is_sampled<T>) {
      auto data = format_.sink(path_).template open<T>(names);
      if (!data.ok()) return data.status();
      return std::make_unique<detail::training_sink<T>>(
          *std::move(data), path_,
          detail::training_description{sampler_, detail::columns_of<T>(names)});
    } else {
      return absl::InternalError("unreachable");
    }
  }

 private:
  std::string path_;
  std::string sampler_;
  Format format_;
};

/// What `read` returns: a source that the engine opens.
template <class T, class Format>
class read_description {
 public:
  using value_type = row<T>;

  read_description(std::string path, Format format)
      : path_(std::move(path)), format_(std::move(format)) {}

  absl::StatusOr<std::unique_ptr<source<value_type>>> open() const {
    const absl::StatusOr<std::uint64_t> rows = freshet::detail::manifest_rows(manifest_path(path_));
    if (!rows.ok()) return rows.status();
    auto data = format_.template source<value_type>(path_).open();
    if (!data.ok()) return data.status();
    return std::make_unique<detail::training_source<value_type>>(*std::move(data), path_, *rows);
  }
  std::string describe() const {
    return "training_set of " + format_.template source<value_type>(path_).describe();
  }

 private:
  std::string path_;
  Format format_;
};

/// Writes sampled rows to the file `path`, and a manifest beside it when the file is complete.
/// `sampler` is the one that the rows come from: its description goes into the manifest. `format`
/// makes the sink of the file, as `csv_format::sink` does.
template <class Sampler, class Format = csv_format>
write_description<Format> write(std::string path, const Sampler& sampler, Format format = {}) {
  return {std::move(path), std::string(sampler.describe()), std::move(format)};
}

/// Reads a training set that is complete, as rows `row<T>`. `T` is a described struct: its members
/// are matched with columns by name, so that a struct with features is filled from what windows
/// computed. `format` makes the source of the file, as `csv_format::source` does. Ends the job
/// with `DataLoss` when the file has more or fewer rows than its manifest says.
template <class T, class Format = csv_format>
read_description<T, Format> read(std::string path, Format format = {}) {
  return {std::move(path), std::move(format)};
}

}  // namespace freshet::training_set

namespace freshet {

/// Rows of a training set are a sample: aggregates over them have to honour `weight`.
template <class T>
inline constexpr bool is_sampled<training_set::row<T>> = true;

}  // namespace freshet
