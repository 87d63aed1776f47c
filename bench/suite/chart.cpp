#include "chart.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

namespace suite {

namespace {

constexpr double width = 760, left = 84, right = 16, top = 44, plot_height = 300;
constexpr double plot_width = width - left - right;
constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

/// In the order in which they are used; told apart by those who see few colours, too (Okabe, Ito).
constexpr std::array<std::string_view, 8> colours{"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                                  "#d55e00", "#56b4e9", "#8c8c8c", "#b8a900"};

std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    if (each == '<')
      made += "&lt;";
    else if (each == '>')
      made += "&gt;";
    else if (each == '&')
      made += "&amp;";
    else if (each == '"')
      made += "&quot;";
    else
      made += each;
  }
  return made;
}

/// From values to heights.
struct axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<double> ticks = {};

  bool shows(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }
  double y(double value) const {
    const double part =
        logarithmic ? (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low))
                    : (value - low) / (high - low);
    return top + plot_height * (1 - std::clamp(part, 0.0, 1.0));
  }
};

axis axis_of(const chart& of) {
  axis made{.logarithmic = of.logarithmic};
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const series& each : of.all) {
    for (const double value : each.values) {
      if (!made.shows(value)) continue;
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  if (!(least <= most)) least = most = 1;
  if (of.logarithmic) {
    made.low = std::pow(10, std::floor(std::log10(least)));
    made.high = std::pow(10, std::ceil(std::log10(most)));
    if (made.high <= made.low) made.high = made.low * 10;
    for (double tick = made.low; tick <= made.high * 1.001; tick *= 10) made.ticks.push_back(tick);
    return made;
  }
  least = std::min(least, 0.0);
  most = std::max(most, 0.0);
  if (least == most) most = 1;
  const double rough = (most - least) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough / power > 5   ? 10
                               : rough / power > 2 ? 5
                               : rough / power > 1 ? 2
                                                   : 1);
  made.low = std::floor(least / step) * step;
  made.high = std::ceil(most / step) * step;
  const auto steps = static_cast<int>(std::lround((made.high - made.low) / step));
  for (int i = 0; i <= steps; ++i) made.ticks.push_back(made.low + i * step);
  return made;
}

double x_of(const chart& of, std::size_t place) {
  return left + plot_width * (static_cast<double>(place) + 0.5) / static_cast<double>(of.xs.size());
}

void draw_axes(const chart& of, const axis& on, std::string& svg) {
  for (const double tick : on.ticks) {
    const double y = on.y(tick);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", left, y,
        left + plot_width, y);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 6,
                       y + 4, figure(tick));
  }
  for (std::size_t place = 0; place < of.xs.size(); ++place) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                       x_of(of, place), top + plot_height + 18, escaped(of.xs[place]));
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                     left + plot_width / 2, top + plot_height + 38, escaped(of.x_label));
  svg += fmt::format(
      "<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
      top + plot_height / 2, escaped(of.y_label));
  svg += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"24\">{}</text>\n", left,
                     escaped(of.title));
}

void draw_lines(const chart& of, const axis& on, const series& one, std::string_view colour,
                std::string& svg) {
  std::string points;
  std::string dots;
  const auto flush = [&] {
    if (!points.empty()) {
      svg +=
          fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n",
                      colour, points);
    }
    points.clear();
  };
  for (std::size_t place = 0; place < of.xs.size() && place < one.values.size(); ++place) {
    if (!on.shows(one.values[place])) {
      flush();  // A gap stays one.
      continue;
    }
    const double x = x_of(of, place);
    const double y = on.y(one.values[place]);
    points += fmt::format("{:.1f},{:.1f} ", x, y);
    dots += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"><title>{}, {}: "
        "{}</title></circle>\n",
        x, y, colour, escaped(one.name), escaped(of.xs[place]), figure(one.values[place]));
  }
  flush();
  svg += dots;
}

void draw_bars(const chart& of, const axis& on, std::size_t which, std::string& svg) {
  const series& one = of.all[which];
  const double room = plot_width / static_cast<double>(of.xs.size()) * 0.8;
  const double bar = room / static_cast<double>(of.all.size());
  const double ground = on.logarithmic ? top + plot_height : on.y(0);
  for (std::size_t place = 0; place < of.xs.size() && place < one.values.size(); ++place) {
    if (!on.shows(one.values[place])) continue;
    const double x = x_of(of, place) - room / 2 + bar * static_cast<double>(which);
    const double y = on.y(one.values[place]);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\">"
        "<title>{}, {}: {}</title></rect>\n",
        x, std::min(y, ground), bar * 0.92, std::abs(y - ground), colours[which % colours.size()],
        escaped(one.name), escaped(of.xs[place]), figure(one.values[place]));
  }
}

/// \return the height that it took.
double draw_legend(const chart& of, double from, std::string& svg) {
  double x = left;
  double y = from;
  for (std::size_t which = 0; which < of.all.size(); ++which) {
    const double needed = 34 + 7.2 * static_cast<double>(of.all[which].name.size());
    if (x + needed > width && x > left) {
      x = left;
      y += 20;
    }
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n",
                       x, y - 10, colours[which % colours.size()]);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 17, y,
                       escaped(of.all[which].name));
    x += needed;
  }
  return y - from + 20;
}

std::size_t place_of(std::vector<std::string>& in, const std::string& name) {
  const auto found = std::find(in.begin(), in.end(), name);
  const auto place = static_cast<std::size_t>(found - in.begin());
  if (found == in.end()) in.push_back(name);
  return place;
}

void set(chart& of, const std::string& name, std::size_t x, double value) {
  auto found = std::find_if(of.all.begin(), of.all.end(),
                            [&](const series& each) { return each.name == name; });
  if (found == of.all.end()) found = of.all.insert(found, {name, {}});
  if (found->values.size() <= x) found->values.resize(x + 1, nothing);
  found->values[x] = value;
}

}  // namespace

std::string to_svg(const chart& of) {
  const axis on = axis_of(of);
  std::string body;
  draw_axes(of, on, body);
  for (std::size_t which = 0; which < of.all.size(); ++which) {
    if (of.how == look::bars)
      draw_bars(of, on, which, body);
    else
      draw_lines(of, on, of.all[which], colours[which % colours.size()], body);
  }
  const double legend_at = top + plot_height + 66;
  const double height = legend_at + draw_legend(of, legend_at, body);
  // A page without a background of its own gets the text that its reader's theme can show.
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" role=\"img\" aria-label=\"{2}\">\n<style>\n"
      "text {{ font: 12px sans-serif; fill: #24292f; }}\n.title {{ font-size: 15px; }}\n"
      ".grid {{ stroke: #8c959f; stroke-opacity: 0.35; }}\n.page {{ fill: #ffffff; }}\n"
      "@media (prefers-color-scheme: dark) {{\n  text {{ fill: #e6edf3; }}\n"
      "  .page {{ fill: #0d1117; }}\n}}\n</style>\n"
      "<rect class=\"page\" width=\"{0:.0f}\" height=\"{1:.0f}\"/>\n{3}</svg>\n",
      width, height, escaped(of.title), body);
}

const std::vector<chart_style>& chart_styles() {
  static const std::vector<chart_style> all{
      {"throughput", "Cost of an event, by how many keys there are", "keys", "ns per event",
       look::lines, true, true},
      {"latency", "From the scheduled arrival of the event that closes a window to its rows",
       "quantile", "microseconds, net of stalls", look::lines, true, false},
      {"scaling", "Two tasks on two cores against one", "keys", "times as fast", look::bars, false,
       false},
      {"checkpoints", "What a checkpoint every second costs, 1M keys, 10 % of them changing", "",
       "CPU ns per event", look::bars, false, false},
  };
  return all;
}

chart chart_of(const results& all, const chart_style& of) {
  chart made{of.title, of.x_label, of.y_label, {}, {}, of.how, of.logarithmic};
  for (const row& each : all.rows) {
    if (!each.drawn || each.drawn->chart != of.name || !each.error.empty()) continue;
    const std::size_t x = place_of(made.xs, each.drawn->x);
    set(made, each.drawn->series, x, median(each.ours));
    if (of.with_loop && !each.loop.empty()) {
      set(made, each.drawn->series + ", by hand", x, median(each.loop));
    }
  }
  return made;
}

}  // namespace suite
