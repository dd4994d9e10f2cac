// In place of Paho's Heap module, which keeps every block in a tree under a lock and writes its
// source line beside it: the C heap. Small blocks are zeroed, because code of Paho's relies on it
// (the properties of a CONNACK without any, for one).
#include <cstdlib>

namespace {
constexpr std::size_t kZeroedUpTo = 4096;
}

extern "C" {

void* mymalloc(char*, int, std::size_t size) {
  if (size == 0) size = 1;
  return size <= kZeroedUpTo ? std::calloc(1, size) : std::malloc(size);
}

void* myrealloc(char*, int, void* block, std::size_t size) {
  return std::realloc(block, size == 0 ? 1 : size);
}

void myfree(char*, int, void* block) { std::free(block); }

int Heap_initialize() { return 0; }

void Heap_terminate() {}

}  // extern "C"
