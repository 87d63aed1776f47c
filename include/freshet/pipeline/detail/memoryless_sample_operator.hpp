// The operator behind sample with a sampler without memory. Internal.
//
// Threads: one task each. Memory: one batch of rows.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/sampling/sampler.hpp>

#include <cstddef>
#include <utility>

namespace freshet::detail {

template <class T, class Sampler>
class memoryless_sample_operator final : public unary_operator<T, sampled<T>> {
 public:
  explicit memoryless_sample_operator(Sampler sampler) : sampler_(std::move(sampler)) {}

  void consume(batch<T>& rows) override {
    sample(rows, [](T& value) -> T&& { return std::move(value); });
  }
  void share(const batch<T>& rows) override {
    sample(rows, [](const T& value) -> const T& { return value; });
  }

 private:
  template <class Rows, class Given>
  void sample(Rows& rows, Given given) {
    this->count_in(rows);
    std::size_t cursor = 0;
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) {
        const sample_decision decision =
            sampler_.decide(std::as_const(rows.values[row]), rows.positions[row]);
        if (!decision.keep) continue;
        kept_.append_row(rows, row, make_sampled<T>(sampler_, given(rows.values[row]), decision),
                         cursor);
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
    this->count_out(kept_);
    this->out().emit(kept_);
    kept_.clear();
  }

  Sampler sampler_;
  batch<sampled<T>> kept_;
};

}  // namespace freshet::detail
