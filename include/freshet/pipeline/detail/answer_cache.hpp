// Answers kept for the next record with the same question. Internal.
//
// Time: processing time, given with every call. Threads: one at a time. Memory: `entries` keys and
// answers; the one not asked for the longest goes first. Not part of checkpoints.
#pragma once

#include <freshet/core/hash.hpp>
#include <freshet/core/time.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace freshet::detail {

template <class Key, class Out>
class answer_cache {
 public:
  answer_cache(std::size_t entries, duration ttl) : entries_(entries), ttl_(ttl) {}

  /// Null where there is none, or it is too old. Valid until the next `put`.
  const Out* find(const Key& key, timestamp now) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    if (now >= found->second->expires_at) {
      recent_.erase(found->second);
      places_.erase(found);
      return nullptr;
    }
    recent_.splice(recent_.begin(), recent_, found->second);
    return &found->second->answer;
  }

  void put(Key key, const Out& answer, timestamp now) {
    if (!(key == key)) return;  // NaN: it would neither be found again nor let go.
    const timestamp expires_at = saturating_add(now, ttl_);
    if (const auto known = places_.find(key); known != places_.end()) {
      known->second->answer = answer;
      known->second->expires_at = expires_at;
      recent_.splice(recent_.begin(), recent_, known->second);
      return;
    }
    if (places_.size() >= entries_) {
      places_.erase(recent_.back().key);
      recent_.pop_back();
    }
    recent_.push_front({key, answer, expires_at});
    places_.emplace(std::move(key), recent_.begin());
  }

 private:
  struct kept {
    Key key;
    Out answer;
    timestamp expires_at;
  };
  struct hasher {
    std::size_t operator()(const Key& key) const { return stable_hash(key); }
  };

  std::size_t entries_;
  duration ttl_;
  std::list<kept> recent_;  ///< The one asked for last comes first.
  std::unordered_map<Key, typename std::list<kept>::iterator, hasher> places_;
};

/// Keeps nothing.
struct no_cache {
  template <class T>
  static constexpr bool fits = true;
  template <class T, class Out>
  struct of {
    explicit of(const no_cache&) {}
    const Out* find(const T&, timestamp) { return nullptr; }
    void put(const T&, const Out&, timestamp) {}
  };
};

/// Keeps by what `KeyOf` says of a record.
template <class KeyOf>
struct keyed_cache {
  KeyOf key_of;
  std::size_t entries;
  duration ttl;

  template <class T>
  static constexpr bool fits = std::is_invocable_v<const KeyOf&, const T&>;

  template <class T, class Out>
  class of {
   public:
    explicit of(const keyed_cache& how) : key_of_(how.key_of), kept_(how.entries, how.ttl) {}
    const Out* find(const T& record, timestamp now) {
      return kept_.find(std::invoke(key_of_, record), now);
    }
    void put(const T& record, const Out& answer, timestamp now) {
      kept_.put(std::invoke(key_of_, record), answer, now);
    }

   private:
    using key = std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>;
    KeyOf key_of_;
    answer_cache<key, Out> kept_;
  };
};

}  // namespace freshet::detail
