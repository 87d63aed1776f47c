// How deduplicate and top_n describe and check their options.
#include <freshet/pipeline/deduplicate.hpp>
#include <freshet/pipeline/top_n.hpp>

namespace freshet {

std::string to_text(keep_by by) {
  return by == keep_by::arrival ? "arrival" : "event time";
}

namespace detail {

std::string describe_top_n(std::size_t n, const top_n_options& options) {
  std::string text = std::to_string(n) + (options.smallest ? " smallest" : " greatest");
  if (options.ranks == ranking::rank) text += " by rank";
  if (options.ranks == ranking::dense_rank) text += " by dense rank";
  return text;
}

std::string check_top_n(std::size_t n, const top_n_options& options, bool upserts) {
  if (n == 0) return "n is 0; give at least 1";
  if (upserts && options.ranks != ranking::row_number) {
    return "several rows may have one rank, and upserts replace the row of a rank; ask for changes "
           "with .retract = true, or rank by row number";
  }
  return {};
}

}  // namespace detail

}  // namespace freshet
