// The machine that a run is on, and how fast it is at two things that every loop is made of.
#pragma once

#include "results.hpp"

#include <string>

namespace suite {

/// All but calibration, `load_after` and `seconds`.
circumstances circumstances_now(const std::string& commit, bool quick);

double load_average();

/// Adds one sample of each calibration; 0.3 s, most of it for memory that it gives back.
void calibrate(circumstances& to);

}  // namespace suite
