// infer_latest: the model that came last scores, also after a restart.
#include "catch.hpp"

#include <freshet/pipeline/infer.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace std::chrono_literals;

namespace {

struct visit {
  std::int64_t user = 0;
  double pages = 0;
};
BOOST_DESCRIBE_STRUCT(visit, (), (user, pages))

fr::mlp model_of(float weight, std::uint64_t version) {
  fr::mlp model = fr::linear_model({weight}, 0);
  model.version = version;
  return model;
}

}  // namespace

TEST_CASE("records are scored with the newest model that has come", "[model][latest]") {
  const auto rows = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto visits = h.input<visit>("visits");
    const auto models = h.untimed_input<fr::mlp>("models");
    const auto scores =
        h.collect(fr::connect(visits.stream() | fr::key_by(&visit::user), models.stream()) |
                  fr::infer_latest<visit>("scores", model_of(1, 1), &visit::pages));
    std::vector<std::string> all;
    const auto see = [&](double pages) {
      visits.push({7, pages}, frt::at(1s));
      for (std::string& each : scores.take_text()) all.push_back(std::move(each));
    };
    see(3);
    models.push(model_of(10, 2));
    (void)scores.take_text();
    see(3);
    models.push(model_of(100, 1));  // Older than what there is.
    (void)scores.take_text();
    see(4);
    h.finish();
    REQUIRE(h.status().ok());
    return all;
  });
  CHECK(rows ==
        std::vector<std::string>{"7|3|3|1@1000000", "7|3|30|2@1000000", "7|4|40|2@1000000"});
}
