// The codec of described structs: their fields in order, refused when the description has holes.
//
// Part of `codec.hpp`, which says what bytes it writes; include that one. Stateless functions, safe
// from any thread, without memory of their own. Record time and order play no part.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/standard_codecs.hpp>
#include <freshet/core/fields.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace freshet {

namespace detail {

// Stands for a member of any type in the question of how many members an aggregate has.
struct any_member {
  template <class T>
  operator T() const;
};

template <class T, class... Members>
concept initialisable_from = requires { T{std::declval<Members>()...}; };

template <class T, class... Bases, class... Members>
consteval bool takes_more_than(boost::mp11::mp_list<Bases...>, boost::mp11::mp_list<Members...>) {
  // Either probe may fail where the other succeeds: the first on members that convert from
  // everything, such as std::optional, the second on a member left out in the middle.
  return initialisable_from<T, std::conditional_t<true, any_member, Bases>...,
                            std::conditional_t<true, any_member, Members>..., any_member> ||
         initialisable_from<
             T, typename Bases::type...,
             typename member_type<std::remove_cv_t<decltype(Members::pointer)>>::type...,
             any_member>;
}

template <class... Members>
consteval bool any_is_array(boost::mp11::mp_list<Members...>) {
  return (
      std::is_array_v<typename member_type<std::remove_cv_t<decltype(Members::pointer)>>::type> ||
      ...);
}

// Whether the compiler can tell that the description of `T` leaves a member out: an aggregate then
// accepts one more initialiser than the description has bases and members. Never true by mistake
// for a description in order of declaration; false when it cannot be told, as for classes with
// constructors, and with C arrays, whose elements take initialisers of their own.
template <described T>
consteval bool description_leaves_members_out() {
  using boost::mp11::mp_list;
  using boost::mp11::mp_rename;
  using bases =
      mp_rename<boost::describe::describe_bases<T, boost::describe::mod_any_access>, mp_list>;
  using own =
      mp_rename<boost::describe::describe_members<T, boost::describe::mod_any_access>, mp_list>;
  if constexpr (std::is_aggregate_v<T>) {
    return !any_is_array(own{}) && takes_more_than<T>(bases{}, own{});
  } else {
    return false;
  }
}

// Whether the description names data members that are no fields, because they are not public or
// because a derived struct has a member of the same name.
template <described T>
inline constexpr bool description_has_hidden_members =
    boost::mp11::mp_size<boost::describe::describe_members<
        T, boost::describe::mod_any_access | boost::describe::mod_inherited |
               boost::describe::mod_hidden>>::value != field_count<T>;

template <class T, class Indices = std::make_index_sequence<field_count<T>>>
struct field_types;
template <class T, std::size_t... I>
struct field_types<T, std::index_sequence<I...>> {
  using type = type_list<field_t<T, I>...>;
};

template <class T, std::size_t I>
field_note note_of() {
  const T fresh{};
  field_note note{to_bytes(field<I>(fresh)), {}};
  if constexpr (requires { T::former_names.begin()->then; }) {
    for (const auto& [now, then] : T::former_names) {
      if (now == field_name<T, I>) note.former.emplace_back(then);
    }
  }
  return note;
}

// One for each type; its address tells types apart. Not const: equal constants may be merged.
template <class T>
inline char type_mark = 0;

}  // namespace detail

template <described T>
struct codec<T> {
  using parts = typename detail::field_types<T>::type;
  static void encode(byte_writer& writer, const T& value) {
    static_assert(
        !detail::description_leaves_members_out<T>(),
        "freshet: this description leaves out a member, which would be lost at a restart; "
        "name every base and member in BOOST_DESCRIBE_STRUCT in order of declaration, or "
        "specialise freshet::codec");
    static_assert(!detail::description_has_hidden_members<T>,
                  "freshet: this description holds members that are not public or are hidden by a "
                  "derived struct, and they would be lost at a restart; make them public under "
                  "names of their own, or specialise freshet::codec");
    if constexpr (field_count<T> == 0) freshet::encode(writer, std::monostate{});
    for_each_field(value,
                   [&](std::string_view, const auto& member) { freshet::encode(writer, member); });
  }
  static bool decode(byte_reader& reader, T& value) {
    if constexpr (field_count<T> == 0) {
      std::monostate nothing;
      return freshet::decode(reader, nothing);
    } else {
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return (freshet::decode(reader, field<I>(value)) && ...);
      }(std::make_index_sequence<field_count<T>>{});
    }
  }
  static void format(detail::format_context& context) {
    const void* mark = &detail::type_mark<T>;
    const auto found = std::find(context.enclosing.rbegin(), context.enclosing.rend(), mark);
    if (found != context.enclosing.rend()) {
      context.text += "^" + std::to_string(found - context.enclosing.rbegin() + 1);
      return;
    }
    context.enclosing.push_back(mark);
    std::string_view separator = "{";
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      [[maybe_unused]] const auto append = [&]<std::size_t Index>() {
        context.text.append(separator).append(field_name<T, Index>).append(":");
        if (context.with_notes) context.fields.push_back(detail::note_of<T, Index>());
        detail::append_format<std::remove_cv_t<field_t<T, Index>>>(context);
        separator = ",";
      };
      (append.template operator()<I>(), ...);
    }(std::make_index_sequence<field_count<T>>{});
    context.text += field_count<T> == 0 ? "{}" : "}";
    context.enclosing.pop_back();
  }
};

}  // namespace freshet
