// Fills structs from JSON text by their shape: the compiled half of `jsonl::read`.
//
// One pass over the text, without a document in between. One thread at a time. Memory: the longest
// string with an escape in it.
#pragma once

#include <freshet/connectors/detail/jsonl_shape.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::jsonl::detail {

class decoder {
 public:
  /// \param root    an object's shape.
  /// \param rename  pairs of a member of `root` and the key that fills it.
  decoder(const shape& root, const std::vector<std::pair<std::string, std::string>>& rename,
          timestamp_format format, std::size_t depth_max);
  decoder(decoder&&) noexcept;
  decoder& operator=(decoder&&) noexcept;
  ~decoder();

  /// Fills `row`, a value of the root's type, from one JSON text.
  /// \return false, and a reason, when it does not fit; the row is then in any valid state.
  bool decode(std::string_view text, void* row);

  const std::string& reason() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace freshet::jsonl::detail
