// A value that is made when it is needed first: what aggregates with a large state keep in the slot
// of a key. Internal.
//
// Eight bytes while there is none. Copies are deep. Belongs to one thread.
#pragma once

#include <freshet/core/codec.hpp>

#include <memory>
#include <utility>

namespace freshet::detail {

template <class T>
class boxed {
 public:
  boxed() = default;
  boxed(const boxed& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
  boxed(boxed&&) noexcept = default;
  boxed& operator=(const boxed& other) {
    if (this != &other) value_ = other ? std::make_unique<T>(*other) : nullptr;
    return *this;
  }
  boxed& operator=(boxed&&) noexcept = default;
  ~boxed() = default;

  explicit operator bool() const { return value_ != nullptr; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_.get(); }
  const T* operator->() const { return value_.get(); }

  /// The value, a copy of `fresh` if there was none.
  T& or_make(const T& fresh) {
    if (!value_) value_ = std::make_unique<T>(fresh);
    return *value_;
  }
  T& emplace() {
    value_ = std::make_unique<T>();
    return *value_;
  }
  void reset() { value_.reset(); }

  /// Merges what `from` holds, by `T::merge`.
  void merge(const boxed& from) {
    if (!from) return;
    if (value_) {
      value_->merge(*from);
    } else {
      *this = from;
    }
  }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace freshet::detail

namespace freshet {

/// As an optional.
template <class T>
struct codec<detail::boxed<T>> {
  using parts = detail::type_list<T>;
  static void encode(byte_writer& writer, const detail::boxed<T>& value) {
    freshet::encode(writer, static_cast<bool>(value));
    if (value) freshet::encode(writer, *value);
  }
  static bool decode(byte_reader& reader, detail::boxed<T>& value) {
    bool has_value = false;
    value.reset();
    if (!freshet::decode(reader, has_value)) return false;
    return !has_value || freshet::decode(reader, value.emplace());
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<T>(context, "optional");
  }
};

}  // namespace freshet
