// Side outputs: further streams of an operator, told apart by a tag with a name and a type.
//
//     constexpr fr::side_output<"alerts", alert> alerts;
//     auto [scores, raised] = payments | fr::key_by(&payment::card)
//                                      | fr::process<score>("scoring", scoring{}, alerts);
//     // in the function: context.emit(alerts, alert{...});
//
// Tags are values without members. Rows of a side output carry the times of what caused them, as
// those of the main output do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace freshet {

/// A text that can be a template argument.
template <std::size_t Size>
struct fixed_text {
  char characters[Size] = {};

  consteval fixed_text(const char (&text)[Size]) { std::copy_n(text, Size, characters); }
  constexpr std::string_view view() const { return {characters, Size - 1}; }
  friend constexpr bool operator==(const fixed_text&, const fixed_text&) = default;
};

/// A side output called `Name` of rows of type `T`.
template <fixed_text Name, class T>
struct side_output {
  using value_type = T;
  static constexpr std::string_view name = Name.view();
};

}  // namespace freshet
