// Records with key and windows that are no spans of event time, on the way to `aggregate`.
//
// A handle, as every stream.
#pragma once

#include <freshet/pipeline/keying.hpp>

#include <type_traits>
#include <utility>

namespace freshet {

/// `Windows`: `count_window`, or what `processing_time` returns.
template <class T, class KeyOf, class Windows>
class keyed_windows {
 public:
  keyed_windows(keyed_stream<T, KeyOf> records, Windows windows)
      : records_(std::move(records)), windows_(std::move(windows)) {}

  const keyed_stream<T, KeyOf>& records() const { return records_; }
  const Windows& windows() const { return windows_; }

  template <class Operator>
    requires std::is_invocable_v<const Operator&, const keyed_windows&>
  friend auto operator|(const keyed_windows& upstream, const Operator& operation) {
    return operation(upstream);
  }

 private:
  keyed_stream<T, KeyOf> records_;
  Windows windows_;
};

}  // namespace freshet
