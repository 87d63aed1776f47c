// What a row costs in models of several sizes, with weights of 32-bit floats and of 8-bit integers:
// the comparison by which to choose. Each row is `inputs`, twice `hidden`, one output.
#include <freshet/model/mlp.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace fr = freshet;

namespace {

constexpr std::size_t rows = 256;

fr::mlp random_model(std::uint32_t inputs, std::uint32_t hidden) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.1F);
  fr::mlp model;
  std::uint32_t before = inputs;
  for (const std::uint32_t outputs : {hidden, hidden, std::uint32_t{1}}) {
    fr::dense_layer layer{before, outputs, {}, std::vector<float>(outputs, 0)};
    layer.weights.resize(std::size_t{before} * outputs);
    for (float& each : layer.weights) each = normal(random);
    model.layers.push_back(std::move(layer));
    before = outputs;
  }
  return model;
}

std::vector<float> random_rows(std::size_t inputs) {
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> all(rows * inputs);
  for (float& each : all) each = normal(random);
  return all;
}

template <class Model>
void predict(benchmark::State& state, const Model& model) {
  const std::vector<float> features = random_rows(model.inputs());
  std::vector<float> scores(rows);
  for (auto _ : state) {
    model.predict(features, scores);
    benchmark::DoNotOptimize(scores.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows));
}

void floats(benchmark::State& state) {
  predict(state, random_model(static_cast<std::uint32_t>(state.range(0)),
                              static_cast<std::uint32_t>(state.range(1))));
}
void integers(benchmark::State& state) {
  predict(state, fr::quantize(random_model(static_cast<std::uint32_t>(state.range(0)),
                                           static_cast<std::uint32_t>(state.range(1)))));
}

void sizes(benchmark::internal::Benchmark* of) {
  of->ArgNames({"inputs", "hidden"});
  for (const std::int64_t hidden : {8, 32, 128, 512, 1024}) of->Args({hidden, hidden});
}

BENCHMARK(floats)->Apply(sizes);
BENCHMARK(integers)->Apply(sizes);

}  // namespace
