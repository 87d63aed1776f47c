// What all data sets share, and the one that is made.
#include "dataset.hpp"

#include <freshet/sampling/sampler.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

namespace sampling_benchmark {
namespace {

void shift_and_scale(labelled_rows& rows, const std::vector<float>& mean,
                     const std::vector<float>& scale) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    float* const numbers = &rows.numbers[row * mean.size()];
    for (std::size_t i = 0; i < mean.size(); ++i) numbers[i] = (numbers[i] - mean[i]) * scale[i];
  }
}

}  // namespace

void standardise(dataset& data) {
  std::vector<double> sum(data.features), squares(data.features);
  for (std::size_t row = 0; row < data.train.size(); ++row) {
    for (std::size_t i = 0; i < data.features; ++i) {
      const double number = data.train.numbers[row * data.features + i];
      sum[i] += number;
      squares[i] += number * number;
    }
  }
  const auto count = static_cast<double>(std::max<std::size_t>(1, data.train.size()));
  std::vector<float> mean, scale;
  for (std::size_t i = 0; i < data.features; ++i) {
    const double centre = sum[i] / count;
    const double variance = squares[i] / count - centre * centre;
    mean.push_back(static_cast<float>(centre));
    scale.push_back(variance > 1e-12 ? static_cast<float>(1 / std::sqrt(variance)) : 0.0F);
  }
  for (labelled_rows* rows : {&data.train, &data.validation, &data.test}) {
    shift_and_scale(*rows, mean, scale);
  }
}

dataset make_rows(std::size_t rows) {
  dataset data;
  data.name = "made";
  data.about = "two classes that no line separates, 5 % in the second";
  data.features = 8;
  data.half_life = std::chrono::minutes{20};
  std::mt19937_64 random(1);
  const auto normal = [&random] {
    const double radius = std::sqrt(-2 * std::log(1 - fr::unit_interval(random())));
    return radius * std::cos(6.283185307179586 * fr::unit_interval(random()));
  };
  for (std::size_t row = 0; row < rows; ++row) {
    const bool rare = fr::unit_interval(random()) < 0.05;
    labelled_rows& part = row >= rows - rows / 5 ? data.test
                          : row % 10 == 9        ? data.validation
                                                 : data.train;
    for (std::size_t i = 0; i < data.features; ++i) {
      part.numbers.push_back(static_cast<float>(normal() * (rare && i < 4 ? 2.0 : 1.0)));
    }
    part.labels.push_back(rare ? 1 : 0);
    if (&part == &data.train) data.times.push_back(fr::timestamp{std::chrono::seconds(row)});
  }
  data.curve_rows = data.test.size();
  return data;
}

}  // namespace sampling_benchmark
