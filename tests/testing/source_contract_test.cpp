// The contract of sources: ours keep it, and deliberately wrong ones are found out.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/csv.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/testing/contracts.hpp>

#include <string>
#include <vector>

namespace fr = freshet;
using Catch::Matchers::Contains;

namespace {

enum class mistake { none, repeats_after_resume, limit_decides, sequences_repeat, no_splits };

/// Ten numbers, read with one mistake.
class faulty_source final : public fr::source<int> {
 public:
  explicit faulty_source(mistake made) : made_(made) {}

  std::vector<std::string> splits() const override {
    if (made_ == mistake::no_splits) return {};
    return {"numbers"};
  }
  absl::StatusOr<std::unique_ptr<fr::split_reader<int>>> open(
      std::size_t, std::optional<std::string_view> position) override {
    std::size_t next = position ? std::stoul(std::string(*position)) : 0;
    if (position && made_ == mistake::repeats_after_resume && next > 0) --next;
    return std::make_unique<reader>(made_, next);
  }

 private:
  class reader final : public fr::split_reader<int> {
   public:
    reader(mistake made, std::size_t next) : made_(made), next_(next) {}
    absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<int>& rows,
                                        std::vector<fr::dead_letter>&) override {
      if (made_ == mistake::limit_decides && limit == 7) ++next_;
      for (std::size_t i = 0; i < limit && next_ < 10; ++i, ++next_) {
        rows.values.push_back(static_cast<int>(next_));
        rows.positions.push_back({made_ == mistake::sequences_repeat ? next_ / 2 : next_, 0, 0});
      }
      return next_ >= 10 ? fr::read_state::end : fr::read_state::more;
    }
    std::string position() const override { return std::to_string(next_); }

   private:
    mistake made_;
    std::size_t next_;
  };

  mistake made_;
};

struct faulty {
  using value_type = int;
  mistake made;
  absl::StatusOr<std::unique_ptr<fr::source<int>>> open() const {
    return std::make_unique<faulty_source>(made);
  }
};

struct word {
  std::string text;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(word, (), (text, number))

}  // namespace

TEST_CASE("values and generate keep the source contract", "[contract][source]") {
  fr::check_source(fr::values(std::vector<int>{3, 1, 4, 1, 5}));
  fr::check_source(fr::values(std::vector<int>{}));
  fr::check_source(fr::generate([](std::uint64_t k) { return static_cast<int>(k * k); },
                                {.count = 50}));
  fr::check_source(faulty{mistake::none});
}

TEST_CASE("csv keeps the source contract over several files with bad rows", "[contract][source]") {
  const csv_test::temporary_folder folder;
  const std::string first =
      folder.file("a.csv", "text,number\n\"a,\n b\",1\nbad,x\n,2\nlast,3");
  const std::string second =
      folder.file("b.csv", "number,text\r\n7,seven\r\n8\r\n\r\n9,\"ni\"\"ne\"\r\n");
  fr::check_source(fr::csv::read<word>({first, second}));
  fr::check_source(fr::csv::read<word>({first, second}, {.block_bytes = 3}));
}

TEST_CASE("the source contract finds wrong sources out", "[contract][source]") {
  REQUIRE_THROWS_WITH(fr::check_source(faulty{mistake::repeats_after_resume}),
                      Contains("does not go on with the next one"));
  REQUIRE_THROWS_WITH(fr::check_source(faulty{mistake::limit_decides}),
                      Contains("other contents than 1024"));
  REQUIRE_THROWS_WITH(fr::check_source(faulty{mistake::sequences_repeat}),
                      Contains("wanted ascending ones"));
  REQUIRE_THROWS_WITH(fr::check_source(faulty{mistake::no_splits}), Contains("has no splits"));
  REQUIRE_THROWS_WITH(fr::check_source(fr::csv::read<word>("absent.csv")),
                      Contains("cannot be opened"));
}
