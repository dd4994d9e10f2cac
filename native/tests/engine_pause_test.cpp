// The whole engine while nothing is to be read: at the consumer's wish, or because JavaScript is
// busy.
#include <thread>

#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

// Returns when the I/O thread has seen all that was submitted before, and all that its peers sent.
void settle(Environment& environment) {
  Listener listener;
  // The API thread has run what came before when a later command has come through...
  const std::uint32_t first = environment.open(options_for(listener.address()));
  Peer peer = listener.accept();
  (void)peer.read_packet();
  peer.send(connack(kMqtt311));
  (void)environment.next(first, event::kOpened);
  environment.submit(publish_command(first, 1, {}));
  (void)environment.done(first, 1);
  // ...and the I/O thread what that thread handed it, when it has connected once more.
  const std::uint32_t second = environment.open(options_for(listener.address()));
  Peer other = listener.accept();
  (void)other.read_packet();
  other.send(connack(kMqtt311));
  (void)environment.next(second, event::kOpened);
}

TEST("pause: nothing is read until it is resumed, and then everything comes") {
  Session session(kMqtt311);
  session.environment.pause(session.connection, true);
  settle(session.environment);
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    session.peer.send(broker_publish(kMqtt311, 0, 0, "a", u32(i)));
  }
  settle(session.environment);
  CHECK(!session.environment.has_event(session.connection));
  // What goes out is not held up.
  session.submit(session.publish(1, {}));
  session.peer.expect(packet(0x30, field("a")));
  (void)session.done(1);
  session.environment.pause(session.connection, false);
  for (std::uint32_t i = 0; i < 1'000; ++i) CHECK_EQ(session.message().payload, u32(i));
  session.close();
}

TEST("pause: a paused connection can be closed, gracefully and by force") {
  for (const bool force : {false, true}) {
    Session session(kMqtt311);
    session.environment.pause(session.connection, true);
    settle(session.environment);
    session.peer.send(broker_publish(kMqtt311, 1, 1, "unread", {}));
    session.submit(close_command(session.connection, force));
    CHECK_EQ(session.closed().words[2], force ? Ending::kAborted : Ending::kLocal);
    CHECK_EQ(session.peer.read_to_end(), force ? Buffer{} : packet(0xe0));
  }
}

TEST("pause: one before the connection is up lets it wait, and resuming opens it") {
  Environment environment;
  Listener listener;
  const std::uint32_t connection = environment.open(options_for(listener.address()));
  environment.pause(connection, true);
  Peer peer = listener.accept();
  (void)peer.read_packet();
  settle(environment);
  peer.send(connack(kMqtt311));
  settle(environment);
  CHECK(!environment.has_event(connection));
  environment.pause(connection, false);
  (void)environment.next(connection, event::kOpened);
}

TEST("pause: what a broker sent before it hung up is read when reading goes on") {
  Session session(kMqtt311);
  session.environment.pause(session.connection, true);
  settle(session.environment);
  session.peer.send(broker_publish(kMqtt311, 0, 0, "a", bytes("last words")));
  session.peer.close();
  settle(session.environment);
  CHECK(!session.environment.has_event(session.connection));
  session.environment.pause(session.connection, false);
  CHECK_EQ(text_of(session.message().payload), "last words");
  CHECK_EQ(session.closed().words[2], Ending::kTransport);
}

TEST("pause: a JavaScript that is too busy to drain is not flooded, and misses nothing") {
  Session session(kMqtt311);
  constexpr std::uint32_t kMessages = 300;
  const Buffer payload(100'000, 'x');
  Background broker([&session, &payload] {
    for (std::uint32_t i = 0; i < kMessages; ++i) {
      session.peer.send(broker_publish(kMqtt311, 0, 0, "a", bytes(u32(i), payload)));
    }
  });
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!session.environment.inbox()->is_full()) {
    CHECK(std::chrono::steady_clock::now() < deadline);
    std::this_thread::yield();
  }
  // 30 MB are on their way, and no more than the limit and one read of the stream wait here.
  settle(session.environment);
  std::uint32_t next = 0;
  while (session.environment.has_event(session.connection) && next < kMessages) {
    CHECK_EQ(copy_of(Bytes(session.message().payload).first(4)), u32(next++));
  }
  for (; next < kMessages; ++next) {
    CHECK_EQ(copy_of(Bytes(session.message().payload).first(4)), u32(next));
  }
  broker.join();
  session.close();
}

}  // namespace
}  // namespace aiomqtt::testing
