// The contract of sinks, as a check for whoever writes a connector.
//
// Takes a sink through everything that checkpoints and crashes ask of it, each time over a place of
// its own, and looks at what a reader of the place finds. A crash is a sink that is destroyed. Of a
// sink that delivers at least once, rows may be there twice; none may be missing. Depends on no
// test framework: a broken promise is thrown as `contract_violation`. Threads: the caller's. Cost:
// about twenty small outputs.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/pipeline/sink.hpp>
#include <freshet/testing/contract.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// Where a sink writes, empty at first: a folder, a table, a topic.
template <class T>
struct sink_place {
  /// Opens a sink over it, as after a restart. Does not call `start`.
  std::function<absl::StatusOr<std::unique_ptr<sink<T>>>()> open;
  /// The rows that a reader of the place may rely on now, in any order.
  std::function<std::vector<T>()> published;
};

struct sink_check_options {
  /// Whether rows are published only by the last commit, as a file that then gets its name.
  bool at_end_only = false;
};

namespace detail {

/// What is wrong with the rows found, as bytes; empty when nothing is.
/// \param wanted   what must be there, where `complete`.
/// \param allowed  what may be there.
std::string compare_published(std::vector<std::string> found, std::vector<std::string> wanted,
                              std::vector<std::string> allowed, bool complete, bool once);

template <class T>
class sink_check {
 public:
  sink_check(std::function<sink_place<T>()> make_place, const std::vector<T>& rows,
             sink_check_options options)
      : make_place_(std::move(make_place)), options_(options) {
    const std::size_t third = rows.size() / 3;
    const auto at = [&](std::size_t row) {
      return rows.begin() + static_cast<std::ptrdiff_t>(row);
    };
    a_ = {rows.begin(), at(third)};
    b_ = {at(third), at(2 * third)};
    c_ = {at(2 * third), rows.end()};
  }

  void run() {
    without_rows();
    commits_in_order();
    rows_after_prepare();
    abandoned_prepare();
    crash_before_prepare();
    crash_before_the_checkpoint();
    crash_before_commit();
    crash_after_commit();
    crash_before_the_first_commit();
    crash_around_the_last_commit();
    interrupted();
    rolled_back();
  }

 private:
  // --- the scenarios

  void without_rows() {
    begin("without any row");
    start(std::nullopt);
    finish();
  }

  void commits_in_order() {
    begin("two commits, each repeated");
    start(std::nullopt);
    write(a_);
    expect("before the first commit");
    const std::string first = prepare();
    expect("after prepare, before commit");
    commit(first, a_);
    commit(first, a_);
    write(b_);
    finish();
    repeat_last();
  }

  void rows_after_prepare() {
    begin("rows written between prepare and commit");
    start(std::nullopt);
    write(a_);
    const std::string first = prepare();
    write(b_);
    commit(first, a_);
    finish();
  }

  void abandoned_prepare() {
    begin("two prepares, of which the second alone is committed");
    start(std::nullopt);
    write(a_);
    (void)prepare();
    write(b_);
    const std::string second = prepare();
    commit(second, both(a_, b_));
    crash();
    start(second);
    write(c_);
    finish();
  }

  void crash_before_prepare() {
    begin("a crash before prepare");
    const std::string first = with_first_commit();
    write(b_);
    crash();
    start(first);
    write(c_);
    finish();
  }

  void crash_before_the_checkpoint() {
    begin("a crash after prepare, before the checkpoint holds its token");
    const std::string first = with_first_commit();
    write(b_);
    (void)prepare();
    crash();
    start(first);
    write(c_);
    finish();
    begin("that crash, twice, and then an empty commit");
    const std::string again = with_first_commit();
    for (int round = 0; round < 2; ++round) {
      write(b_);
      (void)prepare();
      crash();
      start(again);
    }
    commit(prepare(), a_);
    finish();
  }

  void crash_before_commit() {
    begin("a crash after the checkpoint, before commit");
    (void)with_first_commit();
    write(b_);
    const std::string second = prepare();
    crash();
    start(second);
    commit(second, both(a_, b_));
    commit(second, both(a_, b_));
    write(c_);
    finish();
    begin("a crash before commit, with rows written after prepare");
    (void)with_first_commit();
    write(b_);
    const std::string other = prepare();
    write(c_);
    crash();
    start(other);
    commit(other, both(a_, b_));
    finish();
    begin("a crash before commit, whose repetition comes with the next one");
    (void)with_first_commit();
    write(b_);
    const std::string third = prepare();
    crash();
    start(third);
    write(c_);
    finish();
  }

  void crash_after_commit() {
    begin("a crash after commit");
    (void)with_first_commit();
    write(b_);
    const std::string second = prepare();
    commit(second, both(a_, b_));
    crash();
    expect("after the crash");
    start(second);
    expect("after start");
    commit(second, both(a_, b_));
    crash();
    start(second);
    write(c_);
    finish();
  }

  void crash_before_the_first_commit() {
    begin("a crash before anything was committed");
    start(std::nullopt);
    write(a_);
    (void)prepare();
    write(b_);
    crash();
    start(std::nullopt);
    write(c_);
    finish();
  }

  void crash_around_the_last_commit() {
    begin("a crash before the last commit");
    start(std::nullopt);
    write(a_);
    const std::string token = prepare();
    crash();
    start(token);
    commit(token, a_, true);
    repeat_last();
    begin("a crash before the last commit, of rows that were committed before");
    const std::string first = with_first_commit();
    crash();
    start(first);
    commit(first, a_, true);
    repeat_last();
  }

  void interrupted() {
    begin("interrupt");
    const std::string first = with_first_commit();
    sink_->interrupt();
    (void)sink_->write(batch_of(b_));
    crash();
    start(first);
    write(c_);
    finish();
  }

  void rolled_back() {
    if (!declares_rollback()) return;
    begin("going back to an older token than the newest committed");
    const std::string first = with_first_commit();
    write(b_);
    commit(prepare(), both(a_, b_));
    crash();
    start(first);
    expect("after start with the older token");
    write(c_);
    finish();
    begin("going back behind the last commit");
    const std::string before = with_first_commit();
    write(b_);
    finish();
    crash();
    start(before);
    write(c_);
    finish();
    begin("going back to nothing");
    (void)with_first_commit();
    crash();
    start(std::nullopt);
    write(c_);
    finish();
  }

  // --- the steps

  void begin(std::string_view scenario) {
    sink_.reset();
    scenario_ = scenario;
    place_ = make_place_();
    published_.clear();
    allowed_.clear();
    written_.clear();
    token_.clear();
    completed_ = false;
  }

  void start(std::optional<std::string> token) {
    auto opened = place_.open();
    if (!opened.ok()) fail("it cannot be opened (" + text(opened.status()) + ")", "open()");
    sink_ = *std::move(opened);
    exactly_once_ = sink_->guarantee() == sink_guarantee::exactly_once;
    std::optional<std::string_view> view;
    if (token) view = *token;
    if (const absl::Status done = sink_->start(view); !done.ok()) {
      fail("start failed (" + text(done) + ")", "start()");
    }
    written_ = token ? written_by(*token) : std::vector<T>();
    // The checkpoint holds the token: the sink may commit at once.
    allowed_ = written_;
    if (published_.size() > written_.size()) {  // Rolled back.
      published_ = written_;
      completed_ = false;
    }
  }

  void write(const std::vector<T>& rows) {
    // One row, and then the rest.
    const std::size_t first = std::min<std::size_t>(rows.size(), 1);
    const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(first);
    for (const std::vector<T>& part :
         {std::vector<T>(rows.begin(), middle), std::vector<T>(middle, rows.end())}) {
      if (part.empty()) continue;
      if (const absl::Status done = sink_->write(batch_of(part)); !done.ok()) {
        fail("write failed (" + text(done) + ")", "write()");
      }
    }
    written_.insert(written_.end(), rows.begin(), rows.end());
    expect("after write, before commit");
  }

  std::string prepare() {
    absl::StatusOr<std::string> token = sink_->prepare();
    if (!token.ok()) fail("prepare failed (" + text(token.status()) + ")", "prepare()");
    tokens_.emplace_back(*token, written_);
    return *token;
  }

  void commit(const std::string& token, const std::vector<T>& publishes, bool last = false) {
    if (const absl::Status done = sink_->commit(token, last); !done.ok()) {
      fail("commit failed (" + text(done) + ")", "commit()");
    }
    published_ = allowed_ = publishes;
    completed_ = last;
    token_ = token;
    expect(last ? "after the last commit" : "after commit");
  }

  void finish() {
    const std::vector<T> all = written_;
    commit(prepare(), all, true);
  }

  /// After the last commit: again, and again after a restart.
  void repeat_last() {
    const std::string token = token_;
    commit(token, published_, true);
    const std::vector<T> all = published_;
    crash();
    start(token);
    commit(token, all, true);
  }

  void crash() { sink_.reset(); }

  std::string with_first_commit() {
    start(std::nullopt);
    write(a_);
    std::string token = prepare();
    commit(token, a_);
    return token;
  }

  /// What had been written when `prepare` gave the token, the last time.
  std::vector<T> written_by(const std::string& token) const {
    for (auto each = tokens_.rbegin(); each != tokens_.rend(); ++each) {
      if (each->first == token) return each->second;
    }
    return {};
  }

  void expect(std::string_view when) {
    const bool complete = completed_ || !options_.at_end_only;
    const std::string wrong =
        compare_published(bytes_of_rows(place_.published()), bytes_of_rows(published_),
                          bytes_of_rows(allowed_), complete, exactly_once_);
    if (!wrong.empty()) fail(fmt::format("{}, {}", when, wrong), "start(), prepare() and commit()");
  }

  bool declares_rollback() {
    begin("opening");
    auto opened = place_.open();
    if (!opened.ok()) fail("it cannot be opened (" + text(opened.status()) + ")", "open()");
    if constexpr (requires { (*opened)->can_roll_back(); }) {
      return (*opened)->can_roll_back();
    } else {
      return false;
    }
  }

  [[noreturn]] void fail(const std::string& found, std::string_view look_at) const {
    throw contract_violation(fmt::format("sink, {}: {}; look at {}", scenario_, found, look_at));
  }

  static std::string text(const absl::Status& status) {
    return std::string(status.message().data(), status.message().size());
  }
  static std::vector<T> both(std::vector<T> first, const std::vector<T>& then) {
    first.insert(first.end(), then.begin(), then.end());
    return first;
  }
  static std::vector<std::string> bytes_of_rows(const std::vector<T>& rows) {
    std::vector<std::string> all;
    for (const T& each : rows) all.push_back(to_bytes(each));
    return all;
  }
  static batch<T> batch_of(const std::vector<T>& rows) {
    batch<T> made;
    for (const T& each : rows) {
      made.positions.push_back({made.values.size(), 0, 0});
      made.values.push_back(each);
    }
    return made;
  }

  std::function<sink_place<T>()> make_place_;
  sink_check_options options_;
  std::vector<T> a_, b_, c_;
  std::string_view scenario_;
  sink_place<T> place_;
  std::unique_ptr<sink<T>> sink_;
  bool exactly_once_ = true;
  bool completed_ = false;
  std::string token_;
  std::vector<T> written_;    ///< By this sink and those it goes on from.
  std::vector<T> published_;  ///< What the place must hold.
  std::vector<T> allowed_;    ///< What it may hold.
  std::vector<std::pair<std::string, std::vector<T>>> tokens_;
};

}  // namespace detail

/// Checks what `sink` promises: nothing is published before its commit, and no row twice; commits
/// may be repeated, also after a restart; rows written after `prepare` wait for the next commit; a
/// token covers those before it that were never committed; `start` goes back to exactly what its
/// token says, wherever the crash came; the last commit completes the output; `interrupt` loses
/// nothing that was committed; and a sink that `can_roll_back` does.
/// \param make_place  a new, empty place for every call.
/// \param rows        at least three, different ones.
/// \throws contract_violation at the first broken promise.
template <class T>
void check_sink(std::function<sink_place<T>()> make_place, const std::vector<T>& rows,
                sink_check_options options = {}) {
  static_assert(checkpointable<T>,
                "freshet: check_sink compares rows by their bytes; describe the row with "
                "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
  if (rows.size() < 3) {
    throw contract_violation(
        fmt::format("sink: {} rows were given to check it with, wanted at least 3", rows.size()));
  }
  detail::sink_check<T>(std::move(make_place), rows, options).run();
}

}  // namespace freshet
