// Puts an operator with updated results into the graph. Internal.
//
// Composing only; see rows_once.hpp and rows_changing.hpp for what runs.
#pragma once

#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/detail/rows_changing.hpp>
#include <freshet/pipeline/detail/rows_once.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>
#include <freshet/pipeline/fired_stream.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How an operator with updated results is asked to emit them.
template <class E>
concept emission = std::same_as<E, emit_final> || std::same_as<E, emit_complete> ||
                   std::same_as<E, emit_changes> || std::same_as<E, emit_every>;

namespace detail {

/// Emissions that give changes.
template <class E>
inline constexpr bool gives_changes =
    std::is_same_v<E, emit_changes> || std::is_same_v<E, emit_every>;

/// Whether they forget keys that have rows which may still be taken back.
template <emission E>
bool forgets_keys(const E& when) {
  if constexpr (gives_changes<E>) return when.forget_after != never_forgotten;
  return std::is_same_v<E, emit_complete>;
}

template <class T, class Fold>
auto function_for(Fold fold, const emit_final& when) {
  return final_function<T, Fold>(std::move(fold), when);
}
template <class T, class Fold>
auto function_for(Fold fold, const emit_complete& when) {
  return complete_function<T, Fold>(std::move(fold), when);
}
template <class T, class Fold>
auto function_for(Fold fold, const emit_changes& when) {
  return changes_function<T, Fold>(std::move(fold), when);
}
template <class T, class Fold>
auto function_for(Fold fold, const emit_every& when) {
  return every_function<T, Fold>(std::move(fold), when);
}

/// `kind`: the operator. `format`: what the fold's state depends on. `names`: the columns of a row.
/// `by_arrival`: even what is final depends on the order of arrival.
template <class T, class KeyOf, class Fold, emission When>
auto add_updating(const std::string& kind, const std::string& name,
                  const keyed_stream<T, KeyOf>& keyed, Fold fold, const When& when,
                  const std::string& format, std::vector<std::string> names,
                  bool by_arrival = false) {
  const std::string place = kind + " '" + name + "'";
  const stream<T>& records = keyed.records();
  require_usable(place, when.check());
  records.graph()->require_timed(records.from(), place);
  require_distinct(place, names);
  auto function = function_for<T>(std::move(fold), when);
  using out = typename decltype(function)::row;
  const process_look look{
      kind, name, " | " + format + " | " + when.describe(),
      !gives_changes<When> && !by_arrival ? std::string() : kind + " in the order of arrival"};
  const stream<out> rows =
      add_process<out, void>(look, std::move(function), keyed, {records.from()});
  if constexpr (!gives_changes<When>) {
    return fired_stream<out>(rows.graph(), rows.from(), std::move(names));
  } else {
    return change_stream<typename out::row_type>(rows, std::move(names));
  }
}

/// What an operator is over a stream without keys. `Known`: its keyed form.
template <class Keyed>
auto keyed_only(Keyed keyed) {
  return [keyed = std::move(keyed)]<class Upstream>(const Upstream& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      return keyed(upstream);
    } else {
      static_assert(!std::is_same_v<Upstream, Upstream>,
                    "freshet: this operator needs to know which records belong together; put "
                    "key_by(&record::key) before it");
    }
  };
}

}  // namespace detail

}  // namespace freshet
