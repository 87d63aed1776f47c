// Fields: the names, types, and values of a struct's members, from Boost.Describe.
//
// A struct is *described* once, beside its definition, and is then known by name to CSV, JSON,
// checkpoints, and `.as<Row>()`:
//
//     struct payment { std::string card; double amount; };
//     BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))
//
// Fields are the described public data members: those of described bases first, then the struct's
// own, each in the order of the description. Members that are private, protected, static, or
// hidden by a member of a derived struct are no fields. Everything here is decided at compile time:
// no state, no memory, safe from any thread. Time and record order play no part.
#pragma once

#include <boost/describe/bases.hpp>
#include <boost/describe/class.hpp>
#include <boost/describe/members.hpp>
#include <boost/pfr/core.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

template <class T>
consteval bool description_is_complete();

template <class... Bases>
consteval bool descriptions_are_complete(boost::mp11::mp_list<Bases...>) {
  return (description_is_complete<typename Bases::type>() && ...);
}

// Boost.Describe fails to compile, without a word to the user, when a base is named but not
// described itself. Asking first keeps that case within the reach of a concept.
template <class T>
consteval bool description_is_complete() {
  if constexpr (!std::is_class_v<T>) {
    return false;
  } else if constexpr (boost::describe::has_describe_members<T>::value &&
                       boost::describe::has_describe_bases<T>::value) {
    using bases = boost::describe::describe_bases<T, boost::describe::mod_any_access>;
    return descriptions_are_complete(boost::mp11::mp_rename<bases, boost::mp11::mp_list>{});
  } else {
    return false;
  }
}

template <class T>
using field_list =
    boost::describe::describe_members<std::remove_cv_t<T>,
                                      boost::describe::mod_public | boost::describe::mod_inherited>;

template <class T, std::size_t I>
using field_descriptor = boost::mp11::mp_at_c<field_list<T>, I>;

template <class Member>
struct member_type;
template <class T, class M>
struct member_type<M T::*> {
  using type = M;
};

}  // namespace detail

/// A class type described with Boost.Describe, all of its named bases too. `const T` counts as `T`.
template <class T>
concept described = detail::description_is_complete<std::remove_cv_t<T>>();

namespace detail {

// Holds when `T` is described; stops the compiler with one sentence otherwise.
template <class T>
consteval bool require_described() {
  static_assert(described<T>,
                "freshet: this struct has no named fields; describe it, and its bases, with "
                "BOOST_DESCRIBE_STRUCT(name, (bases), (members)) beside its definition");
  return described<T>;
}

}  // namespace detail

/// How many fields `T` has; may be 0.
template <described T>
inline constexpr std::size_t field_count = boost::mp11::mp_size<detail::field_list<T>>::value;

/// The declared type of field `I` of `T`, with the `const` of its declaration, if any.
template <described T, std::size_t I>
  requires(I < field_count<T>)
using field_t = typename detail::member_type<
    std::remove_cv_t<decltype(detail::field_descriptor<T, I>::pointer)>>::type;

/// The name of field `I` of `T`, as written in the source.
template <described T, std::size_t I>
  requires(I < field_count<T>)
inline constexpr std::string_view field_name = detail::field_descriptor<T, I>::name;

/// The names of all fields of `T` in order; an empty array when there are none.
template <class T>
constexpr auto field_names() {
  if constexpr (detail::require_described<T>()) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<std::string_view, field_count<T>>{field_name<T, I>...};
    }(std::make_index_sequence<field_count<T>>{});
  } else {
    return std::array<std::string_view, 0>{};
  }
}

/// Field `I` of `value`, by reference; `const` when `value` is.
template <std::size_t I, described T>
  requires(I < field_count<T>)
constexpr auto& field(T& value) noexcept {
  return value.*detail::field_descriptor<T, I>::pointer;
}

/// Calls `visit(std::string_view name, member&)` for each field of `value`, in order.
template <class T, class F>
constexpr void for_each_field(T& value, F&& visit) {
  if constexpr (detail::require_described<T>()) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (static_cast<void>(visit(field_name<T, I>, field<I>(value))), ...);
    }(std::make_index_sequence<field_count<T>>{});
  }
}

/// Calls `visit(std::string_view name, std::type_identity<member type>{})` for each field of `T`,
/// in order: for what is known before there is a value, such as a CSV header or a format.
template <class T, class F>
constexpr void for_each_field_type(F&& visit) {
  if constexpr (detail::require_described<T>()) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (static_cast<void>(visit(field_name<T, I>, std::type_identity<field_t<T, I>>{})), ...);
    }(std::make_index_sequence<field_count<T>>{});
  }
}

/// The name of the field that `member` points to, or "" when it points to none: to an undescribed
/// or private member, to a member of an undescribed struct, to a function, or to nothing.
/// \note   `&derived::inherited` has the base's type and is looked up in the base.
/// \cost   One comparison for each field of the same type; may run at compile time.
template <class T, class M>
constexpr std::string_view member_name(M T::* member) noexcept {
  std::string_view name;
  if constexpr (described<T> && std::is_object_v<M>) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto take_if_same = [&]<std::size_t Index>() {
        if constexpr (std::is_same_v<field_t<T, Index>, M>) {
          const M T::* candidate = detail::field_descriptor<T, Index>::pointer;
          if (candidate == member) name = field_name<T, Index>;
        }
      };
      (take_if_same.template operator()<I>(), ...);
    }(std::make_index_sequence<field_count<T>>{});
  }
  return name;
}

// --- Plain aggregates, by position
// ----------------------------------------------------------------

/// A plain aggregate that is not described, such as a row passed from one `map` to the next. Its
/// members are reached by position, without names, through Boost.PFR. For TRANSIENT use only:
/// nothing here is ever checkpointed, because two members that swap places would swap their values
/// without anybody noticing.
/// \note   Boost.PFR refuses aggregates with bases, with a message of its own.
template <class T>
concept transient_aggregate =
    std::is_class_v<std::remove_cv_t<T>> && std::is_aggregate_v<std::remove_cv_t<T>> &&
    std::is_copy_constructible_v<std::remove_cv_t<T>> && !described<T> &&
    !requires { std::tuple_size<std::remove_cv_t<T>>::value; };  // std::array is an aggregate too.

/// How many members the aggregate `T` has; may be 0.
template <transient_aggregate T>
inline constexpr std::size_t transient_field_count = boost::pfr::tuple_size_v<std::remove_cv_t<T>>;

/// Member `I` of `value` in order of declaration, by reference; `const` when `value` is.
template <std::size_t I, transient_aggregate T>
  requires(I < transient_field_count<T>)
constexpr auto& transient_field(T& value) noexcept {
  return boost::pfr::get<I>(value);
}

/// Calls `visit(std::size_t index, member&)` for each member of `value`, in order of declaration.
template <transient_aggregate T, class F>
constexpr void for_each_transient_field(T& value, F&& visit) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (static_cast<void>(visit(I, transient_field<I>(value))), ...);
  }(std::make_index_sequence<transient_field_count<T>>{});
}

}  // namespace freshet
