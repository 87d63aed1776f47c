// A source of the events of one kind of a Nexmark log, for a freshet pipeline.
//
// Split w of W has the arrivals k = w, w + W, w + 2W, ...; k is the sequence, so that ties go by
// the order of arrival however many splits there are. A position is the next k: any record can be
// computed again. Threads and memory: as any reader; a pregenerated log is shared and only read.
#pragma once

#include "log.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/source.hpp>
#include <freshet/window/watermark.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace nexmark {

/// A log and how it is read.
struct input {
  log_options log;
  std::size_t splits = 1;
  /// A segment for each split, or empty: events are then generated as they are read.
  std::vector<segment> pregenerated;
};

namespace detail {

/// Generates as it reads.
template <class Event>
class generating_reader final : public fr::split_reader<Event> {
 public:
  generating_reader(const input& from, std::uint64_t next)
      : events_(from.log), end_(from.log.events), stride_(from.splits), next_(next) {}

  absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<Event>& rows,
                                      std::vector<fr::dead_letter>&) override {
    for (; next_ < end_ && limit > 0; next_ += stride_) {
      const std::uint64_t n = events_.number(next_);
      if (generator::kind_of_number(n) != kind_of<Event>) continue;
      events_.make(n, rows.values.emplace_back());
      rows.positions.push_back({next_, 0, 0});
      --limit;
    }
    return next_ < end_ ? fr::read_state::more : fr::read_state::end;
  }
  std::string position() const override { return std::to_string(next_); }

 private:
  generator events_;
  std::uint64_t end_;
  std::uint64_t stride_;
  std::uint64_t next_;
};

/// Copies from memory.
template <class Event>
class copying_reader final : public fr::split_reader<Event> {
 public:
  copying_reader(std::shared_ptr<const input> from, std::size_t split, std::uint64_t next)
      : from_(std::move(from)), events_(from_->pregenerated[split].template of<Event>()) {
    const auto& known = events_.sequences;
    row_ = static_cast<std::size_t>(std::lower_bound(known.begin(), known.end(), next) -
                                    known.begin());
  }

  absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<Event>& rows,
                                      std::vector<fr::dead_letter>&) override {
    const std::size_t end = row_ + std::min(limit, events_.events.size() - row_);
    const Event* const first = events_.events.data();
    rows.values.insert(rows.values.end(), first + row_, first + end);
    for (; row_ < end; ++row_) rows.positions.push_back({events_.sequences[row_], 0, 0});
    return row_ < events_.events.size() ? fr::read_state::more : fr::read_state::end;
  }
  std::string position() const override {
    return std::to_string(row_ < events_.events.size() ? events_.sequences[row_]
                                                       : from_->log.events);
  }

 private:
  std::shared_ptr<const input> from_;
  const column<Event>& events_;
  std::size_t row_ = 0;
};

template <class Event>
class log_source final : public fr::source<Event> {
 public:
  explicit log_source(std::shared_ptr<const input> from) : from_(std::move(from)) {}

  std::vector<std::string> splits() const override {
    std::vector<std::string> names;
    for (std::size_t split = 0; split < from_->splits; ++split) {
      names.push_back(fmt::format("{} of {}", split, from_->splits));
    }
    return names;
  }

  absl::StatusOr<std::unique_ptr<fr::split_reader<Event>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    std::uint64_t next = split;
    if (position) {
      const char* const end = position->data() + position->size();
      const auto [stop, failed] = std::from_chars(position->data(), end, next);
      if (failed != std::errc() || stop != end) {
        return absl::DataLossError(fmt::format(
            "nexmark: the checkpoint's position '{}' is no number of an event", *position));
      }
    }
    if (from_->pregenerated.empty()) {
      return std::make_unique<generating_reader<Event>>(*from_, next);
    }
    return std::make_unique<copying_reader<Event>>(from_, split, next);
  }

 private:
  std::shared_ptr<const input> from_;
};

}  // namespace detail

/// What `pipeline::from` takes.
template <class Event>
struct log_events {
  using value_type = Event;
  std::shared_ptr<const input> from;

  absl::StatusOr<std::unique_ptr<fr::source<Event>>> open() const {
    return std::make_unique<detail::log_source<Event>>(from);
  }
  /// A checkpoint of another log is refused.
  std::string describe() const {
    return fmt::format("nexmark events={} rate={} seed={} ooo={}", from->log.events,
                       from->log.rate_per_second, from->log.seed, from->log.group);
  }
};

/// The events of one kind, with event times and a watermark that none of them is behind.
template <class Event>
auto timed(fr::pipeline& job, std::string name, const std::shared_ptr<const input>& from) {
  return job.from(std::move(name), log_events<Event>{from}) |
         fr::event_time(&Event::at, fr::bounded_disorder{generator(from->log).disorder()});
}

}  // namespace nexmark
