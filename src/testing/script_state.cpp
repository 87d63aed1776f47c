#include <freshet/testing/detail/script_state.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace freshet::detail {

namespace {

std::size_t pauses_before(const std::vector<script_step>& steps, std::size_t step) {
  return static_cast<std::size_t>(
      std::count_if(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(step),
                    [](const script_step& each) { return each.what == script_step::kind::pause; }));
}

}  // namespace

std::string position_text(const script_position& position) {
  return position.steps == 0 ? fmt::format("{}", position.records)
                             : fmt::format("{} {}", position.records, position.steps);
}

std::optional<script_position> parse_script_position(std::string_view text) {
  script_position at;
  const char* const last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, at.records);
  if (error == std::errc{} && end != last && *end == ' ') {
    const auto second = std::from_chars(end + 1, last, at.steps);
    end = second.ptr;
    error = second.ec;
  }
  if (error != std::errc{} || end != last) return std::nullopt;
  return at;
}

script_progress::script_progress(std::vector<one_split> splits, script_settings settings)
    : splits_(std::move(splits)), settings_(std::move(settings)) {
  if (settings_.chunk_rows_max == 0) {
    throw std::invalid_argument("script: chunk_rows_max is 0; give at least 1");
  }
  for (one_split& each : splits_) each.happened.resize(each.steps.size());
}

std::vector<std::string> script_progress::names() const {
  std::vector<std::string> all;
  for (const one_split& each : splits_) all.push_back(each.name);
  return all;
}

void script_progress::require_split(std::size_t split) const {
  if (split < splits_.size()) return;
  throw std::invalid_argument(fmt::format(
      "script: it has {} splits and none of number {}; count from 0", splits_.size(), split));
}

void script_progress::resume(std::size_t split) {
  require_split(split);
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    ++splits_[split].resumes;
    wake = splits_[split].wake;
  }
  if (wake) wake();
}

bool script_progress::paused(std::size_t split) const {
  require_split(split);
  const std::lock_guard lock(mutex_);
  return splits_[split].paused;
}

std::uint64_t script_progress::committed(std::size_t split) const {
  require_split(split);
  const std::lock_guard lock(mutex_);
  return splits_[split].committed;
}

std::size_t script_progress::openings() const {
  const std::lock_guard lock(mutex_);
  return openings_;
}

std::uint64_t script_progress::delivered() const {
  const std::lock_guard lock(mutex_);
  return delivered_;
}

void script_progress::opened() {
  const std::lock_guard lock(mutex_);
  ++openings_;
  delivered_ = 0;
  for (one_split& each : splits_) each.paused = false;
}

absl::StatusOr<script_position> script_progress::find(
    std::size_t split, std::optional<std::string_view> position) const {
  if (!position) return script_position{};
  const one_split& own = splits_[split];
  const std::optional<script_position> at = parse_script_position(*position);
  if (at && at->records <= own.records && at->steps <= own.steps.size()) return *at;
  return absl::DataLossError(
      fmt::format("script, split '{}': the checkpoint is at '{}', which {} records and {} steps do "
                  "not have; play the same script",
                  own.name, *position, own.records, own.steps.size()));
}

void script_progress::wake_with(std::size_t split, std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  splits_[split].wake = std::move(wake);
}

void script_progress::note_commit(std::size_t split, std::string_view position) {
  const std::optional<script_position> at = parse_script_position(position);
  const std::lock_guard lock(mutex_);
  if (at) splits_[split].committed = at->records;
}

absl::StatusOr<bool> script_progress::pass(one_split& own, std::size_t step) {
  const script_step& next = own.steps[step];
  if (next.what == script_step::kind::pause) {
    own.paused = own.resumes <= pauses_before(own.steps, step);
    return !own.paused;
  }
  if (own.happened[step] >= next.times) return true;
  ++own.happened[step];
  return next.why;
}

absl::StatusOr<script_progress::verdict> script_progress::next(std::size_t split,
                                                               script_position& at,
                                                               std::size_t wanted) {
  const std::lock_guard lock(mutex_);
  one_split& own = splits_[split];
  if (delivered_ >= settings_.fail_after_records) return settings_.failure;
  if (delivered_ >= settings_.pause_after_records) return verdict{read_state::idle, 0};
  for (; at.steps < own.steps.size() && own.steps[at.steps].before_record == at.records;
       ++at.steps) {
    const absl::StatusOr<bool> passed = pass(own, at.steps);
    if (!passed.ok()) return passed.status();
    if (!*passed) return verdict{read_state::idle, 0};
  }
  const std::size_t until =
      at.steps < own.steps.size() ? own.steps[at.steps].before_record : own.records;
  const std::size_t count =
      std::min({wanted, until - at.records,
                static_cast<std::size_t>(settings_.fail_after_records - delivered_),
                static_cast<std::size_t>(settings_.pause_after_records - delivered_)});
  delivered_ += count;
  const bool at_end = at.steps == own.steps.size() && at.records + count == own.records;
  if (!at_end) return verdict{read_state::more, count};
  if (own.ends) return verdict{read_state::end, count};
  return verdict{count > 0 ? read_state::more : read_state::idle, count};
}

}  // namespace freshet::detail
