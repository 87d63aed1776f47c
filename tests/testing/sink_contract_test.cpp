// The contract of sinks: ours keep it, and deliberately wrong ones are found out.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/testing/contracts.hpp>
#include <freshet/testing/detail/collecting_sink.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace fr = freshet;
using Catch::Matchers::Contains;

namespace {

struct row {
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(row, (), (number))

std::vector<row> some_rows() {
  std::vector<row> all;
  for (int number = 1; number <= 11; ++number) all.push_back({number});
  return all;
}

enum class mistake {
  none,
  publishes_at_write,
  publishes_at_prepare,
  commit_takes_later_rows,
  commit_counts_twice,
  abandoned_prepare_is_lost,
  start_keeps_uncommitted_rows,
  start_loses_prepared_rows,
  prepare_loses_rows,
  commit_after_restart_fails,
  last_commit_fails_when_repeated,
  rollback_keeps_rows,
  interrupt_loses_rows,
  unopenable,
};

/// A file, as it were: what is in it, and how many of its rows readers see.
struct file {
  std::vector<row> rows;
  std::vector<row> published;
  bool complete = false;
};

class faulty_sink final : public fr::sink<row> {
 public:
  faulty_sink(std::shared_ptr<file> to, mistake made) : to_(std::move(to)), made_(made) {}

  fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::exactly_once; }
  // Not marked as overriding: a sink may have it before the interface does.
  bool can_roll_back() const { return true; }

  absl::Status start(std::optional<std::string_view> committed) override {
    std::size_t rows = committed ? std::stoull(std::string(*committed)) : 0;
    restarted_ = committed.has_value();
    if (made_ == mistake::start_loses_prepared_rows) rows = std::min(rows, to_->published.size());
    if (made_ == mistake::start_keeps_uncommitted_rows) rows = std::max(rows, to_->rows.size());
    to_->rows.resize(rows);
    if (made_ != mistake::rollback_keeps_rows && to_->published.size() > rows) {
      to_->published.resize(rows);
    }
    prepared_before_ = rows;
    return absl::OkStatus();
  }
  absl::Status write(const fr::batch<row>& rows) override {
    buffer_.insert(buffer_.end(), rows.values.begin(), rows.values.end());
    if (made_ == mistake::publishes_at_write) {
      to_->published.insert(to_->published.end(), rows.values.begin(), rows.values.end());
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override {
    prepared_before_ = to_->rows.size();
    if (made_ == mistake::prepare_loses_rows && buffer_.size() > 2) buffer_.pop_back();
    to_->rows.insert(to_->rows.end(), buffer_.begin(), buffer_.end());
    buffer_.clear();
    if (made_ == mistake::publishes_at_prepare) to_->published = to_->rows;
    return std::to_string(to_->rows.size());
  }
  absl::Status commit(std::string_view token, bool last) override {
    const auto rows = static_cast<std::ptrdiff_t>(
        std::min<std::size_t>(std::stoull(std::string(token)), to_->rows.size()));
    if (made_ == mistake::commit_after_restart_fails && restarted_) {
      return absl::FailedPreconditionError("nothing is prepared");
    }
    if (made_ == mistake::last_commit_fails_when_repeated && last && to_->complete) {
      return absl::FailedPreconditionError("complete already");
    }
    to_->complete |= last;
    if (made_ == mistake::commit_takes_later_rows) {
      to_->rows.insert(to_->rows.end(), buffer_.begin(), buffer_.end());
      buffer_.clear();
      to_->published = to_->rows;
      return absl::OkStatus();
    }
    const std::size_t from = made_ == mistake::commit_counts_twice ? prepared_before_
                             : made_ == mistake::abandoned_prepare_is_lost
                                 ? std::max(prepared_before_, to_->published.size())
                                 : std::string::npos;
    if (from == std::string::npos) {
      to_->published = {to_->rows.begin(), to_->rows.begin() + rows};
    } else if (static_cast<std::ptrdiff_t>(from) < rows) {
      to_->published.insert(to_->published.end(),
                            to_->rows.begin() + static_cast<std::ptrdiff_t>(from),
                            to_->rows.begin() + rows);
    }
    return absl::OkStatus();
  }
  void interrupt() override {
    if (made_ == mistake::interrupt_loses_rows) to_->rows.clear(), to_->published.clear();
  }

 private:
  std::shared_ptr<file> to_;
  mistake made_;
  bool restarted_ = false;
  std::size_t prepared_before_ = 0;
  std::vector<row> buffer_;
};

void check(mistake made) {
  fr::check_sink<row>(
      [made] {
        const auto at = std::make_shared<file>();
        return fr::sink_place<row>{[at, made]() -> absl::StatusOr<std::unique_ptr<fr::sink<row>>> {
                                     if (made == mistake::unopenable) {
                                       return absl::NotFoundError("no such folder");
                                     }
                                     return std::make_unique<faulty_sink>(at, made);
                                   },
                                   [at] { return at->published; }};
      },
      some_rows());
}

std::string violation(mistake made) {
  try {
    check(made);
  } catch (const fr::contract_violation& found) {
    return found.what();
  }
  return "none";
}

/// The numbers in a file of CSV.
std::vector<row> numbers_in(const std::string& path) {
  std::vector<row> all;
  if (!std::filesystem::exists(path)) return all;
  std::istringstream lines(csv_test::content(path));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) all.push_back({std::stoi(line)});
  return all;
}

}  // namespace

TEST_CASE("the sink contract lets a right sink through", "[contract][sink]") {
  REQUIRE(violation(mistake::none) == "none");
}

TEST_CASE("csv keeps the sink contract", "[contract][sink]") {
  const csv_test::temporary_folder folder;
  int number = 0;
  fr::check_sink<row>(
      [&] {
        const std::string path = folder / ("out" + std::to_string(++number) + ".csv");
        return fr::sink_place<row>{[path] { return fr::csv::write(path).open<row>({}); },
                                   [path] { return numbers_in(path); }};
      },
      some_rows(), {.at_end_only = true});
}

TEST_CASE("callback delivers every row at least once", "[contract][sink]") {
  fr::check_sink<row>(
      [] {
        const auto taken = std::make_shared<std::vector<row>>();
        return fr::sink_place<row>{
            [taken] {
              return fr::callback([taken](const row& each) { taken->push_back(each); })
                  .open<row>({});
            },
            [taken] { return *taken; }};
      },
      some_rows());
}

TEST_CASE("the sink contract finds wrong sinks out", "[contract][sink]") {
  REQUIRE(violation(mistake::publishes_at_write) ==
          "sink, two commits, each repeated: after write, before commit, 3 rows are published that "
          "were not committed, or taken back; look at start(), prepare() and commit()");
  REQUIRE_THAT(violation(mistake::publishes_at_prepare),
               Contains("after prepare, before commit, 3 rows are published that were not"));
  REQUIRE_THAT(violation(mistake::commit_takes_later_rows),
               Contains("rows written between prepare and commit: after commit, 3 rows"));
  REQUIRE_THAT(violation(mistake::commit_counts_twice),
               Contains("two commits, each repeated: after commit, 3 rows are published twice"));
  REQUIRE_THAT(violation(mistake::abandoned_prepare_is_lost),
               Contains("of which the second alone is committed: after commit, 3 of 6 committed "
                        "rows are missing"));
  REQUIRE_THAT(violation(mistake::start_keeps_uncommitted_rows),
               Contains("a crash after prepare, before the checkpoint holds its token: after the "
                        "last commit, 3 rows are published that were not committed"));
  REQUIRE_THAT(violation(mistake::start_loses_prepared_rows),
               Contains("a crash after the checkpoint, before commit: after commit, 3 of 6"));
  REQUIRE_THAT(violation(mistake::prepare_loses_rows),
               Contains("1 of 3 committed rows are missing"));
  REQUIRE_THAT(violation(mistake::commit_after_restart_fails),
               Contains("commit failed (nothing is prepared); look at commit()"));
  REQUIRE_THAT(violation(mistake::last_commit_fails_when_repeated),
               Contains("two commits, each repeated: commit failed (complete already)"));
  REQUIRE_THAT(violation(mistake::interrupt_loses_rows), Contains("sink, interrupt: "));
  REQUIRE_THAT(violation(mistake::unopenable), Contains("it cannot be opened (no such folder)"));
}

// A template, because the question is one of the interface as it is.
template <class Sink>
void check_rollback_is_checked() {
  if constexpr (requires(Sink& each) { each.can_roll_back(); }) {
    REQUIRE_THAT(
        violation(mistake::rollback_keeps_rows),
        Contains("going back to an older token than the newest committed: after start with "
                 "the older token, 3 rows are published"));
  }
}

TEST_CASE("the sink contract finds out who cannot roll back and says so", "[contract][sink]") {
  check_rollback_is_checked<fr::sink<row>>();
}

TEST_CASE("the sink contract wants rows to check with", "[contract][sink]") {
  REQUIRE_THROWS_WITH(fr::check_sink<row>([] { return fr::sink_place<row>{}; }, {row{1}, row{2}}),
                      Contains("2 rows were given to check it with, wanted at least 3"));
}
