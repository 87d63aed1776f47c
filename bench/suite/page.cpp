#include "page.hpp"

#include "chart.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace suite {

namespace {

std::string target_text(const row& of) {
  if (!of.target) return "";
  return fmt::format("{} {}{}", of.target->at_most ? "<=" : ">=", figure(of.target->value),
                     of.target->of_ratio ? " of the loop" : "");
}

/// Half the distance from the smallest to the largest, in percent of the median.
std::string noise_text(const samples& of) {
  if (of.size() < 2 || median(of) == 0) return "";
  const auto [least, most] = std::minmax_element(of.begin(), of.end());
  return fmt::format("{:.0f} %", 50 * (*most - *least) / std::abs(median(of)));
}

std::vector<std::string> groups_of(const results& all) {
  std::vector<std::string> names;
  for (const row& each : all.rows) {
    if (std::find(names.begin(), names.end(), each.group) == names.end()) {
      names.push_back(each.group);
    }
  }
  return names;
}

std::string megabytes(std::uint64_t bytes) {
  if (bytes < std::uint64_t{1} << 20U) return fmt::format("{} KiB", bytes >> 10U);
  return fmt::format("{} MiB", bytes >> 20U);
}

std::string first_upper(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

struct counted {
  std::size_t met = 0, missed = 0, failed = 0;
};

counted count(const results& all) {
  counted found;
  for (const row& each : all.rows) {
    const verdict judged = verdict_of(each);
    found.met += judged == verdict::met ? 1U : 0U;
    found.missed += judged == verdict::missed ? 1U : 0U;
    found.failed += judged == verdict::failed ? 1U : 0U;
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> circumstances_of(const circumstances& of) {
  return {
      {"date, commit", of.date + ", " + of.commit},
      {"processor", fmt::format("{}, {} cores seen", of.cpu, of.cores)},
      {"caches",
       fmt::format("L1 {}, L2 {}, L3 {}; memory {}", megabytes(of.l1_bytes), megabytes(of.l2_bytes),
                   megabytes(of.l3_bytes), megabytes(of.memory_bytes))},
      {"system", of.kernel},
      {"compiler", of.compiler + ", " + of.flags},
      {"load average of a minute",
       fmt::format("{:.2f} before, {:.2f} after; the suite itself makes up to {}", of.load_before,
                   of.load_after, of.cores)},
      {"calibration", fmt::format("{} million mixes of 64 bits per second (each waits for the one "
                                  "before), a dependent miss takes {} ns",
                                  figure(median(of.mix64_per_second) / 1e6),
                                  figure(median(of.dependent_miss_ns)))},
      {"took", fmt::format("{:.0f} s{}", of.seconds,
                           of.quick ? "; a quick run, with fewer events and repetitions" : "")},
  };
}

std::string markdown_cell(std::string_view text) {
  std::string made;
  for (const char each : text) {
    if (each == '|') made += '\\';
    made += each == '\n' ? ' ' : each;
  }
  return made;
}

void add_group(const results& all, const std::string& group, std::string& text) {
  text += fmt::format("\n## {}\n\n", first_upper(group));
  text +=
      "| row | ours | by hand | ratio | noise | target | | from "
      "|\n|---|---|---|---|---|---|---|---|\n";
  for (const row& each : all.rows) {
    if (each.group != group) continue;
    const auto with_unit = [&](const samples& of) {
      return of.empty() ? std::string() : figure(median(of)) + " " + each.unit;
    };
    const bool failed = !each.error.empty();
    const verdict judged = verdict_of(each);
    const std::string said =
        judged == verdict::missed ? "**missed**" : std::string(text_of(judged));
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | `{}` |\n", markdown_cell(each.name),
                        failed ? markdown_cell(each.error) : with_unit(each.ours),
                        with_unit(each.loop), figure(median(each.ratio)),
                        noise_text(each.ratio.empty() ? each.ours : each.ratio), target_text(each),
                        said, markdown_cell(each.source));
  }
  text += "\n";
}

void add_published(const results& all, std::string& text) {
  if (all.beside.empty()) return;
  text +=
      "\n## Beside the paper's figures\n\nThe paper that the library follows publishes these, "
      "measured on its authors' machines.\n\n| the paper | its figure | ours | how ours was "
      "measured |\n|---|---|---|---|\n";
  for (const published& each : all.beside) {
    text += fmt::format("| {} | {} | {} | {} |\n", markdown_cell(each.claim),
                        markdown_cell(each.theirs), markdown_cell(each.ours),
                        markdown_cell(each.method));
  }
}

}  // namespace

std::string to_text(const results& all) {
  constexpr std::string_view line = "{:<64}{:>10}{:>10}{:>7}{:>7}{:>8}  {:<7}{}\n";
  std::string text;
  for (const auto& [what, value] : circumstances_of(all.of)) {
    text += fmt::format("{:<26}{}\n", what, value);
  }
  for (const std::string& group : groups_of(all)) {
    text += "\n" + fmt::format(fmt::runtime(line), group.substr(0, 63), "ours", "loop", "ratio",
                               "noise", "target", "", "unit");
    for (const row& each : all.rows) {
      if (each.group != group) continue;
      const bool failed = !each.error.empty();
      text += fmt::format(
          fmt::runtime(line), "  " + each.name, figure(median(each.ours)),
          figure(median(each.loop)), figure(median(each.ratio)),
          noise_text(each.ratio.empty() ? each.ours : each.ratio),
          !each.target
              ? ""
              : fmt::format("{}{}", each.target->at_most ? "<=" : ">=", figure(each.target->value)),
          text_of(verdict_of(each)), failed ? each.error : each.unit);
    }
  }
  if (!all.beside.empty()) text += "\nthe paper's figures, and ours\n";
  for (const published& each : all.beside) {
    text += fmt::format("  {}: {}\n    ours: {}\n    ({})\n", each.claim, each.theirs, each.ours,
                        each.method);
  }
  const counted found = count(all);
  text += fmt::format("\n{} rows: {} met their target, {} missed it, {} failed\n", all.rows.size(),
                      found.met, found.missed, found.failed);
  return text;
}

page to_page(const results& all) {
  page made;
  std::string& text = made.markdown;
  const counted found = count(all);
  text = std::string(page_marker) + "\n\n# Measurements\n\n";
  text +=
      "What `./run bench` has found, and on which machine. A ratio is time over that of a loop "
      "written "
      "by\nhand for the same work, in the same run and with the same result: below 1 is faster "
      "than the "
      "loop.\nFigures are medians of the repetitions; noise is half the distance between the least "
      "and "
      "the\nlargest. Rows of scaling, skew and latency are wall time, those of checkpoints CPU "
      "time of "
      "the whole\nprocess, all others CPU time of one thread. What each program does and how is "
      "in\n"
      "[bench/README.md](../../bench/README.md).\n\n";
  text += "| | |\n|---|---|\n";
  for (const auto& [what, value] : circumstances_of(all.of)) {
    text += fmt::format("| {} | {} |\n", what, markdown_cell(value));
  }
  text += fmt::format(
      "\nOf {} rows with a target, {} meet it and {} miss it; {} rows failed. Where other work ran "
      "on "
      "the\ncores at the same time, the load average before the run shows it, and wall times are "
      "then "
      "upper\nbounds.\n",
      found.met + found.missed, found.met, found.missed, found.failed);
  for (const std::string& group : groups_of(all)) add_group(all, group, text);
  add_published(all, text);
  bool first = true;
  for (const chart_style& style : chart_styles()) {
    const chart one = chart_of(all, style);
    if (one.all.empty()) continue;
    if (first) text += "\n## Charts\n";
    first = false;
    const std::string path = "measurements/" + style.name + ".svg";
    made.charts.emplace_back(path, to_svg(one));
    text += fmt::format("\n![{}]({})\n", style.title, path);
  }
  return made;
}

}  // namespace suite
