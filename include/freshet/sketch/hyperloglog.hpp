// HyperLogLog: how many different hashes came, in a few kilobytes.
//
// Exact but for collisions while there are few, then an estimate with a standard error of about
// 1.04 / sqrt(2^precision). What it holds is a function of the set of hashes alone: any order, any
// number of repetitions, any split merged in any order gives equal sketches and equal bytes. No
// event time; nothing can be taken back. Memory: 32 bytes, and up to 2^precision more, 4 KiB for
// the default. One thread at a time.
#pragma once

#include <freshet/core/codec.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace freshet {

/// Counts different 64-bit hashes, which have to be good ones (`stable_hash`).
///
/// Sparse at first: the distinct 32-bit tokens of the hashes, at most 3/16 * 2^precision of them
/// (768 for the default). A token is the first 26 bits of a hash and the number of zeros that
/// follow. One more makes it dense: 2^precision registers of a byte, each the longest run of zeros,
/// plus one, among the hashes that share its first `precision` bits. Tokens have all that registers
/// need, so that nothing is lost.
/// \source Flajolet, Fusy, Gandouet, and Meunier, "HyperLogLog: the analysis of a near-optimal
///         cardinality estimation algorithm", AofA 2007; Heule, Nunkesser, and Hall, "HyperLogLog
///         in practice", EDBT 2013 (64-bit hashes, the sparse mode); Ertl, "New cardinality
///         estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, 2017, algorithm 6
///         (the estimate, which needs no correction of its bias in any range).
class hyperloglog {
 public:
  static constexpr int precision_min = 4;
  static constexpr int precision_max = 18;

  /// Throws `std::invalid_argument` unless precision is in [4, 18].
  explicit hyperloglog(int precision);
  hyperloglog() : hyperloglog(12) {}

  /// \cost About 1 ns when dense, 3 when sparse.
  void add(std::uint64_t hash) {
    if (dense_) {
      raise(registers()[hash >> (64 - precision_)], rank_of(hash));
    } else {
      add_token(token_of(hash));
    }
  }

  /// Adds the hashes that `other` has seen. Throws `std::invalid_argument` when its precision is
  /// another one.
  void merge(const hyperloglog& other);

  /// How many different hashes came. \cost O(2^precision) when dense, else O(1).
  double estimate() const;

  int precision() const { return precision_; }
  bool dense() const { return dense_; }
  std::size_t memory_bytes() const {
    return sizeof(*this) + cells_.capacity() * sizeof(std::uint32_t);
  }

 private:
  friend struct codec<hyperloglog>;

  static constexpr int token_prefix_bits = 26;

  static void raise(std::uint8_t& to, std::uint8_t rank) {
    if (to < rank) to = rank;
  }

  /// One more than the number of zeros behind the first `precision` bits, of which there are
  /// 64 - precision.
  std::uint8_t rank_of(std::uint64_t hash) const {
    // The bit that is set ends the count where all others are zero.
    const std::uint64_t rest = (hash << precision_) | (std::uint64_t{1} << (precision_ - 1));
    return static_cast<std::uint8_t>(std::countl_zero(rest) + 1);
  }

  static std::uint32_t token_of(std::uint64_t hash) {
    const std::uint64_t rest =
        (hash << token_prefix_bits) | (std::uint64_t{1} << (token_prefix_bits - 1));
    return static_cast<std::uint32_t>(hash >> (64 - token_prefix_bits)) << 6 |
           static_cast<std::uint32_t>(std::countl_zero(rest));
  }

  std::size_t registers_count() const { return std::size_t{1} << precision_; }
  std::uint8_t* registers() { return reinterpret_cast<std::uint8_t*>(cells_.data()); }
  const std::uint8_t* registers() const {
    return reinterpret_cast<const std::uint8_t*>(cells_.data());
  }

  void add_token(std::uint32_t token);
  void grow();
  void make_dense();
  void raise_by_token(std::uint32_t token);
  std::vector<std::uint32_t> sorted_tokens() const;

  // Dense: the registers, four to a cell. Sparse: a hash table of tokens plus one, with linear
  // probing and at most three quarters full; 0 is a vacant cell.
  std::vector<std::uint32_t> cells_;
  std::uint32_t tokens_ = 0;
  std::uint8_t precision_;
  bool dense_ = false;
};

/// The precision; then how many tokens and the tokens in order, each as the distance to the one
/// before; or, above the number of tokens that a sparse sketch can have, the registers.
template <>
struct codec<hyperloglog> {
  static constexpr std::uint32_t version = 1;
  static void encode(byte_writer& writer, const hyperloglog& value);
  static bool decode(byte_reader& reader, hyperloglog& value);
  static std::string format() { return "hyperloglog"; }
};

}  // namespace freshet
