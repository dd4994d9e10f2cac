// Memory that is kept for when there is none: a block that is given back when an allocation fails,
// so that the next try succeeds, and what is small can be finished: a connection ends and says why.
//
// Any thread. `operator new` asks for it by std::new_handler; what takes memory from the C library
// asks by retry_with_reserve().
#pragma once

#include <chrono>
#include <cstddef>
#include <new>
#include <thread>

namespace aiomqtt {

class MemoryReserve {
 public:
  // Far more than it takes to end all connections one after the other, if none is large.
  static constexpr std::size_t kSize = 1024 * 1024;

  // Keeps the block, and has operator new ask for it. Once is enough.
  static void open() noexcept;
  // Gives the block back. False: it has been given back before.
  static bool release() noexcept;
  // An allocation has failed, and there has been no block since.
  [[nodiscard]] static bool is_spent() noexcept;
  // Keeps it again. False: there is no memory for it yet.
  static bool refill() noexcept;
};

// Does something small again until there is memory for it: what must not be left undone.
template <typename Action>
void insist(Action action) noexcept {
  for (;;) {
    try {
      action();
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

// What `allocate` gives, which is tried twice if need be; null if there is no memory.
template <typename Allocate>
[[nodiscard]] void* retry_with_reserve(Allocate allocate) noexcept {
  void* block = allocate();
  if (block == nullptr && MemoryReserve::release()) block = allocate();
  return block;
}

}  // namespace aiomqtt
