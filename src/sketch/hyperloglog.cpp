#include <freshet/sketch/hyperloglog.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace freshet {

namespace {

/// Where a token would like to stand in a table of so many cells, a power of two.
std::size_t home_of(std::uint32_t token, std::size_t cells) {
  // A multiplication, because the first bits may be equal for all hashes of one key group.
  return ((token * 0x9e3779b97f4a7c15U) >> 32) & (cells - 1);
}

std::uint32_t tokens_max(int precision) {
  return 3 * ((std::uint32_t{1} << precision) / 16);
}

/// Ertl's sigma: x + sum of x^(2^k) * 2^(k-1) over k >= 1.
double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double sum = x;
  double factor = 1;
  for (double before = -1; before != sum;) {
    x *= x;
    before = sum;
    sum += x * factor;
    factor += factor;
  }
  return sum;
}

/// Ertl's tau: (1 - x - sum of (1 - x^(2^-k))^2 * 2^-k over k >= 1) / 3.
double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double sum = 1 - x;
  double factor = 1;
  for (double before = -1; before != sum;) {
    x = std::sqrt(x);
    before = sum;
    factor /= 2;
    sum -= (1 - x) * (1 - x) * factor;
  }
  return sum / 3;
}

}  // namespace

hyperloglog::hyperloglog(int precision) : precision_(static_cast<std::uint8_t>(precision)) {
  if (precision < precision_min || precision > precision_max) {
    throw std::invalid_argument(
        fmt::format("hyperloglog: precision {} is not in [{}, {}]; 12 gives a standard error of "
                    "1.6 % in 4 KiB",
                    precision, precision_min, precision_max));
  }
}

void hyperloglog::add_token(std::uint32_t token) {
  if (!cells_.empty()) {
    const std::size_t mask = cells_.size() - 1;
    std::size_t cell = home_of(token, cells_.size());
    for (; cells_[cell] != 0; cell = (cell + 1) & mask) {
      if (cells_[cell] == token + 1) return;
    }
    if (4 * (std::size_t{tokens_} + 1) <= 3 * cells_.size()) {
      cells_[cell] = token + 1;
      ++tokens_;
      return;
    }
  }
  if (tokens_ == tokens_max(precision_)) {
    make_dense();
    raise_by_token(token);
    return;
  }
  grow();
  add_token(token);
}

void hyperloglog::grow() {
  constexpr std::size_t fewest = 4;
  const std::vector<std::uint32_t> before = std::move(cells_);
  cells_.assign(std::max(2 * before.size(), fewest), 0);
  tokens_ = 0;
  for (const std::uint32_t cell : before) {
    if (cell != 0) add_token(cell - 1);
  }
}

void hyperloglog::make_dense() {
  const std::vector<std::uint32_t> tokens = std::move(cells_);
  cells_.assign(registers_count() / sizeof(std::uint32_t), 0);
  tokens_ = 0;
  dense_ = true;
  for (const std::uint32_t cell : tokens) {
    if (cell != 0) raise_by_token(cell - 1);
  }
}

void hyperloglog::raise_by_token(std::uint32_t token) {
  // A hash with this token: its first bits, then as many zeros, then a one, if there is room.
  const std::uint64_t prefix = token >> 6;
  const int zeros = static_cast<int>(token & 63);
  std::uint64_t hash = prefix << (64 - token_prefix_bits);
  const int one = 63 - token_prefix_bits - zeros;
  if (one >= 0) hash |= std::uint64_t{1} << one;
  raise(registers()[hash >> (64 - precision_)], rank_of(hash));
}

std::vector<std::uint32_t> hyperloglog::sorted_tokens() const {
  std::vector<std::uint32_t> tokens;
  tokens.reserve(tokens_);
  for (const std::uint32_t cell : cells_) {
    if (cell != 0) tokens.push_back(cell - 1);
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

void hyperloglog::merge(const hyperloglog& other) {
  if (precision_ != other.precision_) {
    throw std::invalid_argument(
        fmt::format("hyperloglog: merge of sketches with precisions {} and {}; give both the same",
                    precision_, other.precision_));
  }
  if (&other == this) return;
  if (other.dense_) {
    if (!dense_) make_dense();
    std::uint8_t* mine = registers();
    const std::uint8_t* theirs = other.registers();
    for (std::size_t i = 0; i < registers_count(); ++i) mine[i] = std::max(mine[i], theirs[i]);
    return;
  }
  for (const std::uint32_t cell : other.cells_) {
    if (cell == 0) continue;
    if (dense_) {
      raise_by_token(cell - 1);
    } else {
      add_token(cell - 1);
    }
  }
}

double hyperloglog::estimate() const {
  if (!dense_) {
    // Two hashes share a token with a chance of 2^-26 / 3: what collisions took, to first order.
    const double tokens = tokens_;
    return tokens + tokens * tokens / (6 * std::ldexp(1.0, token_prefix_bits));
  }
  std::array<std::uint32_t, 65> of_rank{};
  for (std::size_t i = 0; i < registers_count(); ++i) ++of_rank[registers()[i]];
  const auto registers = static_cast<double>(registers_count());
  const auto rank_max = static_cast<std::size_t>(64 - precision_ + 1);
  double sum = registers * tau(1 - of_rank[rank_max] / registers);
  for (std::size_t rank = rank_max - 1; rank >= 1; --rank) sum = (sum + of_rank[rank]) / 2;
  sum += registers * sigma(of_rank[0] / registers);
  constexpr double natural_logarithm_of_2 = 0.693147180559945309417;
  return registers * registers / (2 * natural_logarithm_of_2 * sum);
}

void codec<hyperloglog>::encode(byte_writer& writer, const hyperloglog& value) {
  writer.write_byte(value.precision_);
  if (value.dense_) {
    writer.write_count(tokens_max(value.precision_) + 1);
    writer.write_bytes({reinterpret_cast<const char*>(value.registers()), value.registers_count()});
    return;
  }
  writer.write_count(value.tokens_);
  std::uint32_t before = 0;
  for (const std::uint32_t token : value.sorted_tokens()) {
    writer.write_count(token - std::exchange(before, token));
  }
}

bool codec<hyperloglog>::decode(byte_reader& reader, hyperloglog& value) {
  std::uint8_t precision = 0;
  if (!reader.read_byte(precision)) return false;
  if (precision < hyperloglog::precision_min || precision > hyperloglog::precision_max) {
    return reader.fail("a precision found that is not in [4, 18]");
  }
  value = hyperloglog(precision);
  std::size_t tokens = 0;
  if (!reader.read_size(tokens)) return false;
  if (tokens > tokens_max(precision)) {
    std::string_view registers;
    if (!reader.read_bytes(value.registers_count(), registers)) return false;
    const auto rank_max = static_cast<std::uint8_t>(64 - precision + 1);
    const bool fits = std::all_of(registers.begin(), registers.end(), [&](char each) {
      return static_cast<std::uint8_t>(each) <= rank_max;
    });
    if (!fits) return reader.fail("a register found with more zeros than a hash has");
    value.make_dense();
    std::copy(registers.begin(), registers.end(), reinterpret_cast<char*>(value.registers()));
    return true;
  }
  std::uint64_t token = 0;
  for (std::size_t i = 0; i < tokens; ++i) {
    std::uint64_t distance = 0;
    if (!reader.read_count(distance)) return false;
    if ((i > 0 && distance == 0) || distance > 0xffffffffU || (token += distance) > 0xffffffffU) {
      return reader.fail("tokens found that are not in order");
    }
    constexpr std::uint64_t zeros_max = 64 - hyperloglog::token_prefix_bits;
    if ((token & 63) > zeros_max) return reader.fail("a token found with more zeros than a hash");
    value.add_token(static_cast<std::uint32_t>(token));
  }
  return true;
}

}  // namespace freshet
