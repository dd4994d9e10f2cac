// No allocation that fails ends the process: a session of all kinds of packets, in which the first
// one fails, then the second, and so on to the last; and shortages that last.
//
// Linux, where malloc and realloc of our objects can be given to us by the linker (CMakeLists.txt).
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "platform/memory_reserve.h"
#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

// What fails: allocations of the engine, whichever thread works for it, from the `first`-th on, so
// many.
struct Shortage {
  std::atomic<std::int64_t> until_first{INT64_MAX};
  std::atomic<std::int64_t> failing{0};
};
constinit Shortage shortage;
thread_local bool is_test_thread = false;

bool fails() noexcept {
  if (is_test_thread && !EngineWork::is_on()) return false;
  if (shortage.failing.load(std::memory_order_relaxed) == 0) return false;
  if (--shortage.until_first >= 0) return false;
  return --shortage.failing >= 0;
}

// Allocations of the engine during `action`.
template <typename Action>
std::int64_t count(Action action) {
  constexpr std::int64_t kMany = INT64_MAX / 2;
  shortage.until_first = kMany;
  shortage.failing = 1;
  action();
  shortage.failing = 0;
  return kMany - shortage.until_first;
}

// Connects, and goes away.
void nudge(const Listener& listener) {
  const std::string port =
      listener.address().text().substr(listener.address().text().rfind(':') + 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// All that a session has, from CONNECT to DISCONNECT; true if it came to its end, false if the
// connection ended before, for want of memory.
bool hold_session() {
  ConnectionOptions options = options_for({}, kMqtt5);
  options.fields.properties = properties(0x22, u16(10));
  Listener listener;
  options.addresses = {listener.address()};
  Environment environment;
  const std::uint32_t connection = environment.open(std::move(options));
  // What the broker does, for as long as the connection lives.
  Background broker([&listener] {
    is_test_thread = true;
    Peer peer = listener.accept();
    try {
      (void)peer.read_packet();
      peer.send(connack(kMqtt5));
      peer.send(bytes(broker_publish(kMqtt5, 0, 0, "a/topic", Buffer(100)),
                      broker_publish(kMqtt5, 0, 0, "a/topic", Buffer(100)),
                      broker_publish(kMqtt5, 1, 1, "a/topic", Buffer(20'000)),
                      broker_publish(kMqtt5, 2, 2, "another", Buffer(300'000)),
                      packet(0x62, u16(2)),
                      packet(0x30, field("aliased"), properties(0x23, u16(1)), "x")));
      for (;;) {
        const Buffer packet = peer.read_packet();
        switch (packet[0] >> 4) {
          case packet::kPublish: {
            const int qos = packet[0] >> 1 & 3;
            if (qos == 1) peer.send(testing::packet(0x40, u16(identifier_of(packet))));
            if (qos == 2) peer.send(testing::packet(0x50, u16(identifier_of(packet))));
            break;
          }
          case packet::kPubrel:
            peer.send(testing::packet(0x70, copy_of(Bytes(packet).subspan(2, 2))));
            break;
          case packet::kSubscribe:
            peer.send(testing::packet(0x90, copy_of(Bytes(packet).subspan(2, 2)), 0, 1, 0));
            break;
          default:
            break;
        }
      }
    } catch (const Failure&) {
      // The stream has ended.
    }
  });
  const auto publish = [&](std::uint32_t operation, int qos, std::size_t size) {
    PublishFields fields = fields_of("t", Buffer(size), qos);
    fields.properties = properties(Buffer{});
    environment.submit(publish_command(connection, operation, fields));
  };
  int messages = 0;
  int done = 0;
  for (;;) {
    const Event event = environment.next(connection);
    if (event.kind == event::kOpened) {
      publish(1, 0, 10);
      publish(2, 1, 30'000);
      publish(3, 2, 10);
      environment.submit(
          subscribe_command(connection, 4, {{"some/+", 1}, {"#", 0}}, properties(Buffer{})));
    }
    if (event.kind == event::kMessage) ++messages;
    if (event.kind == event::kDone) ++done;
    if (messages == 5 && done == 4) {
      messages = 0;
      environment.submit(close_command(connection));
    }
    if (event.kind != event::kClosed) continue;
    // A broker that has seen no connection waits for one.
    nudge(listener);
    broker.join();
    if (event.words[2] == Ending::kLocal) return true;
    CHECK_EQ(event.words[2], Ending::kTransport);
    return false;
  }
}

// Each allocation has its turn with AIOMQTT_EVERY_ALLOCATION, one of so many without.
std::int64_t step_of(std::int64_t few) {
  return std::getenv("AIOMQTT_EVERY_ALLOCATION") == nullptr ? few : 1;
}

TEST("memory: whichever allocation fails once, the session comes to its end") {
  is_test_thread = true;
  CHECK(hold_session());
  const std::int64_t allocations = count([] { CHECK(hold_session()); });
  CHECK(allocations > 100);
  for (std::int64_t n = 0; n < allocations; n += step_of(7)) {
    const Note note("allocation " + std::to_string(n) + " of " + std::to_string(allocations));
    shortage.until_first = n;
    shortage.failing = 1;
    const bool came_to_its_end = hold_session();
    shortage.failing = 0;
    CHECK(came_to_its_end);
    CHECK(MemoryReserve::refill());
  }
}

TEST("memory: a shortage that lasts ends connections, and is over when it is over") {
  is_test_thread = true;
  const std::int64_t allocations = count([] { CHECK(hold_session()); });
  for (const std::int64_t failing : {2, 20}) {
    for (std::int64_t n = 0; n < allocations; n += step_of(23)) {
      const Note note(std::to_string(failing) + " from allocation " + std::to_string(n) + " of " +
                      std::to_string(allocations));
      shortage.until_first = n;
      shortage.failing = failing;
      (void)hold_session();
      shortage.failing = 0;
      CHECK(MemoryReserve::refill());
    }
    CHECK(hold_session());
  }
}

}  // namespace
}  // namespace aiomqtt::testing

// --- The allocator -------------------------------------------------------------------------------

extern "C" {

// The linker's names for the originals and their stand-ins.
void* __real_malloc(std::size_t size);
void* __real_realloc(void* block, std::size_t size);

void* __wrap_malloc(std::size_t size) {
  return aiomqtt::testing::fails() ? nullptr : __real_malloc(size);
}

void* __wrap_realloc(void* block, std::size_t size) {
  return aiomqtt::testing::fails() ? nullptr : __real_realloc(block, size);
}

}  // extern "C"

void* operator new(std::size_t size) {
  for (;;) {
    void* const block = std::malloc(size == 0 ? 1 : size);
    if (block != nullptr) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return ::operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// Not inlined: what frees beside what allocates is taken for a mistake by GCC 14.
#define AIOMQTT_APART __attribute__((noinline))
AIOMQTT_APART void operator delete(void* block) noexcept { std::free(block); }
AIOMQTT_APART void operator delete(void* block, std::size_t) noexcept { std::free(block); }
AIOMQTT_APART void operator delete(void* block, const std::nothrow_t&) noexcept {
  std::free(block);
}
