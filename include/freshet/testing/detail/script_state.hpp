// What the openings of a scripted source share, and the readers that play the script. Internal.
//
// Threads: any; one mutex. Memory: the script.
#pragma once

#include <freshet/pipeline/source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

/// What happens before a record, or after the last one.
struct script_step {
  enum class kind : std::uint8_t { pause, failure };
  kind what = kind::pause;
  std::size_t before_record = 0;
  absl::Status why;       ///< Of a failure.
  std::size_t times = 0;  ///< How often it happens.
};

template <class T>
struct script_split {
  std::string name;
  std::vector<T> records;
  std::vector<script_step> steps;
  bool ends = true;
};

struct script_settings {
  std::size_t chunk_rows_max = 0;
  std::optional<std::uint64_t> chunk_seed;
  std::size_t fail_after_records = 0;
  absl::Status failure;
  std::size_t pause_after_records = 0;
  bool replayable = true;
  bool bounded = true;
  bool gains_splits = false;
};

/// Where a reader stands: how many records it has given, how many steps it has passed.
struct script_position {
  std::size_t records = 0;
  std::size_t steps = 0;
};

/// `7`, or `7 2` where steps were passed.
std::string position_text(const script_position& position);
std::optional<script_position> parse_script_position(std::string_view text);

/// All that does not depend on the records.
class script_progress {
 public:
  /// What a reader may do next.
  struct verdict {
    read_state then = read_state::more;
    std::size_t records = 0;  ///< At most so many, right now.
  };
  /// One split, without its records.
  struct one_split {
    std::string name;
    std::vector<script_step> steps;
    std::size_t records = 0;
    bool ends = true;
    std::vector<std::size_t> happened = {};  ///< By step: how often.
    std::size_t resumes = 0;
    bool paused = false;
    std::uint64_t committed = 0;
    std::function<void()> wake = nullptr;
  };

  script_progress(std::vector<one_split> splits, script_settings settings);

  std::size_t splits() const { return splits_.size(); }
  std::vector<std::string> names() const;
  const script_settings& settings() const { return settings_; }

  void resume(std::size_t split);
  bool paused(std::size_t split) const;
  std::uint64_t committed(std::size_t split) const;
  std::size_t openings() const;
  std::uint64_t delivered() const;

  void opened();
  /// Where `position` is, or the beginning.
  absl::StatusOr<script_position> find(std::size_t split,
                                       std::optional<std::string_view> position) const;
  void wake_with(std::size_t split, std::function<void()> wake);
  void note_commit(std::size_t split, std::string_view position);

  /// Passes the steps that can be passed, and tells how many of `wanted` records may follow.
  absl::StatusOr<verdict> next(std::size_t split, script_position& at, std::size_t wanted);

 private:
  absl::StatusOr<bool> pass(one_split& own, std::size_t step);
  void require_split(std::size_t split) const;

  mutable std::mutex mutex_;
  std::vector<one_split> splits_;
  script_settings settings_;
  std::size_t openings_ = 0;
  std::uint64_t delivered_ = 0;  ///< By the current opening.
};

template <class T>
class script_state final : public script_progress {
 public:
  script_state(std::vector<script_split<T>> splits, script_settings settings)
      : script_progress(outlines(splits), std::move(settings)), script_(std::move(splits)) {}

  const std::vector<T>& records(std::size_t split) const { return script_[split].records; }

 private:
  static std::vector<one_split> outlines(const std::vector<script_split<T>>& splits) {
    std::vector<one_split> all;
    for (const script_split<T>& each : splits) {
      all.push_back({each.name, each.steps, each.records.size(), each.ends});
    }
    return all;
  }

  std::vector<script_split<T>> script_;
};

template <class T>
class script_reader final : public split_reader<T> {
 public:
  script_reader(std::shared_ptr<script_state<T>> state, std::size_t split, script_position at)
      : state_(std::move(state)),
        split_(split),
        at_(at),
        random_(state_->settings().chunk_seed.value_or(0) * 1000003 + split) {}

  ~script_reader() override { state_->wake_with(split_, nullptr); }
  script_reader(const script_reader&) = delete;
  script_reader& operator=(const script_reader&) = delete;

  absl::StatusOr<read_state> read(std::size_t limit, batch<T>& rows,
                                  std::vector<dead_letter>&) override {
    const script_settings& settings = state_->settings();
    std::size_t wanted = std::min(limit, settings.chunk_rows_max);
    if (settings.chunk_seed) wanted = static_cast<std::size_t>(random_() % (wanted + 1));
    const auto allowed = state_->next(split_, at_, wanted);
    if (!allowed.ok()) return allowed.status();
    for (std::size_t i = 0; i < allowed->records; ++i, ++at_.records) {
      rows.values.push_back(state_->records(split_)[at_.records]);
      rows.positions.push_back({at_.records, 0, 0});
    }
    return allowed->then;
  }

  std::string position() const override { return position_text(at_); }
  void wake_with(std::function<void()> wake) override {
    state_->wake_with(split_, std::move(wake));
  }
  void committed(std::string_view position) override { state_->note_commit(split_, position); }

 private:
  std::shared_ptr<script_state<T>> state_;
  std::size_t split_;
  script_position at_;
  std::mt19937_64 random_;
};

/// One opening of a scripted source.
template <class T>
class script_player final : public source<T> {
 public:
  explicit script_player(std::shared_ptr<script_state<T>> state) : state_(std::move(state)) {
    state_->opened();
  }

  std::vector<std::string> splits() const override { return state_->names(); }
  void committed(std::size_t split, std::string_view position) override {
    state_->note_commit(split, position);
  }
  bool replayable() const override { return state_->settings().replayable; }
  bool bounded() const override { return state_->settings().bounded; }
  bool may_gain_splits() const override { return state_->settings().gains_splits; }
  absl::StatusOr<std::unique_ptr<split_reader<T>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    absl::StatusOr<script_position> at = state_->find(split, position);
    if (!at.ok()) return at.status();
    return std::make_unique<script_reader<T>>(state_, split, *at);
  }

 private:
  std::shared_ptr<script_state<T>> state_;
};

}  // namespace freshet::detail
