// From fields of text to members of a struct: the typed half of the CSV reader.
//
// Everything that does not depend on the struct is compiled once, in src/connectors/csv_read.cpp.
// What remains here is a table with one small function per member, put in order by the header.
// Threads and memory: see csv.hpp, and include that instead.
#pragma once

#include <freshet/connectors/detail/csv_options.hpp>
#include <freshet/connectors/detail/csv_scanner.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::csv::detail {

// --- What is compiled once -----------------------------------------------------------------------

/// Throws `std::invalid_argument` when `options` are unusable for a struct with these fields.
void check_read_options(const read_options& options, const std::vector<std::string_view>& fields);

/// Which column fills which field, and how times and lines are read: `csv , header, times iso,
/// key=carrier value=delay`. A job may not resume with another text.
std::string describe_reading(const read_options& options,
                             const std::vector<std::string_view>& fields);

/// A member of the struct that wants a column.
struct field_request {
  std::string_view name;
  bool required = true;
};

/// A file at its first record, with its columns found.
struct opened_csv {
  std::unique_ptr<csv_scanner> scanner;
  std::vector<std::optional<std::size_t>> columns;  ///< Of each request, in order.
  std::vector<std::string> names;                   ///< Of each request's column.
  std::size_t fields_wanted = 0;                    ///< How many fields a record must have.
  bool more_fields_allowed = false;
};

/// Reads `input`, the file `path`, from `position`, or from the beginning when there is none.
absl::StatusOr<opened_csv> open_csv(std::unique_ptr<freshet::detail::input_file> input,
                                    const std::string& path, const read_options& options,
                                    const std::vector<field_request>& requests,
                                    std::optional<std::string_view> position);

std::string wrong_field_count(const opened_csv& file);
std::string wrong_field(std::string_view column, std::string_view found, std::string_view wanted);
std::string wanted_integer(std::int64_t from, std::uint64_t to);
std::string_view wanted_time(timestamp_format format);

/// `text` with each doubled quote as one, in `out`.
void undouble_quotes(std::string_view text, std::string& out);

std::string_view without_blanks(std::string_view text);
bool parse(std::string_view text, std::int64_t& out);
bool parse(std::string_view text, std::uint64_t& out);
bool parse(std::string_view text, float& out);
bool parse(std::string_view text, double& out);
bool parse(std::string_view text, bool& out);
bool parse(std::string_view text, timestamp_format format, timestamp& out);
bool parse(std::string_view text, duration& out);

// --- What depends on the member ------------------------------------------------------------------

/// One field of a record, its quotes removed.
struct field_text {
  std::string_view text;
  bool quoted = false;
};

template <class X>
concept plain_integer = std::integral<X> && !std::same_as<X, bool> && !std::same_as<X, char> &&
                        !std::same_as<X, wchar_t> && !std::same_as<X, char8_t> &&
                        !std::same_as<X, char16_t> && !std::same_as<X, char32_t> && sizeof(X) <= 8;

/// Durations of whole microseconds or coarser: those that `freshet::duration` holds without loss.
template <class X>
inline constexpr bool is_whole_duration = false;
template <class Rep, class Period>
inline constexpr bool is_whole_duration<std::chrono::duration<Rep, Period>> =
    plain_integer<Rep> && std::is_convertible_v<std::chrono::duration<Rep, Period>, duration>;

template <class X>
inline constexpr bool is_optional = false;
template <class X>
inline constexpr bool is_optional<std::optional<X>> = true;

template <class X>
consteval bool readable() {
  if constexpr (is_optional<X>) {
    return !is_optional<typename X::value_type> && readable<typename X::value_type>();
  } else {
    return plain_integer<X> || std::same_as<X, bool> || std::same_as<X, char> ||
           std::same_as<X, float> || std::same_as<X, double> || std::same_as<X, std::string> ||
           std::same_as<X, timestamp> || std::same_as<X, raw_record> || is_whole_duration<X>;
  }
}

template <class T>
consteval bool csv_readable_fields() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (readable<field_t<T, I>>() && ...);
  }(std::make_index_sequence<field_count<T>>{});
}

/// Fills a member from its field; false when the text is no value of the member's type.
template <class X>
bool fill(const field_text& from, timestamp_format format, X& out) {
  if constexpr (is_optional<X>) {
    using value_type = typename X::value_type;
    constexpr bool verbatim =
        std::same_as<value_type, std::string> || std::same_as<value_type, char>;
    const bool empty =
        verbatim ? from.text.empty() && !from.quoted : without_blanks(from.text).empty();
    if (empty) {
      out.reset();
      return true;
    }
    return fill(from, format, out.emplace());
  } else if constexpr (plain_integer<X>) {
    using wide = std::conditional_t<std::is_signed_v<X>, std::int64_t, std::uint64_t>;
    wide number = 0;
    if (!parse(from.text, number)) return false;
    if (number < std::numeric_limits<X>::min() || number > std::numeric_limits<X>::max()) {
      return false;
    }
    out = static_cast<X>(number);
    return true;
  } else if constexpr (std::same_as<X, char>) {
    if (from.text.size() != 1) return false;
    out = from.text.front();
    return true;
  } else if constexpr (std::same_as<X, std::string>) {
    out.assign(from.text.data(), from.text.size());
    return true;
  } else if constexpr (std::same_as<X, timestamp>) {
    return parse(from.text, format, out);
  } else if constexpr (is_whole_duration<X>) {
    typename X::rep count = 0;
    if (fill(from, format, count)) {
      // A count of coarse units may be more than 64 bits of microseconds hold: refuse it here, so
      // that nothing downstream has to.
      constexpr auto limit =
          std::chrono::duration_cast<std::chrono::duration<std::int64_t, typename X::period>>(
              duration::max());
      if (!std::in_range<std::int64_t>(count)) return false;
      const auto wide = static_cast<std::int64_t>(count);
      if (wide > limit.count() || wide < -limit.count()) return false;
      out = X(count);
      return true;
    }
    duration length{};
    if (!parse(from.text, length)) return false;
    using wide = std::chrono::duration<std::int64_t, typename X::period>;
    const auto whole = std::chrono::duration_cast<wide>(length);
    if (whole != length || !std::in_range<typename X::rep>(whole.count())) return false;
    out = X(static_cast<typename X::rep>(whole.count()));
    return true;
  } else {
    return parse(from.text, out);
  }
}

/// What a dead letter says that a member wanted.
template <class X>
std::string wanted(timestamp_format format) {
  if constexpr (is_optional<X>) {
    return wanted<typename X::value_type>(format) + " or nothing";
  } else if constexpr (plain_integer<X>) {
    return wanted_integer(static_cast<std::int64_t>(std::numeric_limits<X>::min()),
                          static_cast<std::uint64_t>(std::numeric_limits<X>::max()));
  } else if constexpr (std::floating_point<X>) {
    return "a number";
  } else if constexpr (std::same_as<X, bool>) {
    return "true, false, 1, or 0";
  } else if constexpr (std::same_as<X, char>) {
    return "one character";
  } else if constexpr (std::same_as<X, timestamp>) {
    return std::string(wanted_time(format));
  } else {
    return "a duration like 90s or 1h30min, or a count of the field's unit";
  }
}

/// How to fill one member: the bridge from a column's number to a member's type.
template <class T>
struct member_filler {
  bool (*fill)(const field_text& from, timestamp_format format, T& row);
  std::string (*wanted)(timestamp_format format);
};

/// Calls `f.template operator()<I>()` for the members of `T` that want a column, in order.
template <class T, class F>
constexpr void for_each_column_member(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto unless_raw = [&]<std::size_t Index>() {
      if constexpr (!std::same_as<field_t<T, Index>, raw_record>) f.template operator()<Index>();
    };
    (unless_raw.template operator()<I>(), ...);
  }(std::make_index_sequence<field_count<T>>{});
}

/// Gives members that want the record's own text what they want.
template <class T>
void fill_raw_records(std::string_view text, T& row) {
  for_each_field(row, [text](std::string_view, auto& member) {
    if constexpr (std::same_as<std::remove_cvref_t<decltype(member)>, raw_record>) {
      member.text.assign(text.data(), text.size());
    }
  });
}

template <class T>
std::vector<std::string_view> field_name_list() {
  std::vector<std::string_view> names;
  for_each_column_member<T>([&]<std::size_t I>() { names.push_back(field_name<T, I>); });
  return names;
}

/// The records of one file as rows of `T`.
template <class T>
class csv_records {
 public:
  using value_type = T;

  csv_records(opened_csv file, timestamp_format format) : file_(std::move(file)), format_(format) {
    std::size_t request = 0;
    for_each_column_member<T>([&]<std::size_t I>() {
      const auto column = file_.columns[request];
      if (column) bindings_.push_back({*column, request, filler_of<I>()});
      ++request;
    });
  }

  scanned next() { return file_.scanner->next(); }
  const freshet::detail::record_buffer& buffer() const { return *file_.scanner; }
  std::string position() const { return encode_position(file_.scanner->position()); }

  /// Appends the current record to `rows`, or else returns what is wrong with it.
  std::optional<std::string> take(std::vector<T>& rows) {
    const csv_scanner& scanner = *file_.scanner;
    const std::size_t count = scanner.field_count();
    if (count != file_.fields_wanted &&
        !(file_.more_fields_allowed && count > file_.fields_wanted)) {
      return wrong_field_count(file_);
    }
    T& row = rows.emplace_back();
    const char* const text = scanner.text().data();
    const field_span* const fields = scanner.fields();
    for (const binding& to : bindings_) {
      const field_span& span = fields[to.column];
      field_text from{{text + span.begin, span.size}, span.quoted};
      if (span.has_quotes) {
        undouble_quotes(from.text, undoubled_);
        from.text = undoubled_;
      }
      if (!to.member.fill(from, format_, row)) [[unlikely]] {
        rows.pop_back();
        return wrong_field(file_.names[to.request], from.text, to.member.wanted(format_));
      }
    }
    fill_raw_records(scanner.text(), row);
    return std::nullopt;
  }

 private:
  struct binding {
    std::size_t column;
    std::size_t request;
    member_filler<T> member;
  };

  template <std::size_t I>
  static constexpr member_filler<T> filler_of() {
    return {[](const field_text& from, timestamp_format format, T& row) {
              return detail::fill(from, format, freshet::field<I>(row));
            },
            &detail::wanted<field_t<T, I>>};
  }

  opened_csv file_;
  timestamp_format format_;
  std::vector<binding> bindings_;
  std::string undoubled_;
};

/// How one `csv::read` opens its files.
template <class T>
class csv_format {
 public:
  using records = csv_records<T>;
  static constexpr std::string_view reader_name = "csv::read";

  explicit csv_format(read_options options) : options_(std::move(options)) {
    for_each_column_member<T>([&]<std::size_t I>() {
      requests_.push_back({field_name<T, I>, !is_optional<field_t<T, I>>});
    });
  }

  const std::optional<follow>& following() const { return options_.follow; }

  std::string describe() const { return describe_reading(options_, field_name_list<T>()); }

  absl::StatusOr<records> open(std::unique_ptr<freshet::detail::input_file> input,
                               const std::string& path,
                               std::optional<std::string_view> position) const {
    absl::StatusOr<opened_csv> file =
        open_csv(std::move(input), path, options_, requests_, position);
    if (!file.ok()) return file.status();
    return records(*std::move(file), options_.time_format);
  }

 private:
  read_options options_;
  std::vector<field_request> requests_;
};

}  // namespace freshet::csv::detail
