// A source that computes its records: for load, simulation, and examples.
//
// One split; sequence = the counter. Replayable, because record k is a function of k alone.
#pragma once

#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/statusor.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

struct generate_options {
  /// How many records there are; the end of input follows.
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  /// Records per second of processing time at most. Zero: as fast as the pipeline takes them.
  double rate_per_second = 0;
};

namespace detail {

template <class F>
class generate_source final
    : public source<std::remove_cvref_t<std::invoke_result_t<F&, std::uint64_t>>> {
 public:
  using row = std::remove_cvref_t<std::invoke_result_t<F&, std::uint64_t>>;

  generate_source(F f, generate_options options) : f_(std::move(f)), options_(options) {}

  std::vector<std::string> splits() const override { return {"generated"}; }

  bool bounded() const override {
    return options_.count != std::numeric_limits<std::uint64_t>::max();
  }

  absl::StatusOr<std::unique_ptr<split_reader<row>>> open(
      std::size_t, std::optional<std::string_view> position) override {
    const std::optional<std::uint64_t> next = position ? parse_count(*position) : 0;
    if (!next || *next > options_.count) {
      return absl::DataLossError("generate: the checkpoint is at a position beyond .count " +
                                 std::to_string(options_.count) + "; give the same count");
    }
    return std::make_unique<reader>(f_, options_, *next);
  }

 private:
  class reader final : public split_reader<row> {
   public:
    reader(F f, generate_options options, std::uint64_t next)
        : f_(std::move(f)), options_(options), first_(next), next_(next) {}

    absl::StatusOr<read_state> read(std::size_t limit, batch<row>& rows,
                                    std::vector<dead_letter>&) override {
      std::uint64_t end = next_ + std::min<std::uint64_t>(limit, options_.count - next_);
      if (options_.rate_per_second > 0) end = std::min(end, due());
      append(rows, end);
      if (next_ == options_.count) return read_state::end;
      return options_.rate_per_second > 0 && next_ == due() ? read_state::idle : read_state::more;
    }

    std::string position() const override { return std::to_string(next_); }

    std::optional<duration> ask_again() const override {
      if (options_.rate_per_second <= 0) return std::nullopt;
      // No clock counts further than a century ahead, however low the rate.
      constexpr double century_seconds = 3e9;
      const double ahead = std::min(
          static_cast<double>(next_ + 1 - first_) / options_.rate_per_second, century_seconds);
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
      return std::chrono::ceil<duration>(std::chrono::duration<double>(ahead) - passed);
    }

   private:
    /// The records before number `end`. Those that can be made in their place are.
    void append(batch<row>& rows, std::uint64_t end) {
      if constexpr (std::is_trivially_copyable_v<row> && std::is_default_constructible_v<row>) {
        const std::size_t first = rows.size();
        const std::uint64_t begin = next_;
        const auto count = static_cast<std::size_t>(end - begin);
        rows.values.resize(first + count);
        rows.positions.resize(first + count);
        for (std::size_t i = 0; i < count; ++i) rows.positions[first + i] = {begin + i, 0, 0};
        try {
          for (; next_ < end; ++next_)
            rows.values[first + (next_ - begin)] = std::invoke(f_, next_);
        } catch (...) {
          rows.values.resize(first + (next_ - begin));
          rows.positions.resize(first + (next_ - begin));
          throw;
        }
      } else {
        for (; next_ < end; ++next_) {
          rows.values.push_back(std::invoke(f_, next_));
          rows.positions.push_back({next_, 0, 0});
        }
      }
    }
    /// The counter up to which records may be out by now.
    std::uint64_t due() const {
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
      const double allowed = std::floor(passed.count() * options_.rate_per_second);
      const auto room = static_cast<double>(options_.count - first_);
      if (allowed >= room) return options_.count;
      return std::max(next_, first_ + static_cast<std::uint64_t>(allowed));
    }

    F f_;
    generate_options options_;
    std::uint64_t first_;
    std::uint64_t next_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  };

  F f_;
  generate_options options_;
};

template <class F>
struct generate_description {
  using value_type = std::remove_cvref_t<std::invoke_result_t<F&, std::uint64_t>>;
  F f;
  generate_options options;

  absl::StatusOr<std::unique_ptr<source<value_type>>> open() const {
    if (!(options.rate_per_second >= 0) || std::isinf(options.rate_per_second)) {
      return absl::InvalidArgumentError(
          "generate: .rate_per_second is not a number of records per second; give a positive one, "
          "or zero for no limit");
    }
    return std::make_unique<generate_source<F>>(f, options);
  }
};

}  // namespace detail

/// Record k is `f(k)`, for k = 0, 1, 2, ... `f` must depend on k alone: after a restart the records
/// since the last commit are computed again.
template <class F>
auto generate(F f, generate_options options = {}) {
  static_assert(std::is_invocable_v<F&, std::uint64_t>,
                "freshet: generate needs a function of the record's number (std::uint64_t)");
  return detail::generate_description<F>{std::move(f), options};
}

}  // namespace freshet
