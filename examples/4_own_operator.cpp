// An application's own window, aggregate and operator, none of which freshet knows.
// Run: own_operator
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>
#include <freshet/testing/contracts.hpp>

#include <fmt/core.h>

namespace fr = freshet;
using namespace std::chrono_literals;

struct trade {
  std::string stock;
  double price = 0;
  double shares = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(trade, (), (stock, price, shares, at))

/// A window: one span per working day, from `opens` to `closes` (times of day, UTC). What happens
/// at other times belongs to no window. Any type with these members is a window assigner: `merges`,
/// `assign`, `describe`, `check`.
struct opening_hours {
  fr::duration opens, closes;
  static constexpr bool merges = false;

  void assign(fr::timestamp at, std::vector<fr::window_span>& out) const {
    const fr::duration since_midnight = fr::distance_past_multiple(at, 24h, 0s);
    const std::chrono::weekday day(std::chrono::floor<std::chrono::days>(at));
    if (day == std::chrono::Saturday || day == std::chrono::Sunday) return;
    if (since_midnight < opens || since_midnight >= closes) return;
    out.push_back({fr::saturating_subtract(at, since_midnight - opens),
                   fr::saturating_add(at, closes - since_midnight)});
  }
  std::string describe() const {
    return "opening hours " + fr::to_text(opens) + " to " + fr::to_text(closes);
  }
  std::string check() const {
    if (0s <= opens && opens < closes && closes <= 24h) return {};
    return describe() + " are no part of a day; give 0h <= opens < closes <= 24h";
  }
};

/// An aggregate: the mean price, in which every share counts once.
struct price_per_share {
  struct state {
    double paid = 0, shares = 0;
  };
  std::string name;

  void add(state& to, const trade& row) const { merge(to, {row.price * row.shares, row.shares}); }
  void merge(state& into, const state& from) const {
    into.paid += from.paid;
    into.shares += from.shares;
  }
  double result(const state& of) const { return of.shares > 0 ? of.paid / of.shares : 0; }
};
BOOST_DESCRIBE_STRUCT(price_per_share::state, (), (paid, shares))

/// An operator: two streams out of one. Whatever can be called with a stream stands after `|`.
template <class F>
auto split_by(F f) {
  return [f]<class T>(const fr::stream<T>& rows) {
    auto others = [f](const T& row) { return !f(row); };
    return std::pair{rows | fr::filter(f), rows | fr::filter(others)};
  };
}

/// Another one, made of three: prints a row per stock and day.
auto print_days(const std::string& title) {
  return [title](const fr::stream<trade>& trades) {
    trades | fr::key_by(&trade::stock) | fr::window(opening_hours{9h, 17h + 30min})
           | fr::aggregate(title, fr::count("trades"), price_per_share{"price"})
           | fr::to("print " + title, fr::callback([title](const auto& row) {
               const auto& [trades_of_day, price] = row.values;
               fmt::print("{:<6} {:.10}  {}  {} trades at {:.2f}\n", title,
                          fr::to_iso_8601(row.window.begin), row.key, trades_of_day, price);
             }));
  };
}

int main() {
  // The rules that a type cannot express, checked on seeded input; a test would do the same.
  fr::check_window_assigner(opening_hours{9h, 17h + 30min});
  fr::check_aggregate(price_per_share{"price"}, [](fr::contract_random& random) {
    return trade{"A", static_cast<double>(random() % 100), static_cast<double>(random() % 9), {}};
  });

  const fr::timestamp friday = std::chrono::sys_days{std::chrono::March / 13 / 2026};
  fr::pipeline p("own_operator");
  auto [small, large] =
      p.from("trades", fr::values<trade>({{"OAK", 20.00, 10, friday + 9h},
                                          {"OAK", 21.00, 30, friday + 12h},
                                          {"ELM", 5.00, 4000, friday + 15h},
                                          {"OAK", 23.00, 500, friday + 17h},
                                          {"OAK", 30.00, 1, friday + 17h + 30min},  // Closed.
                                          {"ELM", 5.50, 20, friday + 36h},          // Saturday.
                                          {"ELM", 6.00, 2000, friday + 3 * 24h + 10h},
                                          {"OAK", 22.00, 15, friday + 3 * 24h + 11h}}))
      | fr::event_time(&trade::at, fr::bounded_disorder(0s))
      | split_by([](const trade& row) { return row.shares < 100; });
  small | print_days("small");
  large | print_days("large");

  fr::run_summary summary;
  const absl::Status done = p.run({}, &summary);
  if (!done.ok()) fmt::print(stderr, "own_operator: {}\n", std::string(done.message()));
  fmt::print("{} of {} trades were made outside of the opening hours\n",
             summary.metrics.unassigned(), summary.metrics.records());
  return done.ok() ? 0 : 1;
}
