// Codec: values to bytes and back, for checkpoints.
//
// Equal values of one type give equal bytes, on every platform, so rows can be sorted and compared
// as bytes (two exceptions, because restored state must behave as the saved one did: 0.0 and -0.0,
// and the NaNs, keep their bits). Decoding checks everything: damaged or hostile bytes give an
// error, never a crash, and allocate in proportion to the bytes that are there. Record time and
// order play no part. Functions are safe from any thread; a writer or reader belongs to one.
//
// The bytes of a value, little-endian and by position, without names or types:
//   bool                      1 byte, 0 or 1
//   integer, char, enum       its 1, 2, 4, or 8 bytes, two's complement
//   float, double             the 4 or 8 bytes of its IEEE 754 bits
//   chrono duration           its count; a `system_clock` time point the count since the epoch
//   string                    count of bytes, the bytes
//   optional                  bool "has a value", then the value if it has one
//   vector, deque             count of elements, the elements
//   array, pair, tuple        the elements
//   described struct          the fields, as `fields.hpp` orders them
//   map, set                  count, the entries (key, then mapped value) in the container's order
//   unordered or flat hash    the same, entries sorted as bytes
//   variant                   index of the alternative as a count, the alternative
//   what has no parts         (monostate, empty tuple, array, or struct) one byte 0
//   a type with its own codec the codec's version as a count, count of bytes, the bytes
// A count is an unsigned LEB128: 7 bits a byte, low ones first, high bit set on all but the last
// byte, in the shortest form. So every value takes at least one byte, and no count can promise more
// elements than there are bytes left.
//
// Names and types are not repeated in every row; they stand once in `format_of<T>()`, which whoever
// keeps bytes keeps beside them and compares before decoding. Swapped fields thus never go unseen.
// The format alone tells where each part of a value ends, so that bytes of another format can be
// made into those of this one: see schema.hpp.
#pragma once

#include <freshet/core/bytes.hpp>

#include <absl/status/statusor.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How a `T` becomes bytes. Two ways to extend it, the first without code:
///  1. describe the struct: `BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))`;
///  2. specialise `codec<T>` before its first use, with three static functions:
///       `void encode(byte_writer&, const T&)`  writes the value, equal bytes for equal values;
///       `bool decode(byte_reader&, T&)`        reads exactly those; returns false after
///                                              `byte_reader::fail`, and must trust no count;
///       `std::string format()`                 the name of the format, as in "quantiles".
///     When the bytes change, count `static constexpr std::uint32_t version = 2` up from 1. Bytes
///     of earlier versions are read by `bool decode(byte_reader&, T&, std::uint32_t version)` in
///     place of the shorter one, from `static constexpr std::uint32_t oldest_version = 1` on.
/// Either way `T` must be default-constructible, because `decode` fills an existing value.
/// \note   A description that leaves out a member of an aggregate does not compile. In a class with
///         constructors or C arrays no compiler can tell, and what is left out is not saved.
template <class T>
struct codec;

// --- What can be checkpointed
// ---------------------------------------------------------------------

namespace detail {

/// What is known of a field of a described struct beside its format.
struct field_note {
  std::string fresh;                ///< The bytes of its value in a `T{}`.
  std::vector<std::string> former;  ///< Names that it had before.
};

// Collects a format. Knows the structs around the current place, so that a struct that contains
// itself can be named by how many structs further out it stands: "^1" is the innermost one.
struct format_context {
  std::string text;
  std::vector<const void*> enclosing;
  bool with_notes = false;
  std::vector<field_note> fields;              ///< In the order of their names in the text.
  std::vector<std::uint32_t> oldest_versions;  ///< That each codec in the text reads, in order.
};

template <class... Types>
struct type_list {};

template <class T>
concept format_in_context = requires(format_context& context) { codec<T>::format(context); };

// A codec for the type itself, whatever its parts are. Built-in codecs name their parts.
// Asks for `T{}` and not for std::default_initializable, because clang may have asked that one
// while a struct that contains itself was still incomplete, and keeps the answer.
template <class T>
concept decodes_versions = requires(byte_reader& reader, T& out, std::uint32_t version) {
  { codec<T>::decode(reader, out, version) } -> std::same_as<bool>;
};

template <class T>
concept has_codec =
    requires { T{}; } && requires(byte_writer& writer, byte_reader& reader, const T& in) {
      codec<T>::encode(writer, in);
    } && (decodes_versions<T> || requires(byte_reader& reader, T& out) {
      { codec<T>::decode(reader, out) } -> std::same_as<bool>;
    }) && (format_in_context<T> || requires {
      { codec<T>::format() } -> std::convertible_to<std::string>;
    });

// The versions of a codec of the user's.
template <class T>
consteval std::uint32_t codec_version() {
  if constexpr (requires { codec<T>::version; }) return codec<T>::version;
  return 1;
}
template <class T>
consteval std::uint32_t oldest_codec_version() {
  static_assert(codec_version<T>() > 0, "freshet: versions of codecs count from 1");
  if constexpr (requires { codec<T>::oldest_version; }) {
    static_assert(decodes_versions<T> || codec<T>::oldest_version == codec_version<T>(),
                  "freshet: a codec that reads older versions must be told which; give it "
                  "decode(byte_reader&, T&, std::uint32_t version)");
    return codec<T>::oldest_version;
  }
  return decodes_versions<T> ? 1 : codec_version<T>();
}

// Around the bytes of such a codec: its version, and their count.
void write_own(byte_writer& writer, std::uint32_t version, std::string_view bytes);
bool read_own(byte_reader& reader, std::uint32_t oldest, std::uint32_t newest,
              std::uint32_t& version, std::string_view& bytes);
bool end_own(byte_reader& reader, byte_reader& inside, bool decoded);
void append_own_format(format_context& context, std::string_view name, std::uint32_t oldest,
                       std::uint32_t version);

template <class T, class... Enclosing>
consteval bool can_checkpoint();

template <class... Parts, class... Enclosing>
consteval bool can_checkpoint_all(type_list<Parts...>, type_list<Enclosing...>) {
  return (can_checkpoint<Parts, Enclosing...>() && ...);
}

// `Enclosing` are the types on the way here: meeting one again proves nothing new about it, and
// must end the walk, because a struct may contain itself through a vector.
template <class T, class... Enclosing>
consteval bool can_checkpoint() {
  if constexpr ((std::same_as<T, Enclosing> || ...)) {
    return true;
  } else if constexpr (!has_codec<T>) {
    return false;
  } else if constexpr (requires { typename codec<T>::parts; }) {
    return can_checkpoint_all(typename codec<T>::parts{}, type_list<T, Enclosing...>{});
  } else {
    return true;
  }
}

// An enumeration without a fixed underlying type has no defined value for most hostile bytes.
template <class T>
concept open_enumeration = std::is_enum_v<T> && !requires { T{std::underlying_type_t<T>{}}; };

// Holds when `T` itself has a codec; stops the compiler with one sentence otherwise. The parts of
// `T` are asked when they are reached, so that the sentence comes with the type that is at fault.
template <class T>
consteval bool require_codec() {
  static_assert(!open_enumeration<T>,
                "freshet: this enumeration has no fixed underlying type, so damaged bytes could "
                "become an undefined value; write `enum name : int`, or make it an enum class");
  static_assert(has_codec<T> || open_enumeration<T>,
                "freshet: this type cannot be checkpointed; describe it and its bases with "
                "BOOST_DESCRIBE_STRUCT and make it default-constructible, or specialise "
                "freshet::codec");
  return has_codec<T>;
}

}  // namespace detail

/// What `encode`, `decode`, and `format_of` accept: `T` and everything in it has a codec.
/// \note   False for pointers, views, `long double`, `wchar_t`, and the time points of clocks whose
///         epoch changes with a restart (`steady_clock`).
template <class T>
concept checkpointable = detail::can_checkpoint<T>();

/// Appends the bytes of `value`. Throws only what memory, nesting, or a user's codec throws.
template <class T>
void encode(byte_writer& writer, const T& value) {
  if constexpr (detail::require_codec<T>()) {
    if constexpr (detail::format_in_context<T>) {
      codec<T>::encode(writer, value);
    } else {
      std::string bytes;
      byte_writer inside = writer.beside(bytes);
      codec<T>::encode(inside, value);
      detail::write_own(writer, detail::codec_version<T>(), bytes);
    }
  }
}

/// Reads a value into `value`. Returns false when the bytes are no `T`: `reader` then holds the
/// reason, and `value` is valid but unspecified.
template <class T>
[[nodiscard]] bool decode(byte_reader& reader, T& value) {
  if constexpr (!detail::require_codec<T>()) {
    return false;
  } else if constexpr (detail::format_in_context<T>) {
    return codec<T>::decode(reader, value);
  } else {
    std::uint32_t version = 0;
    std::string_view bytes;
    if (!detail::read_own(reader, detail::oldest_codec_version<T>(), detail::codec_version<T>(),
                          version, bytes)) {
      return false;
    }
    byte_reader inside = reader.inside(bytes);
    if constexpr (detail::decodes_versions<T>) {
      return detail::end_own(reader, inside, codec<T>::decode(inside, value, version));
    } else {
      return detail::end_own(reader, inside, codec<T>::decode(inside, value));
    }
  }
}

/// The bytes of `value`.
template <class T>
std::string to_bytes(const T& value) {
  std::string bytes;
  byte_writer writer(bytes);
  freshet::encode(writer, value);
  return bytes;
}

/// The value that `bytes`, all of them, stand for; `DataLoss` when there is none.
template <class T>
absl::StatusOr<T> from_bytes(std::string_view bytes) {
  byte_reader reader(bytes);
  T value{};
  if (freshet::decode(reader, value) && reader.remaining() > 0) {
    reader.fail("bytes after the value " + std::to_string(reader.remaining()) + ", wanted 0");
  }
  if (!reader.ok()) return reader.status();
  return value;
}

namespace detail {

template <class T>
void append_format(format_context& context) {
  if constexpr (require_codec<T>()) {
    if constexpr (format_in_context<T>) {
      codec<T>::format(context);
    } else {
      append_own_format(context, codec<T>::format(), oldest_codec_version<T>(), codec_version<T>());
    }
  }
}

// "name<first,second>"
template <class... Parts>
void append_format_of_parts(format_context& context, std::string_view name) {
  context.text.append(name).append("<");
  std::string_view separator;
  ((context.text += separator, append_format<Parts>(context), separator = ","), ...);
  context.text += ">";
}

}  // namespace detail

/// The format of `T` in words, equal for two types exactly when each can read the other's bytes
/// with the same meaning: "i64", "optional<f64>", "map<string,vector<time_us>>",
/// "{card:string,amount:f64}". Holds field names and types in order; the names of structs are not
/// part of it, so renaming a struct keeps its checkpoints.
/// \note   "^2" stands for a struct met again inside itself, here the second one further out; a
///         codec of your own appears as its name in quotes and its version, `"quantiles":2`.
/// \cost   Builds a string; call it once per state, not per row.
template <class T>
std::string format_of() {
  detail::format_context context;
  detail::append_format<T>(context);
  return std::move(context.text);
}

/// A format, with what reading bytes of an older one takes.
struct value_schema {
  std::string text;                                 ///< What `format_of` gives.
  std::vector<detail::field_note> fields = {};      ///< By the order of their names in the text.
  std::vector<std::uint32_t> oldest_versions = {};  ///< Of the quoted names in the text.
};

/// The same as `format_of`, and the values that fields have in a `T{}`: those that bytes without
/// these fields stand for. \cost Makes a `T{}` for every field, once per state.
template <class T>
value_schema schema_of() {
  detail::format_context context;
  context.with_notes = true;
  detail::append_format<T>(context);
  return {std::move(context.text), std::move(context.fields), std::move(context.oldest_versions)};
}

/// That a field had another name. A described struct says so in a static member:
///
///     static constexpr std::array former_names{freshet::former_name{"amount", "value"}};
///
/// Bytes with a field `value` and none called `amount` then give it to `amount`.
struct former_name {
  std::string_view now;
  std::string_view then;
};

}  // namespace freshet

#include <freshet/core/detail/container_codecs.hpp>
#include <freshet/core/detail/described_codec.hpp>
#include <freshet/core/detail/standard_codecs.hpp>
