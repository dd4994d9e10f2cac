// The whole engine while less is to be read than a broker sends: for want of room, because
// JavaScript is busy, or because the broker takes no replies.
#include <atomic>
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

// The next event is STALLED for a message of this size.
void expect_stall(Session& session, std::size_t size) {
  CHECK_EQ(session.environment.next(session.connection, event::kStalled).words[record::kSubject],
           size);
}

ConnectionOptions awaiting(int version = kMqtt311) {
  ConnectionOptions options = options_for({}, version);
  options.awaits_credit = true;
  return options;
}

TEST("credit: what there is no room for is neither delivered nor acknowledged") {
  for (const int version : {kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    Session session(awaiting(version));
    Buffer all;
    for (std::uint32_t i = 1; i <= 10; ++i) {
      put(all, broker_publish(version, 1, i, "a", u32(i)));
    }
    session.peer.send(all);
    expect_stall(session, 5);
    settle(session.environment);
    CHECK(!session.environment.has_event(session.connection));
    session.grant(3);
    for (std::uint32_t i = 1; i <= 3; ++i) {
      CHECK_EQ(session.message().payload, u32(i));
      session.peer.expect(packet(0x40, u16(i)));
    }
    expect_stall(session, 5);
    // What goes out is not held up.
    PublishFields fields;
    fields.properties = no_properties(version);
    session.submit(session.publish(1, fields));
    session.peer.expect(packet(0x30, field("a"), no_properties(version)));
    (void)session.done(1);
    session.grant(10);
    for (std::uint32_t i = 4; i <= 10; ++i) {
      CHECK_EQ(session.message().payload, u32(i));
      session.peer.expect(packet(0x40, u16(i)));
    }
    session.close();
  }
}

TEST("credit: bytes count as messages do, topics and properties among them") {
  Session session(awaiting(kMqtt5));
  const Buffer list = bytes(0x03, field("text"));
  const Buffer publish = packet(0x30, field("topic"), properties(list), "payload");
  const std::size_t size = 5 + list.size() + 7;
  session.peer.send(bytes(publish, publish, publish));
  expect_stall(session, size);
  session.grant(10, size - 1);
  expect_stall(session, size);
  session.grant(10, 2 * size);
  (void)session.message();
  (void)session.message();
  expect_stall(session, size);
  session.grant(10, 3 * size);
  (void)session.message();
  session.close();
}

TEST("credit: a large message waits where it was read to, and is delivered as it is") {
  Session session(awaiting());
  const Buffer large = patterned(7, 200'000);
  session.peer.send(bytes(broker_publish(kMqtt311, 0, 0, "a", large),
                          broker_publish(kMqtt311, 0, 0, "a", bytes("next"))));
  expect_stall(session, 1 + large.size());
  session.grant(1);
  CHECK(session.message().payload == large);
  expect_stall(session, 5);
  session.grant(2);
  CHECK_EQ(text_of(session.message().payload), "next");
  session.close();
}

TEST("credit: a QoS 2 message takes its room when it is released") {
  Session session(awaiting());
  session.peer.send(bytes(broker_publish(kMqtt311, 2, 1, "a", bytes("x")), packet(0x62, u16(1))));
  session.peer.expect(packet(0x50, u16(1)));
  expect_stall(session, 2);
  session.grant(1);
  CHECK_EQ(text_of(session.message().payload), "x");
  session.peer.expect(packet(0x70, u16(1)));
  session.close();
}

TEST("credit: granted one by one, each message comes in its turn, however they are cut") {
  Session session(awaiting());
  Buffer all;
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    put(all, broker_publish(kMqtt311, static_cast<int>(i % 2), i % 2, "a", u32(i)));
  }
  Background broker([&] {
    for (std::size_t at = 0; at < all.size(); at += 777) {
      session.peer.send(
          copy_of(Bytes(all).subspan(at, std::min<std::size_t>(777, all.size() - at))));
    }
  });
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    session.grant(i + 1);
    Event event = session.next();
    while (event.kind == event::kStalled) event = session.next();
    CHECK_EQ(event.kind, event::kMessage);
    CHECK_EQ(event.payload, u32(i));
  }
  broker.join();
  for (int i = 0; i < 1'000; ++i) session.peer.expect(packet(0x40, u16(1)));
  session.close();
}

TEST("credit: a connection that waits for room can be closed, gracefully and by force") {
  for (const bool force : {false, true}) {
    Session session(awaiting());
    session.peer.send(broker_publish(kMqtt311, 1, 1, "unread", {}));
    expect_stall(session, 6);
    session.submit(close_command(session.connection, force));
    CHECK_EQ(session.closed().words[2], force ? Ending::kAborted : Ending::kLocal);
    CHECK_EQ(session.peer.read_to_end(), force ? Buffer{} : packet(0xe0));
  }
}

TEST("credit: what a broker sent before it hung up is delivered when there is room") {
  Session session(awaiting());
  session.peer.send(broker_publish(kMqtt311, 0, 0, "a", bytes("last words")));
  expect_stall(session, 11);
  session.peer.close();
  settle(session.environment);
  CHECK(!session.environment.has_event(session.connection));
  session.grant(1);
  CHECK_EQ(text_of(session.message().payload), "last words");
  CHECK_EQ(session.closed().words[2], Ending::kTransport);
}

TEST(
    "credit: a message for which there can never be room ends the connection, by its first bytes") {
  for (const int version : {kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    ConnectionOptions options = options_for({}, version);
    options.largest_message = 1'000;
    Session session(std::move(options));
    session.peer.send(broker_publish(version, 0, 0, "a", Buffer(999)));
    CHECK_EQ(session.message().payload.size(), 999U);
    // Of 256 MiB, of which no more is ever sent.
    session.peer.send(bytes(0x30, 0xff, 0xff, 0xff, 0x7f, field("a")));
    const Event closed = session.closed();
    CHECK_EQ(closed.words[2], Ending::kProtocol);
    CHECK_EQ(closed.words[5], reason::kPacketTooLarge);
  }
  // One that only its alias makes too large.
  ConnectionOptions options = options_for({}, kMqtt5);
  options.largest_message = 1'000;
  options.fields.properties = properties(0x22, u16(1));
  Session session(std::move(options));
  session.peer.send(packet(0x30, field(std::string(900, 't')), properties(0x23, u16(1))));
  CHECK_EQ(session.message().topic.size(), 900U);
  session.peer.send(packet(0x30, field(""), properties(0x23, u16(1)), Buffer(200)));
  CHECK_EQ(session.closed().words[5], reason::kPacketTooLarge);
}

TEST("credit: QoS 2 messages that are not released have a bound in bytes") {
  ConnectionOptions options = options_for({}, kMqtt311);
  options.most_unreleased = 10'000;
  Session session(std::move(options));
  const Buffer payload(3'000);
  for (std::uint32_t i = 1; i <= 3; ++i) {
    session.peer.send(broker_publish(kMqtt311, 2, i, "a", payload));
    session.peer.expect(packet(0x50, u16(i)));
  }
  // What is released, or comes again, does not count twice.
  session.peer.send(packet(0x62, u16(1)));
  session.peer.expect(packet(0x70, u16(1)));
  (void)session.message();
  for (const std::uint32_t i : {4U, 2U}) {
    session.peer.send(broker_publish(kMqtt311, 2, i, "a", payload));
    session.peer.expect(packet(0x50, u16(i)));
  }
  session.peer.send(broker_publish(kMqtt311, 2, 5, "a", payload));
  const Event closed = session.closed();
  CHECK_EQ(closed.words[2], Ending::kProtocol);
  CHECK_EQ(closed.words[5], reason::kQuotaExceeded);
}

TEST("credit: a large message is not put together before there is room for it") {
  for (const int qos : {0, 1, 2}) {
    const Note note("QoS " + std::to_string(qos));
    ConnectionOptions options = awaiting();
    options.most_unreleased = beside::kQueue + 2'000'000;
    Session session(std::move(options));
    Buffer all;
    if (qos == 2) put(all, broker_publish(kMqtt311, 2, 1, "a", Buffer(beside::kQueue - 1)));
    put(all, broker_publish(kMqtt311, qos, 2, "a", patterned(7, 1'500'000)));
    Background broker([&] { session.peer.send(all); });
    const Event stalled = session.environment.next(session.connection, event::kStalled);
    const std::uint32_t needed = stalled.words[record::kSubject];
    CHECK(needed > 1'499'900U);
    CHECK(needed <= 1'500'001U);
    settle(session.environment);
    CHECK(Engine::instance().traffic(session.connection)->held.unread < 1'000'000U);
    session.grant(1, 2'000'000);
    if (qos == 2) {
      session.peer.expect(packet(0x50, u16(1)));
      session.peer.expect(packet(0x50, u16(2)));
      session.peer.send(packet(0x62, u16(2)));
    }
    CHECK(session.message().payload == patterned(7, 1'500'000));
    broker.join();
  }
}

TEST("credit: QoS 2 messages that are not released wait for room that the queue has") {
  ConnectionOptions options = awaiting();
  options.most_unreleased = beside::kQueue + 1'000;
  Session session(std::move(options));
  session.peer.send(broker_publish(kMqtt311, 2, 1, "a", Buffer(beside::kQueue - 1)));
  session.peer.expect(packet(0x50, u16(1)));
  session.peer.send(broker_publish(kMqtt311, 2, 2, "a", Buffer(499)));
  expect_stall(session, 500);
  session.grant(1, 500);
  session.peer.expect(packet(0x50, u16(2)));
  // What they take of the queue's room is not there for others.
  session.peer.send(broker_publish(kMqtt311, 0, 0, "a", Buffer(99)));
  expect_stall(session, 600);
  session.grant(1, 600);
  CHECK_EQ(session.message().payload.size(), 99U);
  session.peer.send(broker_publish(kMqtt311, 2, 3, "a", Buffer(600)));
  const Event closed = session.closed();
  CHECK_EQ(closed.words[2], Ending::kProtocol);
  CHECK_EQ(closed.words[5], reason::kQuotaExceeded);
}

TEST("credit: what can only be too large is refused by its first bytes") {
  // CONNACK, PUBACK, SUBACK, DISCONNECT, AUTH of 16 MiB.
  for (const int first : {0x20, 0x40, 0x90, 0xe0, 0xf0}) {
    const Note note("first byte " + std::to_string(first));
    Session session(kMqtt5);
    session.peer.send(bytes(first, 0x80, 0x80, 0x80, 0x08));
    const Event closed = session.closed();
    CHECK_EQ(closed.words[2], Ending::kProtocol);
    CHECK_EQ(closed.words[5], reason::kPacketTooLarge);
  }
}

TEST("credit: the topics of topic aliases have a bound in bytes") {
  ConnectionOptions options = options_for({}, kMqtt5);
  options.fields.properties = properties(0x22, u16(65'535));
  Session session(std::move(options));
  Background broker([&session] {
    for (std::uint32_t alias = 1; alias <= 300; ++alias) {
      session.peer.send(
          packet(0x30, field(std::string(60'000, 't')), properties(0x23, u16(alias))));
    }
  });
  const std::vector<Event> all = session.environment.all(session.connection);
  broker.join();
  CHECK_EQ(all.back().kind, event::kClosed);
  CHECK_EQ(all.back().words[5], reason::kQuotaExceeded);
  // One alias with another topic counts once.
  ConnectionOptions others = options_for({}, kMqtt5);
  others.fields.properties = properties(0x22, u16(1));
  Session second(std::move(others));
  Background again([&second] {
    for (int i = 0; i < 300; ++i) {
      second.peer.send(packet(0x30, field(std::string(60'000, 't')), properties(0x23, u16(1))));
    }
  });
  for (int i = 0; i < 300; ++i) CHECK_EQ(second.message().topic.size(), 60'000U);
  again.join();
  CHECK_EQ(Engine::instance().traffic(second.connection)->held.aliases, 60'000U);
  second.close();
}

TEST("replies: a peer that takes none of them is not read any further, and goes on when it does") {
  Listener::Options narrow;
  narrow.receive_buffer = 4096;
  Session session(options_for({}, kMqtt311), {}, narrow);
  const Buffer pubrel = packet(0x62, u16(7));
  Buffer many;
  for (int i = 0; i < 16'384; ++i) put(many, pubrel);
  constexpr int kRounds = 400;  // 25 MiB, far more than all buffers on the way hold
  std::atomic<int> rounds{0};
  Background broker([&] {
    for (int i = 0; i < kRounds; ++i) {
      session.peer.send(many);
      ++rounds;
    }
  });
  const auto received = [&] { return Engine::instance().traffic(session.connection)->received; };
  // It stands still at some point: two looks with much time for the engine between them are equal.
  std::uint64_t before = 0;
  do {
    before = received();
    for (int i = 0; i < 5; ++i) settle(session.environment);
  } while (received() != before);
  CHECK(rounds < kRounds);
  CHECK(before < 20'000'000U);
  const Buffer pubcomp = packet(0x70, u16(7));
  for (int i = 0; i < kRounds * 16'384; ++i) session.peer.expect(pubcomp);
  broker.join();
  session.close();
}

TEST("inbox: a JavaScript that is too busy to drain is not flooded, and misses nothing") {
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
