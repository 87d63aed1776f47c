// The operator behind key_by. Internal.
//
// Threads: one task. Cost: one hash per record.
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet::detail {

/// The key's type: what `KeyOf` returns for a record of type `T`, without reference or optional.
template <class KeyOf, class T>
using key_of_t = typename without_optional<
    std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>>::type;

/// The key of a record that has one, by reference where `key_of` gives a reference.
template <class KeyOf, class T>
decltype(auto) key_of_record(const KeyOf& key_of, const T& record) {
  if constexpr (is_optional<std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>>) {
    return key_of_t<KeyOf, T>(*std::invoke(key_of, record));
  } else {
    return std::invoke(key_of, record);
  }
}

/// Whether a key of this type may be one that no key is equal to, itself included: NaN, or what has
/// one in it. Two records could never share it, nor a record find what was kept for it.
template <class Key>
inline constexpr bool may_differ_from_itself =
    std::equality_comparable<Key> && !std::has_unique_object_representations_v<Key> &&
    !std::is_convertible_v<Key, std::string_view>;

template <class T, class KeyOf>
class key_operator final : public unary_operator<T, T> {
 public:
  explicit key_operator(KeyOf key_of) : key_of_(std::move(key_of)) {}

  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return dead_;
  }

  void consume(batch<T>& rows) override {
    this->count_in(rows);
    rows.hashes.resize(rows.size());
    std::size_t row = 0;
    try {
      if constexpr (may_be_absent || may_differ_from_itself<key_of_t<KeyOf, T>>) {
        hash_usable(rows, row);
      } else {
        for (; row < rows.size(); ++row) {
          rows.hashes[row] = stable_hash(std::invoke(key_of_, std::as_const(rows.values[row])));
        }
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
    this->count_out(rows);
    this->out().emit(rows);
  }

 protected:
  void forward(const control& what) override {
    this->out().signal(what);
    dead_.signal(what);
  }

 private:
  static constexpr bool may_be_absent =
      is_optional<std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>>;

  void hash_usable(batch<T>& rows, std::size_t& at) {
    batch<dead_letter> letters;
    rows.keep_rows([&](std::size_t row) {
      at = row;
      decltype(auto) given = std::invoke(key_of_, std::as_const(rows.values[row]));
      if constexpr (may_be_absent) {
        if (!given) return refuse(letters, rows.positions[row], "the record has no key");
        return hash_if_equal_to_itself(rows, row, *given, letters);
      } else {
        return hash_if_equal_to_itself(rows, row, given, letters);
      }
    });
    operator_counters::add(this->context().counters->dead, letters.size());
    dead_.emit(letters);
  }

  bool hash_if_equal_to_itself(batch<T>& rows, std::size_t row, const key_of_t<KeyOf, T>& key,
                               batch<dead_letter>& letters) {
    if constexpr (may_differ_from_itself<key_of_t<KeyOf, T>>) {
      if (!(key == key)) {
        return refuse(letters, rows.positions[row],
                      "the record's key is not a number (NaN), so that no record could share it");
      }
    }
    rows.hashes[row] = stable_hash(key);
    return true;
  }

  // Always false: the row is not kept.
  bool refuse(batch<dead_letter>& letters, const position& at, std::string_view reason) {
    letters.values.push_back({this->context().place, {}, at.sequence, 0, std::string(reason), {}});
    letters.positions.push_back(at);
    return false;
  }

  KeyOf key_of_;
  outlet<dead_letter> dead_;
};

}  // namespace freshet::detail
