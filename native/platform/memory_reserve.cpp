#include "platform/memory_reserve.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace aiomqtt {
namespace {

std::atomic<void*> block{nullptr};
std::atomic<bool> spent{false};
// Of the program, or of the runtime that shares operator new with us.
std::atomic<std::new_handler> others{nullptr};

void on_shortage() {
  if (MemoryReserve::release()) return;
  const std::new_handler other = others;
  if (other == nullptr) throw std::bad_alloc();
  other();
}

}  // namespace

void MemoryReserve::open() noexcept {
  (void)refill();
  const std::new_handler before = std::set_new_handler(on_shortage);
  if (before != on_shortage) others = before;
}

bool MemoryReserve::release() noexcept {
  spent = true;
  void* const had = block.exchange(nullptr);
  std::free(had);
  return had != nullptr;
}

bool MemoryReserve::is_spent() noexcept { return spent.load(std::memory_order_relaxed); }

bool MemoryReserve::refill() noexcept {
  void* const fresh = std::malloc(kSize);
  if (fresh == nullptr) return false;
  spent = false;
  std::free(block.exchange(fresh));
  return true;
}

}  // namespace aiomqtt
