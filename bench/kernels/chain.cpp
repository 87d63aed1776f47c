#include "chain_loop.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/transform.hpp>

namespace kernels {

std::optional<answer> chain(const load& of) {
  answer all;
  fr::pipeline p("chain");
  p.from("events", fr::generate([of](std::uint64_t k) { return of.at(k); }, {.count = of.count})) |
      fr::map(scaled) | fr::filter(is_wanted) | fr::map(mixed) |
      fr::to("answer", fr::callback([&all](const event& row) {
               ++all.rows;
               all.sum += static_cast<std::uint64_t>(row.amount);
             }));
  if (!p.run().ok()) return std::nullopt;
  return all;
}

}  // namespace kernels
