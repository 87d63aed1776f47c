// What runtime_bench.cpp gives to the runtime: events that are functions of their number, dealt
// out over splits, as fast as they are taken or by the clock on the wall; and what the windows
// over them must hold.
#pragma once

#include <freshet/connectors/values.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/source.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace load {

namespace fr = freshet;
using steady = std::chrono::steady_clock;

struct event {
  std::uint64_t key = 0;
  double amount = 0;  ///< A small whole number, so that sums are exact in any order.
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, amount, at))

/// Event k: a microsecond after the one before.
inline event event_of(std::uint64_t k, std::uint64_t keys) {
  const std::uint64_t bits = fr::mix_bits(k);
  return {bits % keys, static_cast<double>(bits >> 32 & 0x3f),
          fr::timestamp{fr::duration{static_cast<std::int64_t>(k)}}};
}

/// Rows of windows, summed up so that their order does not matter.
struct answer {
  std::uint64_t rows = 0;
  std::uint64_t mixed = 0;

  void add(std::uint64_t key, fr::timestamp begin, std::uint64_t count, double sum) {
    ++rows;
    std::uint64_t bits = fr::mix_bits(key + 1);
    bits = fr::mix_bits(bits ^ static_cast<std::uint64_t>(begin.time_since_epoch().count()));
    bits = fr::mix_bits(bits ^ count);
    mixed += fr::mix_bits(bits ^ static_cast<std::uint64_t>(sum));
  }
  bool operator==(const answer&) const = default;
};

/// Count and sum of `count` events per key and window, by the simplest loop.
inline answer expected(std::uint64_t count, std::uint64_t keys, std::uint64_t per_window) {
  answer all;
  for (std::uint64_t begin = 0; begin < count; begin += per_window) {
    std::vector<std::pair<std::uint64_t, double>> totals(keys);
    for (std::uint64_t k = begin; k < std::min(count, begin + per_window); ++k) {
      const event one = event_of(k, keys);
      ++totals[one.key].first;
      totals[one.key].second += one.amount;
    }
    for (std::uint64_t key = 0; key < keys; ++key) {
      const auto& [number, sum] = totals[key];
      if (number == 0) continue;
      all.add(key, fr::timestamp{fr::duration{static_cast<std::int64_t>(begin)}}, number, sum);
    }
  }
  return all;
}

/// Split s of n has the events s, s + n, s + 2n, ... With a rate, they come in packets, as from a
/// network: at every multiple of `packet_every` after the start, those that are due by then; their
/// event time is then the moment of their packet, by the clock that measures.
struct events {
  using value_type = event;

  std::uint64_t count = 0;
  std::uint64_t keys = 1;
  std::size_t splits = 1;
  double rate_per_second = 0;  ///< Over all splits. Zero: as fast as they are taken.
  fr::duration packet_every = std::chrono::milliseconds(1);
  steady::time_point begin = steady::now();  ///< When the first packet is due.

  absl::StatusOr<std::unique_ptr<fr::source<event>>> open() const;
};

/// The moment of `at`, and the other way round.
inline steady::time_point moment_of(fr::timestamp at) {
  return steady::time_point(at.time_since_epoch());
}
inline fr::timestamp time_of(steady::time_point moment) {
  return fr::timestamp{std::chrono::floor<fr::duration>(moment.time_since_epoch())};
}

namespace detail {

class reader final : public fr::split_reader<event> {
 public:
  reader(const events& of, std::size_t split) : of_(of), next_(split) {}

  absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<event>& rows,
                                      std::vector<fr::dead_letter>&) override {
    if (of_.rate_per_second > 0) return read_packets(limit, rows);
    for (; limit > 0 && next_ < of_.count; --limit) take(event_of(next_, of_.keys), rows);
    return next_ < of_.count ? fr::read_state::more : fr::read_state::end;
  }
  std::string position() const override { return std::to_string(next_); }
  std::optional<fr::duration> ask_again() const override {
    if (of_.rate_per_second <= 0) return std::nullopt;
    // The first packet that has something of this split.
    const double packets_per_second = 1 / std::chrono::duration<double>(of_.packet_every).count();
    const auto number = static_cast<std::int64_t>(
        std::ceil(static_cast<double>(next_ + 1) / of_.rate_per_second * packets_per_second));
    const auto wait = of_.begin + std::max(packet_ + 1, number) * of_.packet_every - steady::now();
    return std::max(fr::duration::zero(), std::chrono::ceil<fr::duration>(wait));
  }

 private:
  void take(const event& one, fr::batch<event>& rows) {
    rows.values.push_back(one);
    rows.positions.push_back({next_, 0, 0});
    next_ += of_.splits;
  }

  absl::StatusOr<fr::read_state> read_packets(std::size_t limit, fr::batch<event>& rows) {
    const std::int64_t due = (steady::now() - of_.begin) / of_.packet_every;
    while (packet_ < due) {
      // Of the packet after the last one that is out.
      const std::chrono::duration<double> until = (packet_ + 1) * of_.packet_every;
      const auto end =
          std::min(of_.count, static_cast<std::uint64_t>(until.count() * of_.rate_per_second));
      const fr::timestamp at = time_of(of_.begin + (packet_ + 1) * of_.packet_every);
      for (; next_ < end; --limit) {
        if (limit == 0) return fr::read_state::more;
        event one = event_of(next_, of_.keys);
        one.at = at;
        take(one, rows);
      }
      if (next_ >= of_.count) return fr::read_state::end;
      ++packet_;
    }
    return fr::read_state::idle;
  }

  events of_;
  std::uint64_t next_;
  std::int64_t packet_ = 0;  ///< How many are out.
};

class source final : public fr::source<event> {
 public:
  explicit source(events of) : of_(std::move(of)) {}
  std::vector<std::string> splits() const override {
    std::vector<std::string> names;
    for (std::size_t split = 0; split < of_.splits; ++split) names.push_back(std::to_string(split));
    return names;
  }
  absl::StatusOr<std::unique_ptr<fr::split_reader<event>>> open(
      std::size_t split, std::optional<std::string_view>) override {
    return std::make_unique<reader>(of_, split);
  }

 private:
  events of_;
};

}  // namespace detail

inline absl::StatusOr<std::unique_ptr<fr::source<event>>> events::open() const {
  return std::make_unique<detail::source>(*this);
}

}  // namespace load
