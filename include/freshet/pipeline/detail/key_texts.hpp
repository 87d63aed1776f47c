// What keys look like of which only the hash is known, found out from records that pass. Internal.
//
// Somebody asks for the texts of some keys; the next batch is searched for them, and who asks again
// gets what was found. Nothing is done while nobody asks. Threads: one task.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace freshet::detail {

/// Strings as they are, and numbers; other keys have no text.
template <class Key>
std::string text_of_key(const Key& key) {
  if constexpr (std::is_convertible_v<const Key&, std::string_view>) {
    return std::string(std::string_view(key));
  } else if constexpr (std::integral<Key> && !std::same_as<Key, bool>) {
    return std::to_string(key);
  } else {
    return {};
  }
}

class key_texts {
 public:
  /// Writes the texts that are known into `keys`, and asks for the others. Those of other keys are
  /// forgotten.
  void name(std::vector<heavy_key>& keys);

  /// Looks for the keys that were asked for.
  template <class T, class KeyOf>
  void look_at(const batch<T>& rows, const KeyOf& key_of) {
    if (wanted_.empty()) return;
    for (std::size_t row = 0; row < rows.size() && !wanted_.empty(); ++row) {
      const auto found = std::find(wanted_.begin(), wanted_.end(), rows.hashes[row]);
      if (found == wanted_.end()) continue;
      known_[*found] = text_of_key(key_of_record(key_of, rows.values[row]));
      wanted_.erase(found);
    }
    wanted_.clear();
  }

 private:
  std::vector<std::uint64_t> wanted_;  ///< Few.
  std::unordered_map<std::uint64_t, std::string> known_;
};

}  // namespace freshet::detail
