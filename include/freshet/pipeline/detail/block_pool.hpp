// Memory for many small things of one operator, and arrays that live in it. Internal.
//
// The state of many keys is visited in no order, and then the time goes into finding memory, not
// into computing: translating an address of a 4 KiB page costs as much as fetching its line. So
// blocks come from large regions on huge pages, and are aligned to cache lines.
//
// Threads: one at a time. Memory: blocks of two sizes for each doubling; what is freed is kept for
// blocks of the same size until the pool dies.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace freshet::detail {

inline constexpr std::size_t cache_line_bytes = 64;

class block_pool {
 public:
  block_pool() = default;
  block_pool(const block_pool&) = delete;
  block_pool& operator=(const block_pool&) = delete;

  /// How much a block for `bytes` holds: 64, 128, 192, 256, 384, 512, 768, ... bytes.
  static std::size_t rounded(std::size_t bytes) { return size_of(class_of(bytes)); }

  /// All that it has asked the system for.
  std::size_t memory_bytes() const { return memory_bytes_; }

  void* allocate(std::size_t bytes) {
    const std::size_t of = class_of(bytes);
    const std::size_t size = size_of(of);
    if (of >= classes) {
      void* large = ::operator new(size, std::align_val_t{cache_line_bytes});
      memory_bytes_ += size;
      return large;
    }
    if (free_[of] != nullptr) return std::exchange(free_[of], free_[of]->next);
    if (size > left_) add_region(size);
    void* block = next_;
    next_ += size;
    left_ -= size;
    return block;
  }

  /// \pre `block` came from `allocate` for as many bytes, or for as many as it holds.
  void free(void* block, std::size_t bytes) noexcept {
    const std::size_t of = class_of(bytes);
    if (of >= classes) {
      ::operator delete(block, std::align_val_t{cache_line_bytes});
      memory_bytes_ -= size_of(of);
    } else {
      free_[of] = ::new (block) free_block{free_[of]};
    }
  }

 private:
  struct free_block {
    free_block* next;
  };
  struct region_deleter {
    std::size_t alignment = cache_line_bytes;
    void operator()(std::byte* region) const noexcept {
      ::operator delete(region, std::align_val_t{alignment});
    }
  };

  static constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
  static constexpr std::size_t classes = 22;  // Up to 64 KiB; what is larger is not pooled.

  // Two classes for each doubling: class 2k holds 64 << k bytes, class 2k - 1 three quarters of it.
  static std::size_t class_of(std::size_t bytes) {
    const std::size_t lines =
        (std::max<std::size_t>(bytes, 1) + cache_line_bytes - 1) / cache_line_bytes;
    const std::size_t power = std::bit_ceil(lines);
    const auto doublings = static_cast<std::size_t>(std::countr_zero(power));
    return 2 * doublings - (power >= 4 && lines <= power / 4 * 3 ? 1 : 0);
  }
  static std::size_t size_of(std::size_t of) {
    const std::size_t whole = cache_line_bytes << ((of + 1) / 2);
    return of % 2 == 0 ? whole : whole / 4 * 3;
  }

  /// Small at first, for jobs with few keys.
  void add_region(std::size_t at_least) {
    const std::size_t size = std::max(at_least, region_bytes_);
    region_bytes_ = std::min(huge_page_bytes, 4 * region_bytes_);
    const std::size_t alignment = size < huge_page_bytes ? cache_line_bytes : huge_page_bytes;
    auto* start = static_cast<std::byte*>(::operator new(size, std::align_val_t{alignment}));
    regions_.emplace_back(start, region_deleter{alignment});
    memory_bytes_ += size;
#if defined(__linux__)
    // A refusal only costs speed.
    if (size >= huge_page_bytes) static_cast<void>(::madvise(start, size, MADV_HUGEPAGE));
#endif
    next_ = start;
    left_ = size;
  }

  std::vector<std::unique_ptr<std::byte, region_deleter>> regions_;
  std::array<free_block*, classes> free_{};
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t region_bytes_ = std::size_t{1} << 15;
  std::size_t memory_bytes_ = 0;
};

/// A vector in a pool that it is told about when it needs it; so it takes 16 bytes. Whoever has it
/// calls `release` before it dies.
template <class T>
class pooled_array {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);
  static_assert(alignof(T) <= cache_line_bytes);

 public:
  pooled_array() = default;
  ~pooled_array() { assert(data_ == nullptr); }
  pooled_array(pooled_array&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  pooled_array& operator=(pooled_array&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }

  void reserve(block_pool& pool, std::size_t count) {
    if (count <= capacity_) return;
    const std::size_t bytes = block_pool::rounded(count * sizeof(T));
    auto* fresh = static_cast<T*>(pool.allocate(bytes));
    std::uninitialized_move(data_, data_ + size_, fresh);
    std::destroy(data_, data_ + size_);
    if (data_ != nullptr) pool.free(data_, capacity_ * sizeof(T));
    data_ = fresh;
    capacity_ = static_cast<std::uint32_t>(bytes / sizeof(T));
  }

  /// Puts `T{parts...}` at the end.
  template <class... Parts>
  void emplace_back(block_pool& pool, Parts&&... parts) {
    if (size_ == capacity_) grow(pool);
    ::new (static_cast<void*>(data_ + size_)) T{std::forward<Parts>(parts)...};
    ++size_;
  }

  template <class... Parts>
  void emplace(block_pool& pool, std::size_t index, Parts&&... parts) {
    emplace_back(pool, std::forward<Parts>(parts)...);
    std::rotate(data_ + index, data_ + size_ - 1, data_ + size_);
  }

  /// Puts `count` default values in front.
  void prepend(block_pool& pool, std::size_t count) {
    reserve(pool, size_ + count);
    std::uninitialized_value_construct(data_ + size_, data_ + size_ + count);
    size_ += static_cast<std::uint32_t>(count);
    std::rotate(data_, data_ + size_ - count, data_ + size_);
  }

  void erase_front(std::size_t count) {
    std::move(data_ + count, data_ + size_, data_);
    truncate(size_ - count);
  }

  void truncate(std::size_t size) {
    std::destroy(data_ + size, data_ + size_);
    size_ = static_cast<std::uint32_t>(size);
  }

  void release(block_pool& pool) {
    truncate(0);
    if (data_ != nullptr) pool.free(data_, capacity_ * sizeof(T));
    data_ = nullptr;
    capacity_ = 0;
  }

 private:
  void grow(block_pool& pool) { reserve(pool, capacity_ + capacity_ / 2 + 1); }

  T* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace freshet::detail
