#include "golden.hpp"

#include <cstdint>

namespace nexmark {

namespace {

struct known {
  std::uint64_t events;
  std::string_view query;
  answer result;
};

// q11: sessions that touch are two. q11c: with a gap of 1 s, and sessions that touch are one.
constexpr known all_known[] = {
    // clang-format off
    {100'000, "q0", {92'000, 0xade6116bfba134d5, 0}},
    {100'000, "q1", {92'000, 0x13a2ad61eb470471, 0}},
    {100'000, "q2", {396, 0x81804c276935e139, 0}},
    {100'000, "q3", {559, 0xad3d5d32827ef9bd, 0}},
    {100'000, "q4", {5, 0x8377ceaa97f20ac9, 0}},
    {100'000, "q5", {12, 0xa8118ec734496ad6, 0}},
    {100'000, "q7", {1, 0x65390de5bb157765, 0}},
    {100'000, "q8", {947, 0x562140b919abaf85, 0}},
    {100'000, "q9", {5'590, 0x15105142ef8aae9b, 0}},
    {100'000, "q11", {1'928, 0xe28201057280d052, 0}},
    {100'000, "q11c", {2'900, 0xf1680f713982ca69, 0}},
    {100'000, "q12", {1'928, 0x215a7cf57ec18e31, 0}},
    {100'000, "q13", {92'000, 0x9b798aeac99c808b, 0}},
    {100'000, "q14", {25'908, 0xf8e9d914d92c73e6, 0}},
    {100'000, "q15", {1, 0x62cdfc2ff512b1e7, 0}},
    {100'000, "q16", {9'900, 0x8dbf8346e74d40f7, 0}},
    {100'000, "q17", {5'996, 0xe06f3047f65942d3, 0}},
    {100'000, "q18", {28'383, 0xbf833561d96c1318, 0}},
    {100'000, "q19", {44'272, 0xf083962af8961bfa, 0}},
    {100'000, "q20", {15'165, 0xfcfbb988387afcc4, 0}},
    {100'000, "q21", {87'426, 0xd43cbf544c6a8474, 0}},
    {100'000, "q22", {92'000, 0x7a0fa89943fcdee7, 0}},
    {1'000'000, "q0", {920'000, 0x97f41e65ec48e3bd, 0}},
    {1'000'000, "q1", {920'000, 0x879148f4bea83bdb, 0}},
    {1'000'000, "q2", {6'962, 0x802e6fb782d51dca, 0}},
    {1'000'000, "q3", {5'761, 0x328caf3c64a9c22c, 0}},
    {1'000'000, "q4", {5, 0x52cc6c6d8197c5b9, 0}},
    {1'000'000, "q5", {61, 0x34b0959ddc1b0a03, 0}},
    {1'000'000, "q7", {10, 0x2d2defb04fc718d3, 0}},
    {1'000'000, "q8", {8'466, 0xfbd12539a15821a2, 0}},
    {1'000'000, "q9", {55'922, 0xfd47dfd448f4d5e5, 0}},
    {1'000'000, "q11", {19'920, 0xc179d6c621515b2d, 0}},
    {1'000'000, "q11c", {36'087, 0x454de5b3bfadc6a6, 0}},
    {1'000'000, "q12", {27'406, 0xf71431d3b7ba6917, 0}},
    {1'000'000, "q13", {920'000, 0x21792c4350b7a46c, 0}},
    {1'000'000, "q14", {260'078, 0xe0e8af203c5e7f55, 0}},
    {1'000'000, "q15", {1, 0xf25c968f14ef15f1, 0}},
    {1'000'000, "q16", {10'004, 0x800c88775cfdd3fc, 0}},
    {1'000'000, "q17", {59'979, 0xb6afeda844cfb100, 0}},
    {1'000'000, "q18", {292'206, 0x0c5a4b20a3b13059, 0}},
    {1'000'000, "q19", {441'789, 0x11059d9d4b82ac7a, 0}},
    {1'000'000, "q20", {178'443, 0x05fefb82c2320346, 0}},
    {1'000'000, "q21", {874'388, 0x3cce801320fe14a8, 0}},
    {1'000'000, "q22", {920'000, 0xf862546a43beb670, 0}},
    // clang-format on
};

}  // namespace

std::optional<answer> golden_answer(std::string_view query, const log_options& log) {
  if (log.rate_per_second != 10'000 || log.seed != 0) return std::nullopt;
  if (log.group != 1 && query == "q18") return std::nullopt;
  for (const known& each : all_known) {
    if (each.events == log.events && each.query == query) return each.result;
  }
  return std::nullopt;
}

}  // namespace nexmark
