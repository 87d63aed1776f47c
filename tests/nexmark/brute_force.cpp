#include "brute_force.hpp"

#include <rows.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace nexmark {

namespace {

using namespace std::chrono_literals;

/// All events, in the order of arrival.
struct everything {
  std::vector<person> persons;
  std::vector<auction> auctions;
  std::vector<bid> bids;

  explicit everything(const log_options& log) {
    const generator events(log);
    for (std::uint64_t k = 0; k < log.events; ++k) {
      const std::uint64_t n = events.number(k);
      if (n % 50 == 0) {
        events.make(n, persons.emplace_back());
      } else if (n % 50 < 4) {
        events.make(n, auctions.emplace_back());
      } else {
        events.make(n, bids.emplace_back());
      }
    }
  }
};

using put = tally<true>;

/// A text that may stand nowhere in the pools: hashed as one that does.
struct own_text {
  std::string value;
};
std::uint64_t hash_of(const own_text& own) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char each : own.value) {
    hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3;
  }
  return hash;
}
std::uint64_t hash_of(const text& slice) {
  return hash_of(own_text{std::string(slice.view())});
}
std::uint64_t hash_of(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}
std::uint64_t hash_of(fr::timestamp at) {
  return static_cast<std::uint64_t>(at.time_since_epoch().count() / 1000);
}

template <class... Columns>
void put_columns(put& out, const Columns&... columns) {
  std::uint64_t hash = 0x243F6A8885A308D3;
  ((hash = mix64((hash ^ hash_of(columns)) + golden_gamma)), ...);
  ++out.all.rows;
  out.all.checksum += hash;
}

fr::timestamp window_of(fr::timestamp at, fr::duration size) {
  return at - at.time_since_epoch() % size;
}

void stateless(std::string_view query, const everything& all, put& out) {
  for (const bid& b : all.bids) {
    const std::int64_t euro = b.price * 908;
    const std::string url(b.url.view());
    if (query == "q0") put_columns(out, b.auction, b.bidder, b.price, b.at, b.extra);
    if (query == "q1") put_columns(out, b.auction, b.bidder, euro, b.at, b.extra);
    if (query == "q2" && b.auction % 123 == 0) put_columns(out, b.auction, b.price);
    if (query == "q10") {
      put_columns(out, b.auction, b.bidder, b.price, b.channel, b.url, b.at, b.extra);
    }
    if (query == "q13") {
      const own_text value{std::to_string(b.auction % 10000)};
      put_columns(out, b.auction, b.bidder, b.price, b.at, value);
    }
    if (query == "q14" && euro > 1'000'000'000LL && euro < 50'000'000'000LL) {
      const auto hour = b.at.time_since_epoch() % 24h / 1h;
      const own_text kind{hour >= 8 && hour <= 18   ? "dayTime"
                          : hour <= 6 || hour >= 20 ? "nightTime"
                                                    : "otherTime"};
      std::int64_t c_count = 0;
      for (const char each : b.extra.view()) c_count += each == 'c' ? 1 : 0;
      put_columns(out, b.auction, b.bidder, euro, kind, b.at, b.extra, c_count);
    }
    if (query == "q21") {
      std::string channel(b.channel.view());
      for (char& each : channel) each = static_cast<char>(std::tolower(each));
      const std::map<std::string, std::string> known = {
          {"apple", "0"}, {"google", "1"}, {"facebook", "2"}, {"baidu", "3"}};
      static const std::regex pattern("(&|^)channel_id=([^&]*)");
      std::smatch found;
      own_text id;
      if (known.contains(channel)) {
        id.value = known.at(channel);
      } else if (std::regex_search(url, found, pattern)) {
        id.value = found[2];
      } else {
        continue;
      }
      put_columns(out, b.auction, b.bidder, b.price, b.channel, id);
    }
    if (query == "q22") {
      std::vector<std::string> parts(1);
      for (const char each : url) {
        if (each == '/') {
          parts.emplace_back();
        } else {
          parts.back() += each;
        }
      }
      parts.resize(6);
      put_columns(out, b.auction, b.bidder, b.price, b.channel, own_text{parts[3]},
                  own_text{parts[4]}, own_text{parts[5]});
    }
  }
}

void q3(const everything& all, put& out) {
  for (const auction& a : all.auctions) {
    for (const person& p : all.persons) {
      const std::string state(p.state.view());
      if (a.seller != p.id || a.category != 10) continue;
      if (state == "OR" || state == "ID" || state == "CA") {
        put_columns(out, p.name, p.city, p.state, a.id);
      }
    }
  }
}

/// The highest valid bid on every auction that has one.
std::vector<std::pair<auction, bid>> winners(const everything& all) {
  std::vector<std::pair<auction, bid>> sold;
  for (const auction& a : all.auctions) {
    const bid* best = nullptr;
    for (const bid& b : all.bids) {
      if (b.auction != a.id || b.at < a.at || b.at > a.expires) continue;
      if (best == nullptr || b.price > best->price || (b.price == best->price && b.at < best->at)) {
        best = &b;
      }
    }
    if (best != nullptr) sold.emplace_back(a, *best);
  }
  return sold;
}

void q4(const everything& all, put& out) {
  std::map<std::int64_t, std::vector<std::int64_t>> prices;
  for (const auto& [a, b] : winners(all)) prices[a.category].push_back(b.price);
  for (const auto& [category, of] : prices) {
    std::int64_t sum = 0;
    for (const std::int64_t each : of) sum += each;
    put_columns(out, category, sum / static_cast<std::int64_t>(of.size()));
  }
}

void q6(const everything& all, put& out) {
  std::map<std::int64_t, std::map<std::pair<fr::timestamp, std::int64_t>, std::int64_t>> sales;
  for (const auto& [a, b] : winners(all)) sales[a.seller][{a.expires, a.id}] = b.price;
  for (const auto& [seller, of] : sales) {
    std::int64_t sum = 0;
    std::int64_t number = 0;
    for (auto sale = of.rbegin(); sale != of.rend() && number < 10; ++sale, ++number) {
      sum += sale->second;
    }
    put_columns(out, seller, sum / number);
  }
}

void q9(const everything& all, put& out) {
  for (const auto& [a, b] : winners(all)) {
    put_columns(out, a.id, a.item, a.description, a.initial_bid, a.reserve, a.at, a.expires,
                a.seller, a.category, a.extra, b.auction, b.bidder, b.price, b.at, b.extra);
  }
}

void q5(const everything& all, put& out) {
  std::set<fr::timestamp> begins;
  for (const bid& b : all.bids) {
    for (fr::duration back = 0s; back < 10s; back += 2s) begins.insert(window_of(b.at, 2s) - back);
  }
  for (const fr::timestamp begin : begins) {
    std::map<std::int64_t, std::int64_t> bids;
    for (const bid& b : all.bids) {
      if (b.at >= begin && b.at < begin + 10s) ++bids[b.auction];
    }
    for (const auto& [auction, count] : bids) {
      if (std::all_of(bids.begin(), bids.end(), [&](const auto& e) { return e.second <= count; })) {
        put_columns(out, begin, begin + 10s, auction, count);
      }
    }
  }
}

void q7(const everything& all, put& out) {
  std::map<fr::timestamp, std::int64_t> highest;
  for (const bid& b : all.bids) {
    std::int64_t& price = highest[window_of(b.at, 10s)];
    price = std::max(price, b.price);
  }
  for (const bid& b : all.bids) {
    if (b.price == highest[window_of(b.at, 10s)]) {
      put_columns(out, b.auction, b.price, b.bidder, b.at, b.extra);
    }
  }
}

void q8(const everything& all, put& out) {
  for (const person& p : all.persons) {
    const fr::timestamp begin = window_of(p.at, 10s);
    if (std::any_of(all.auctions.begin(), all.auctions.end(), [&](const auction& a) {
          return a.seller == p.id && window_of(a.at, 10s) == begin;
        })) {
      put_columns(out, p.id, p.name, begin);
    }
  }
}

void sessions(const everything& all, fr::duration gap, bool touching_merge, put& out) {
  std::map<std::int64_t, std::vector<fr::timestamp>> times;
  for (const bid& b : all.bids) times[b.bidder].push_back(b.at);
  for (auto& [bidder, of] : times) {
    std::sort(of.begin(), of.end());
    for (std::size_t begin = 0, i = 1; i <= of.size(); ++i) {
      if (i < of.size() &&
          (of[i] - of[i - 1] < gap || (touching_merge && of[i] - of[i - 1] == gap))) {
        continue;
      }
      put_columns(out, bidder, static_cast<std::int64_t>(i - begin), of[begin], of[i - 1] + gap);
      begin = i;
    }
  }
}

void q12(const everything& all, put& out) {
  std::map<std::pair<std::int64_t, fr::timestamp>, std::int64_t> bids;
  for (const bid& b : all.bids) ++bids[{b.bidder, window_of(b.at, 10s)}];
  for (const auto& [key, count] : bids) {
    put_columns(out, key.first, count, key.second, key.second + 10s);
  }
}

std::int64_t days(fr::timestamp at) {
  return at.time_since_epoch() / 24h;
}
bool in_rank(std::int64_t price, int rank) {
  if (rank == 1) return price < 10'000;
  if (rank == 2) return price >= 10'000 && price < 1'000'000;
  return rank == 0 || price >= 1'000'000;
}

by_rank ranks(const std::vector<bid>& bids) {
  by_rank counts{};
  for (int rank = 0; rank < 4; ++rank) {
    for (const bid& b : bids)
      counts[static_cast<std::size_t>(rank)] += in_rank(b.price, rank) ? 1U : 0U;
  }
  return counts;
}
by_rank distinct_ranks(const std::vector<bid>& bids, std::int64_t bid::* id) {
  by_rank counts{};
  for (int rank = 0; rank < 4; ++rank) {
    std::set<std::int64_t> ids;
    for (const bid& b : bids) {
      if (in_rank(b.price, rank)) ids.insert(b.*id);
    }
    counts[static_cast<std::size_t>(rank)] = ids.size();
  }
  return counts;
}

void q15(const everything& all, put& out) {
  std::map<std::int64_t, std::vector<bid>> groups;
  for (const bid& b : all.bids) groups[days(b.at)].push_back(b);
  for (const auto& [day, bids] : groups) {
    out(q15_row{day, ranks(bids), distinct_ranks(bids, &bid::bidder),
                distinct_ranks(bids, &bid::auction)});
  }
}

void q16(const everything& all, put& out) {
  std::map<std::pair<std::string, std::int64_t>, std::vector<bid>> groups;
  for (const bid& b : all.bids) groups[{std::string(b.channel.view()), days(b.at)}].push_back(b);
  for (const auto& [key, bids] : groups) {
    std::int64_t minute = 0;
    for (const bid& b : bids) {
      minute = std::max<std::int64_t>(minute, b.at.time_since_epoch() % 24h / 1min);
    }
    out(q16_row{bids.front().channel, key.second, minute, ranks(bids),
                distinct_ranks(bids, &bid::bidder), distinct_ranks(bids, &bid::auction)});
  }
}

void q17(const everything& all, put& out) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<bid>> groups;
  for (const bid& b : all.bids) groups[{b.auction, days(b.at)}].push_back(b);
  for (const auto& [key, bids] : groups) {
    std::vector<std::int64_t> prices;
    std::int64_t sum = 0;
    for (const bid& b : bids) prices.push_back(b.price);
    for (const std::int64_t each : prices) sum += each;
    out(q17_row{key.first, key.second, ranks(bids), *std::min_element(prices.begin(), prices.end()),
                *std::max_element(prices.begin(), prices.end()),
                sum / static_cast<std::int64_t>(prices.size()), sum});
  }
}

void q18(const everything& all, put& out) {
  std::map<std::pair<std::int64_t, std::int64_t>, bid> last;
  for (const bid& b : all.bids) {
    const auto [found, fresh] = last.emplace(std::pair(b.bidder, b.auction), b);
    if (b.at >= found->second.at) found->second = b;
  }
  for (const auto& [key, b] : last) out(row_of(b));
}

void q19(const everything& all, put& out) {
  std::map<std::int64_t, std::vector<bid>> groups;
  for (const bid& b : all.bids) groups[b.auction].push_back(b);
  for (auto& [auction, bids] : groups) {
    std::stable_sort(bids.begin(), bids.end(), [](const bid& a, const bid& b) {
      return std::tuple(-a.price, a.at) < std::tuple(-b.price, b.at);
    });
    for (std::size_t i = 0; i < std::min<std::size_t>(10, bids.size()); ++i) {
      out(ranked(bids[i], static_cast<std::int64_t>(i + 1)));
    }
  }
}

void q20(const everything& all, put& out) {
  std::map<std::int64_t, std::vector<bid>> bids;
  for (const bid& b : all.bids) bids[b.auction].push_back(b);
  for (const auction& a : all.auctions) {
    if (a.category != 10) continue;
    for (const bid& b : bids[a.id]) out(joined(b, a));
  }
}

}  // namespace

answer brute_force(std::string_view query, const log_options& log) {
  const everything all(log);
  put out;
  const std::map<std::string_view, std::function<void()>> queries = {
      {"q3", [&] { q3(all, out); }},
      {"q4", [&] { q4(all, out); }},
      {"q5", [&] { q5(all, out); }},
      {"q6", [&] { q6(all, out); }},
      {"q7", [&] { q7(all, out); }},
      {"q8", [&] { q8(all, out); }},
      {"q9", [&] { q9(all, out); }},
      {"q11", [&] { sessions(all, 10s, false, out); }},
      {"q11c", [&] { sessions(all, 1s, true, out); }},
      {"q12", [&] { q12(all, out); }},
      {"q15", [&] { q15(all, out); }},
      {"q16", [&] { q16(all, out); }},
      {"q17", [&] { q17(all, out); }},
      {"q18", [&] { q18(all, out); }},
      {"q19", [&] { q19(all, out); }},
      {"q20", [&] { q20(all, out); }}};
  if (const auto found = queries.find(query); found != queries.end()) {
    found->second();
  } else if (std::set<std::string_view>{"q0", "q1", "q2", "q10", "q13", "q14", "q21", "q22"}
                 .contains(query)) {
    stateless(query, all, out);
  } else {
    throw std::invalid_argument("brute_force: it does not know " + std::string(query));
  }
  return out.all;
}

}  // namespace nexmark
