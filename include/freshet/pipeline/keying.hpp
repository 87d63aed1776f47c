// key_by: says which records belong together.
//
// The key is computed from the record wherever it is needed; its stable hash is computed once,
// here, and travels with the batch. Keys are hashed by `stable_hash`, so the same key belongs to
// the same key group in every run and on every machine.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/stream.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// A stream whose records know their key. `KeyOf` is the function given to `key_by`.
template <class T, class KeyOf>
class keyed_stream {
 public:
  using value_type = T;
  using key_type = detail::key_of_t<KeyOf, T>;

  keyed_stream(checked_stream<T> records, KeyOf function, std::string key_name)
      : records_(std::move(records)),
        key_of_(std::move(function)),
        key_name_(std::move(key_name)) {}

  /// Records without a key (an empty optional, NaN), as dead letters. Counted in any case.
  stream<dead_letter> dead() const { return records_.dead(); }

  const stream<T>& records() const { return records_; }
  const KeyOf& key_of() const { return key_of_; }
  /// The name of the key's column: the member's name where the key is a described member.
  const std::string& key_name() const { return key_name_; }

  template <class Operator>
    requires std::is_invocable_v<const Operator&, const keyed_stream&>
  friend auto operator|(const keyed_stream& upstream, const Operator& operation) {
    return operation(upstream);
  }

 private:
  checked_stream<T> records_;
  KeyOf key_of_;
  std::string key_name_;
};

/// Groups records by `key_of(record)`: a member pointer or a function that returns the key or, for
/// records that may have none, an optional key. Records without one, and those whose key is NaN or
/// has one in it, are dead letters.
/// Cost: one hash per record (a mix for integers, XXH3 for strings).
template <class KeyOf>
auto key_by(KeyOf key_of) {
  return [key_of = std::move(key_of)]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_v<const KeyOf&, const T&>,
                  "freshet: key_by needs a member pointer or a function of one record that returns "
                  "its key");
    using key = detail::key_of_t<KeyOf, T>;
    static_assert(stable_hashable<key>,
                  "freshet: this type cannot be a key; use integers, strings, enums, tuples or "
                  "described structs of those, or specialise freshet::hasher");
    detail::node fresh;
    fresh.kind = "key_by";
    fresh.timed = upstream.graph()->timed(upstream.from());
    fresh.inputs = {upstream.from()};
    fresh.make = [key_of] { return std::make_unique<detail::key_operator<T, KeyOf>>(key_of); };
    const detail::node_id id = upstream.graph()->add(std::move(fresh));
    std::string key_name = "key";
    if constexpr (std::is_member_object_pointer_v<KeyOf>) {
      if (const auto name = member_name(key_of); !name.empty()) key_name = std::string(name);
    }
    return keyed_stream<T, KeyOf>(checked_stream<T>(upstream.graph(), {id, 0}, upstream.columns()),
                                  key_of, key_name);
  };
}

}  // namespace freshet
