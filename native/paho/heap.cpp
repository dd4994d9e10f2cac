// In place of Paho's Heap module, which keeps every block in a tree under a lock and writes its
// source line beside it: the C heap. A large payload is lent to Paho instead of being copied: the
// block that Paho asks for to copy it to is the payload itself.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include "paho/seam.h"
#include "platform/memory_reserve.h"

namespace {

using aiomqtt::SharedBuffer;

// What this thread's call to Paho is about to lend.
thread_local const SharedBuffer* offered = nullptr;

// A payload may be lent several times: it is repeated on the next connection while Paho has not yet
// let go of it for the last one.
struct Loan {
  SharedBuffer buffer;
  std::size_t times = 0;
};

// What Paho has borrowed and not freed. Never destroyed, as Paho's threads use it.
struct Loans {
  std::atomic<std::size_t> count{0};
  std::mutex mutex;
  std::unordered_map<const void*, Loan> blocks;
};

Loans& loans() {
  static auto* const instance = new Loans;
  return *instance;
}

// Null if there is no memory to note it.
void* lend(const SharedBuffer& buffer) noexcept try {
  Loans& all = loans();
  const std::lock_guard lock(all.mutex);
  Loan& loan = all.blocks[buffer->data()];
  if (loan.times++ == 0) loan.buffer = buffer;
  ++all.count;
  // Paho "copies" the payload to where it is, and then only reads it.
  return const_cast<std::uint8_t*>(buffer->data());
} catch (const std::bad_alloc&) {
  return nullptr;
}

// Paho looks at the outcome of hardly any allocation, and all of them are small: it waits for
// memory while the engine ends connections. Null if there is none for so long.
constexpr int kMillisecondsForMemory = 2000;

template <typename Allocate>
void* wait_for(Allocate allocate) noexcept {
  void* block = aiomqtt::retry_with_reserve(allocate);
  for (int waited = 0; block == nullptr && waited < kMillisecondsForMemory; ++waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    block = allocate();
  }
  return block;
}

// True if it was borrowed.
bool give_back(const void* block) {
  Loans& all = loans();
  if (all.count.load(std::memory_order_acquire) == 0) return false;
  SharedBuffer last;
  const std::lock_guard lock(all.mutex);
  const auto found = all.blocks.find(block);
  if (found == all.blocks.end()) return false;
  --all.count;
  if (--found->second.times > 0) return true;
  last = std::move(found->second.buffer);
  all.blocks.erase(found);
  return true;
}

}  // namespace

namespace aiomqtt::seam {

Offer::Offer(const SharedBuffer& buffer) noexcept {
  if (buffer) offered = &buffer;
}

Offer::~Offer() { offered = nullptr; }

SharedBuffer borrowed(const void* block) {
  Loans& all = loans();
  if (all.count.load(std::memory_order_acquire) == 0) return nullptr;
  const std::lock_guard lock(all.mutex);
  const auto found = all.blocks.find(block);
  return found == all.blocks.end() ? nullptr : found->second.buffer;
}

}  // namespace aiomqtt::seam

extern "C" {

void* mymalloc(char*, int, std::size_t size) {
  if (offered != nullptr && size == (*offered)->size()) {
    void* const lent = lend(*std::exchange(offered, nullptr));
    if (lent != nullptr) return lent;
  }
  return wait_for([size] { return std::malloc(size == 0 ? 1 : size); });
}

void* myrealloc(char*, int, void* block, std::size_t size) {
  return wait_for([block, size] { return std::realloc(block, size == 0 ? 1 : size); });
}

void myfree(char*, int, void* block) {
  if (!give_back(block)) std::free(block);
}

// The same for objects that ask the C library themselves (symbols.json, "lean").
void* seam_malloc(std::size_t size) { return mymalloc(nullptr, 0, size); }

void* seam_realloc(void* block, std::size_t size) { return myrealloc(nullptr, 0, block, size); }

void seam_free(void* block) { myfree(nullptr, 0, block); }

// Paho's copy of what it was lent is the same block.
void* seam_memcpy(void* to, const void* from, std::size_t size) {
  return to == from ? to : std::memcpy(to, from, size);
}

int Heap_initialize() { return 0; }

void Heap_terminate() {}

}  // extern "C"
