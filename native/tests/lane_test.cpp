// A lane that JavaScript's thread leads, and the I/O thread that watches over it.
#include <thread>

#include "tests/harness.h"
#include "tests/session.h"

#ifndef _WIN32

#include <poll.h>

namespace aiomqtt::testing {
namespace {

// A session whose lane the test's thread leads when it says so, as an event loop does.
class Led {
 public:
  explicit Led(ConnectionOptions options = options_for({})) : session(std::move(options)) {}

  Session session;
  const std::shared_ptr<Lane> lane = session.environment.lane();

  // Waits for the time when it may lead.
  void lead() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!lane->try_to_lead().leads) {
      CHECK(std::chrono::steady_clock::now() < deadline);
      std::this_thread::yield();
    }
  }
  // One turn, as soon as something has come.
  Lane::Watch turn() {
    pollfd poller{lane->poller().descriptor(), POLLIN, 0};
    CHECK_EQ(::poll(&poller, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())), 1);
    session.environment.inbox()->hold_bell();
    const Lane::Watch watch = lane->work_on_loop();
    (void)session.environment.inbox()->let_ring();
    return watch;
  }
};

TEST("lane: the event loop reads what comes, and nothing rings") {
  Led led;
  led.lead();
  for (std::uint32_t i = 1; i <= 100; ++i) {
    led.session.peer.send(broker_publish(kMqtt311, 1, i, "a", u32(i)));
    CHECK(led.turn().leads);
    CHECK(led.session.environment.has_event(led.session.connection));
    CHECK_EQ(led.session.message().payload, u32(i));
    led.session.peer.expect(packet(0x40, u16(i)));
  }
  led.session.close();
}

TEST("lane: what an event loop leaves lying is taken and acknowledged by the I/O thread") {
  Led led;
  led.lead();
  for (std::uint32_t i = 1; i <= 3; ++i) {
    led.session.peer.send(broker_publish(kMqtt311, 1, i, "a", u32(i)));
    led.session.peer.expect(packet(0x40, u16(i)));
  }
  // The loop is back, and leads on.
  led.lead();
  led.session.peer.send(broker_publish(kMqtt311, 1, 4, "a", u32(4)));
  (void)led.turn();
  led.session.peer.expect(packet(0x40, u16(4)));
  for (std::uint32_t i = 1; i <= 4; ++i) CHECK_EQ(led.session.message().payload, u32(i));
  led.session.close();
}

TEST("lane: a packet of Paho's goes to the I/O thread, with all that comes after it") {
  Led led;
  led.lead();
  led.session.submit(subscribe_command(led.session.connection, 1, {{"a", 0}}));
  const Buffer subscribe = led.session.peer.read_packet();
  led.session.peer.send(bytes(packet(0x90, subscribe[2], subscribe[3], 0),
                              broker_publish(kMqtt311, 0, 0, "a", bytes("after"))));
  CHECK(!led.turn().leads);
  (void)led.session.done(1);
  CHECK_EQ(text_of(led.session.message().payload), "after");
  led.session.close();
}

TEST("lane: a flood is the I/O thread's") {
  Led led;
  led.lead();
  constexpr std::uint32_t kMessages = 2'000;
  Buffer flood;
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    put(flood, broker_publish(kMqtt311, 0, 0, "a", bytes(u32(i), Buffer(100))));
  }
  Background broker([&] { led.session.peer.send(flood); });
  while (led.turn().leads) {
  }
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    CHECK_EQ(copy_of(Bytes(led.session.message().payload).first(4)), u32(i));
  }
  broker.join();
  led.session.close();
}

TEST("lane: the end of a stream is found by whoever leads") {
  for (const bool is_led : {false, true}) {
    Led led;
    if (is_led) led.lead();
    led.session.peer.close();
    if (is_led) (void)led.turn();
    CHECK_EQ(led.session.closed().words[2], Ending::kTransport);
  }
}

TEST("lane: an environment that goes while its loop leads takes its connections with it") {
  auto led = std::make_unique<Led>();
  Peer peer = std::move(led->session.peer);
  led->lead();
  led.reset();
  CHECK_EQ(peer.read_to_end(), Buffer{});
}

}  // namespace
}  // namespace aiomqtt::testing

#endif
