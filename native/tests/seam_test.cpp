// What stands in for libc and Paho's own modules, where it can be told apart from the engine.
#include "paho/seam.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>

#include "tests/harness.h"
#include "tests/session.h"

extern "C" {
void* mymalloc(char* file, int line, std::size_t size);
void* myrealloc(char* file, int line, void* block, std::size_t size);
void myfree(char* file, int line, void* block);
void seam_write_int4(char** at, std::uint32_t value);
char* seam_getenv(const char* name);
}

namespace aiomqtt::testing {
namespace {

TEST(
    "seam: Paho's heap gives zeroed small blocks, something for nothing, and keeps what it grows") {
  auto* block = static_cast<unsigned char*>(mymalloc(nullptr, 0, 100));
  for (int i = 0; i < 100; ++i) CHECK_EQ(block[i], 0);
  std::memset(block, 7, 100);
  block = static_cast<unsigned char*>(myrealloc(nullptr, 0, block, 10'000));
  for (int i = 0; i < 100; ++i) CHECK_EQ(block[i], 7);
  myfree(nullptr, 0, block);
  void* const nothing = mymalloc(nullptr, 0, 0);
  CHECK(nothing != nullptr);
  void* const still_nothing = myrealloc(nullptr, 0, nothing, 0);
  CHECK(still_nothing != nullptr);
  myfree(nullptr, 0, still_nothing);
  myfree(nullptr, 0, nullptr);
}

TEST("seam: four-byte integers are written big-endian over their whole range") {
  for (const std::uint32_t value : {0U, 1U, 0x01020304U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    char bytes[4];
    char* at = bytes;
    seam_write_int4(&at, value);
    CHECK(at == bytes + 4);
    CHECK_EQ(read_u32(reinterpret_cast<const std::uint8_t*>(bytes)), value);
  }
}

TEST("seam: Paho sees no environment, hence no proxies of it") {
  CHECK(seam_getenv("PATH") == nullptr);
}

std::mutex heard_mutex;
std::string heard;

TEST("seam: Paho's trace is heard while somebody listens") {
  seam::set_trace_listener([](int, const char* text) noexcept {
    const std::lock_guard lock(heard_mutex);
    heard += text;
    heard += '\n';
  });
  Session(kMqtt311).close();
  seam::set_trace_listener(nullptr);
  const std::lock_guard lock(heard_mutex);
  CHECK(heard.find("CONNECT") != std::string::npos);
  CHECK(heard.find("CONNACK") != std::string::npos);
}

}  // namespace
}  // namespace aiomqtt::testing
