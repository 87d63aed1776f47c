// Made-up results for the tests of the benchmark suite.
#pragma once

#include <suite/results.hpp>

#include <string>
#include <utility>

namespace suite::test {

inline row row_named(std::string name, samples ours, samples loop = {}, samples ratio = {}) {
  row made{"kernels", std::move(name), "ns per event", "a_bench"};
  made.ours = std::move(ours);
  made.loop = std::move(loop);
  made.ratio = std::move(ratio);
  return made;
}

/// A row with everything, one that failed, one with the least, and figures that are hard to print.
inline results made_up() {
  results all;
  all.of.date = "2026-01-02 03:04 UTC";
  all.of.commit = "abc1234";
  all.of.cpu = "A | processor";
  all.of.kernel = "Linux 6.1";
  all.of.compiler = "g++ 12.2.0";
  all.of.flags = "-O2";
  all.of.cores = 2;
  all.of.l3_bytes = std::uint64_t{32} << 20U;
  all.of.load_before = 0.25;
  all.of.seconds = 12.5;
  all.of.mix64_per_second = {3e8, 3.1e8, 2.9e8};
  all.of.dependent_miss_ns = {100, 101.5};
  row whole = row_named("tumbling", {2, 2.2, 2.1}, {3, 3, 3}, {0.67, 0.73, 0.7});
  whole.target = bound{true, true, 0.9};
  whole.drawn = place{"throughput", "tumbling", "100"};
  all.rows.push_back(whole);
  whole = row_named("tumbling, more keys", {20}, {10}, {2});
  whole.target = bound{true, true, 0.9};
  whole.drawn = place{"throughput", "tumbling", "10k"};
  all.rows.push_back(whole);
  row failed = row_named("wrong", {});
  failed.error = "the results \"disagree\"\nin a line";
  failed.target = bound{false, true, 1};
  all.rows.push_back(failed);
  all.rows.push_back(row_named("plain", {0, 1e-9, 1e20}));
  all.beside.push_back({"its best engine", "1,000,000 events/s", "more", "by hand"});
  return all;
}

}  // namespace suite::test
