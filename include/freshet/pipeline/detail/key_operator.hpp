// The operator behind key_by. Internal.
//
// Threads: one task. Cost: one hash per record.
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <cstddef>
#include <functional>
#include <optional>
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
      if constexpr (is_optional<
                        std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>>) {
        hash_present(rows, row);
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
  void hash_present(batch<T>& rows, std::size_t& at) {
    batch<dead_letter> letters;
    rows.keep_rows([&](std::size_t row) {
      at = row;
      const auto key = std::invoke(key_of_, std::as_const(rows.values[row]));
      if (key) {
        rows.hashes[row] = stable_hash(*key);
        return true;
      }
      letters.values.push_back({this->context().place,
                                {},
                                rows.positions[row].sequence,
                                0,
                                "the record has no key",
                                {}});
      letters.positions.push_back(rows.positions[row]);
      return false;
    });
    operator_counters::add(this->context().counters->dead, letters.size());
    dead_.emit(letters);
  }

  KeyOf key_of_;
  outlet<dead_letter> dead_;
};

}  // namespace freshet::detail
