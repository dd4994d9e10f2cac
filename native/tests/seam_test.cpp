// What stands in for libc and Paho's own modules, where it can be told apart from the engine.
#include "paho/seam.h"

#include <cstdint>
#include <cstring>
#include <ctime>
#include <future>
#include <mutex>
#include <string>

#include "tests/harness.h"
#include "tests/session.h"

extern "C" {
void* mymalloc(char* file, int line, std::size_t size);
void* myrealloc(char* file, int line, void* block, std::size_t size);
void myfree(char* file, int line, void* block);
char* seam_getenv(const char* name);
int seam_create_thread(pthread_t* thread, const pthread_attr_t* attributes,
                       void* (*function)(void*), void* argument);
#ifdef __linux__
int seam_clock_gettime64(clockid_t clock, void* result);
#endif
}

namespace aiomqtt::testing {
namespace {

TEST("seam: Paho's heap gives something for nothing, and keeps what it grows") {
  auto* block = static_cast<unsigned char*>(mymalloc(nullptr, 0, 100));
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

TEST("seam: a payload is lent without a copy, twice at a time if need be") {
  const SharedBuffer payload = std::make_shared<RawBuffer>(std::size_t{100'000});
  const auto lend = [&payload] {
    const seam::Offer offer(payload);
    return mymalloc(nullptr, 0, payload->size());
  };
  void* const first = lend();
  void* const second = lend();
  CHECK(first == payload->data());
  CHECK(second == payload->data());
  myfree(nullptr, 0, first);
  CHECK(seam::borrowed(second) == payload);
  myfree(nullptr, 0, second);
  CHECK(seam::borrowed(second) == nullptr);
  CHECK_EQ(payload.use_count(), 1);
}

TEST("seam: Paho sees no environment, hence no proxies of it") {
  CHECK(seam_getenv("PATH") == nullptr);
}

TEST("seam: a thread that cannot be made is made once it can be") {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  // No system has room for such a stack.
  pthread_attr_setstacksize(&attributes, SIZE_MAX / 2 / 65536 * 65536);
  std::promise<void> ran;
  pthread_t thread;
  const int error = seam_create_thread(
      &thread, &attributes,
      [](void* argument) -> void* {
        static_cast<std::promise<void>*>(argument)->set_value();
        return nullptr;
      },
      &ran);
  pthread_attr_destroy(&attributes);
  CHECK(error != 0);
  std::future<void> running = ran.get_future();
  CHECK(running.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  CHECK_EQ(seam::make_missing_threads(), 0);
  CHECK(running.wait_for(kPatience) == std::future_status::ready);
  CHECK_EQ(seam::make_missing_threads(), 0);
}

std::mutex heard_mutex;
std::string heard;

TEST("seam: Paho's trace is heard while somebody listens") {
  set_trace_listener([](int, const char* text) noexcept {
    const std::lock_guard lock(heard_mutex);
    heard += text;
    heard += '\n';
  });
  Session(kMqtt311).close();
  set_trace_listener(nullptr);
  const std::lock_guard lock(heard_mutex);
  CHECK(heard.find("CONNECT") != std::string::npos);
  CHECK(heard.find("CONNACK") != std::string::npos);
}

TEST("seam: Paho's trace shows the first bytes of a payload as they are, printable or not") {
  std::string payload;
  for (int i = 0; i < 256; ++i) payload += static_cast<char>(255 - i);
  heard.clear();
  set_trace_listener([](int, const char* text) noexcept {
    const std::lock_guard lock(heard_mutex);
    heard += text;
  });
  Session session(kMqtt311);
  session.submit(session.publish(1, fields_of("t", Buffer(payload.begin(), payload.end()), 1)));
  session.peer.read_packet();
  session.close();
  set_trace_listener(nullptr);
  const std::lock_guard lock(heard_mutex);
  CHECK(heard.find("PUBLISH") != std::string::npos);
  CHECK(heard.find(payload.substr(0, 20)) != std::string::npos);
}

#ifdef __linux__
TEST("seam: a clock that counts seconds in 64 bits goes with the C library's") {
  struct {
    std::int64_t seconds;
    std::int32_t nanoseconds;
    std::int32_t padding;
  } time{.seconds = -1, .nanoseconds = -1, .padding = -1};
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  CHECK_EQ(seam_clock_gettime64(CLOCK_MONOTONIC, &time), 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(time.seconds >= before.tv_sec && time.seconds <= after.tv_sec);
  CHECK(time.nanoseconds >= 0 && time.nanoseconds < 1'000'000'000);
  CHECK_EQ(seam_clock_gettime64(-1000, &time), -1);
}
#endif

}  // namespace
}  // namespace aiomqtt::testing
