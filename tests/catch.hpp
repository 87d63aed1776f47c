// Catch2 version 2 (Debian 12) or version 3 under one name; every test file includes this file
// only. Both spell matchers Catch::Matchers::..., and version 2's Approx is reachable as
// Catch::Approx.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
