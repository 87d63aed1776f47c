// Charts as SVG, from rows that say where they are drawn. Lines over an ordered axis of few places,
// or groups of bars; readable on light and on dark pages.
#pragma once

#include "results.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace suite {

struct series {
  std::string name;
  std::vector<double> values;  ///< One for each place on the x axis; NaN where there is none.
};

enum class look : std::uint8_t { lines, bars };

struct chart {
  std::string title, x_label, y_label;
  std::vector<std::string> xs;
  std::vector<series> all;
  look how = look::lines;
  bool logarithmic = false;  ///< The y axis. Values of zero and below are then not drawn.
};

/// \return a whole SVG document. What cannot be drawn, because it is not finite, is left out.
std::string to_svg(const chart& of);

/// What is drawn under which name.
struct chart_style {
  std::string name;  ///< As in `place::chart`.
  std::string title, x_label, y_label;
  look how = look::lines;
  bool logarithmic = false;
  bool with_loop = false;  ///< Loops are series of their own.
};
const std::vector<chart_style>& chart_styles();

/// Medians of the rows that are drawn in the chart `of`; no series where there are none.
chart chart_of(const results& all, const chart_style& of);

}  // namespace suite
