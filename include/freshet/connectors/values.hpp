// A source of values in memory: for tests, examples, and small tables.
//
// The description shares the values with its readers; nothing is copied but the rows read. One
// split; sequence = index. Replayable.
#pragma once

#include <freshet/pipeline/source.hpp>

#include <absl/status/statusor.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// Reads a count written by `std::to_string`; nothing when it is anything else.
inline std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return count;
}

template <class T>
class values_source final : public source<T> {
 public:
  explicit values_source(std::shared_ptr<const std::vector<T>> values)
      : values_(std::move(values)) {}

  std::vector<std::string> splits() const override { return {"values"}; }

  absl::StatusOr<std::unique_ptr<split_reader<T>>> open(
      std::size_t, std::optional<std::string_view> position) override {
    const std::optional<std::uint64_t> next = position ? parse_count(*position) : 0;
    if (!next || *next > values_->size()) {
      return absl::DataLossError("values: the checkpoint is at a position that " +
                                 std::to_string(values_->size()) +
                                 " values do not have; give the same values");
    }
    return std::make_unique<reader>(values_, *next);
  }

 private:
  class reader final : public split_reader<T> {
   public:
    reader(std::shared_ptr<const std::vector<T>> values, std::uint64_t next)
        : values_(std::move(values)), next_(next) {}

    absl::StatusOr<read_state> read(std::size_t limit, batch<T>& rows,
                                    std::vector<dead_letter>&) override {
      const std::size_t end = std::min<std::size_t>(values_->size(), next_ + limit);
      for (; next_ < end; ++next_) {
        rows.values.push_back((*values_)[next_]);
        rows.positions.push_back({next_, 0, 0});
      }
      return next_ == values_->size() ? read_state::end : read_state::more;
    }
    std::string position() const override { return std::to_string(next_); }

   private:
    std::shared_ptr<const std::vector<T>> values_;
    std::size_t next_;
  };

  std::shared_ptr<const std::vector<T>> values_;
};

template <class T>
struct values_description {
  using value_type = T;
  std::shared_ptr<const std::vector<T>> values;

  absl::StatusOr<std::unique_ptr<source<T>>> open() const {
    return std::make_unique<values_source<T>>(values);
  }
};

}  // namespace detail

/// The given values, in order.
template <class T>
detail::values_description<T> values(std::vector<T> all) {
  return {std::make_shared<const std::vector<T>>(std::move(all))};
}

}  // namespace freshet
