// The keys of the state rows of `trailing`. Internal.
//
// A row is a record or a closed pane of one key. Rows of one key sort by time, so that a restore
// meets them in order:
//
//     record  'r'  key  event time, sequence, split, fan-out index, copy
//     pane    'p'  key  width, begin
//
// with numbers big endian, and the sign bits of times flipped.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/state/backend.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace freshet::detail {

inline constexpr char buffered_tag = 'b';
inline constexpr char record_tag = 'r';
inline constexpr char pane_tag = 'p';

template <std::unsigned_integral Number>
void append_sorting(std::string& to, Number number) {
  for (int shift = static_cast<int>(sizeof(Number)) * 8 - 8; shift >= 0; shift -= 8) {
    to.push_back(static_cast<char>((number >> shift) & 0xff));
  }
}
inline void append_sorting(std::string& to, timestamp at) {
  const auto bytes = encode_expiry(at);
  to.append(bytes.begin(), bytes.end());
}

template <std::unsigned_integral Number>
bool read_sorting(byte_reader& from, Number& number) {
  std::string_view bytes;
  if (!from.read_bytes(sizeof(Number), bytes)) return false;
  number = 0;
  for (const char byte : bytes) {
    number = static_cast<Number>(number << 8 | static_cast<unsigned char>(byte));
  }
  return true;
}
inline bool read_sorting(byte_reader& from, timestamp& at) {
  std::string_view bytes;
  if (!from.read_bytes(expiry_bytes, bytes)) return false;
  at = decode_expiry(bytes);
  return true;
}

template <class Key>
std::string record_key(const Key& of, const order_key& order, std::uint32_t copy) {
  std::string bytes(1, record_tag);
  byte_writer writer(bytes);
  encode(writer, of);
  append_sorting(bytes, order.at);
  append_sorting(bytes, order.where.sequence);
  append_sorting(bytes, order.where.split);
  append_sorting(bytes, order.where.fanout);
  append_sorting(bytes, copy);
  return bytes;
}

template <class Key>
std::string pane_key(const Key& of, duration width, timestamp begin) {
  std::string bytes(1, pane_tag);
  byte_writer writer(bytes);
  encode(writer, of);
  append_sorting(bytes, static_cast<std::uint64_t>(width.count()));
  append_sorting(bytes, begin);
  return bytes;
}

template <class Key>
struct state_key {
  char tag = record_tag;
  Key of{};
  order_key order;  ///< Of a pane the time only: where it begins.
  std::uint32_t copy = 0;
  duration width{0};
};

/// Reads the key of a record or a pane; false when it is neither.
template <class Key>
bool parse(std::string_view bytes, state_key<Key>& to) {
  if (bytes.empty()) return false;
  to.tag = bytes.front();
  byte_reader from(bytes.substr(1));
  if (!decode(from, to.of)) return false;
  if (to.tag == record_tag) {
    return read_sorting(from, to.order.at) && read_sorting(from, to.order.where.sequence) &&
           read_sorting(from, to.order.where.split) && read_sorting(from, to.order.where.fanout) &&
           read_sorting(from, to.copy) && from.remaining() == 0;
  }
  std::uint64_t width = 0;
  if (to.tag != pane_tag || !read_sorting(from, width)) return false;
  to.width = duration{static_cast<std::int64_t>(width)};
  return read_sorting(from, to.order.at) && from.remaining() == 0;
}

}  // namespace freshet::detail
