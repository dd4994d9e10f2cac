// Bytes that grow, moved and copied as blocks and never zeroed first. (std::vector with an
// allocator that does not zero copies byte by byte.)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "platform/memory_reserve.h"

namespace aiomqtt {

class RawBuffer {
 public:
  using value_type = std::uint8_t;

  RawBuffer() = default;
  explicit RawBuffer(std::size_t size) { resize(size); }
  RawBuffer(std::initializer_list<std::uint8_t> bytes) { append({bytes.begin(), bytes.size()}); }
  RawBuffer(const RawBuffer& other) { append(other); }
  RawBuffer(RawBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  RawBuffer& operator=(RawBuffer other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~RawBuffer() { std::free(data_); }

  [[nodiscard]] std::uint8_t* data() noexcept { return data_; }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::uint8_t* begin() noexcept { return data_; }
  [[nodiscard]] std::uint8_t* end() noexcept { return data_ + size_; }
  [[nodiscard]] const std::uint8_t* begin() const noexcept { return data_; }
  [[nodiscard]] const std::uint8_t* end() const noexcept { return data_ + size_; }
  std::uint8_t& operator[](std::size_t at) noexcept { return data_[at]; }
  const std::uint8_t& operator[](std::size_t at) const noexcept { return data_[at]; }

  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    void* const grown = retry_with_reserve([&] { return std::realloc(data_, capacity); });
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<std::uint8_t*>(grown);
    capacity_ = capacity;
  }
  // So many more bytes can be appended without an allocation.
  void make_room(std::size_t count) {
    const std::size_t size = size_ + count;
    if (size > capacity_) reserve(std::max(size, 2 * capacity_));
  }
  // What it grows by has no defined value.
  void resize(std::size_t size) {
    if (size > size_) make_room(size - size_);
    size_ = size;
  }
  void clear() noexcept { size_ = 0; }
  void append(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return;
    const std::size_t old_size = size_;
    resize(old_size + bytes.size());
    std::memcpy(data_ + old_size, bytes.data(), bytes.size());
  }
  void assign(std::span<const std::uint8_t> bytes) {
    clear();
    append(bytes);
  }
  // Takes the first `count` bytes away.
  void drop_front(std::size_t count) noexcept {
    size_ -= count;
    std::memmove(data_, data_ + count, size_);
  }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// A large payload on its way from JavaScript to the kernel, which is copied nowhere in between.
using SharedBuffer = std::shared_ptr<const RawBuffer>;

}  // namespace aiomqtt
