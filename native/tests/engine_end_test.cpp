// The whole engine at the end of a connection, whoever ends it and whenever.
#include <functional>

#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

// -- The broker ends it --

TEST("end: a broker that hangs up is told with its address, after all that it had sent") {
  for (const int version : kVersions) {
    Session session(version);
    session.peer.send(packet(0x30, field("a"), no_properties(version), "last"));
    session.peer.close();
    CHECK_EQ(text_of(session.message().payload), "last");
    const Event closed = session.closed();
    CHECK_EQ(closed.flags, 1U);
    CHECK_EQ(closed.words[2], Ending::kTransport);
    CHECK_EQ(closed.words[5], Ending::kReading);
    CHECK_EQ(closed.words[6], 0);
    CHECK_EQ(text_of(closed.bytes), session.address());
  }
}

TEST("end: a reset is told with its errno") {
  Session session(kMqtt311);
  session.peer.reset();
  const Event closed = session.closed();
  CHECK_EQ(closed.words[2], Ending::kTransport);
  CHECK_EQ(closed.words[6], ECONNRESET);
}

TEST("end: operations that were under way get no DONE") {
  Session session(kMqtt311);
  session.submit(bytes(session.publish(1, fields_of("a", {}, 1)),
                       session.publish(2, fields_of("a", {}, 2)),
                       subscribe_command(session.connection, 3, {{"a", 0}})));
  for (int i = 0; i < 3; ++i) (void)session.peer.read_packet();
  session.peer.close();
  CHECK_EQ(session.closed().words[2], Ending::kTransport);
}

TEST("end: a server's DISCONNECT on MQTT 5 is told with its code and properties") {
  Session session(kMqtt5);
  const Buffer list = bytes(0x1c, field("other:1883"), 0x1f, field("moved"));
  session.peer.send(packet(0xe0, 0x9c, properties(list)));
  const Event closed = session.closed();
  CHECK_EQ(closed.words[2], Ending::kServerDisconnect);
  CHECK_EQ(closed.words[5], 0x9cU);
  CHECK_EQ(closed.bytes, list);
  session.peer.expect_end();
}

TEST("end: a violation is told to JavaScript in words, and to an MQTT 5 broker by DISCONNECT") {
  for (const int version : kVersions) {
    for (const Buffer& bad : {packet(0x40, u16(0)), bytes(0x30, 0xff, 0xff, 0xff, 0xff, 0x01),
                              packet(0x82, u16(1), field("a"), 0), packet(0x90)}) {
      const Note note(shown(bad) + " on version " + std::to_string(version));
      Session session(version);
      session.peer.send(bad);
      const Event closed = session.closed();
      CHECK_EQ(closed.words[2], Ending::kProtocol);
      CHECK(closed.bytes.size() > 10);
      if (version == kMqtt5) {
        session.peer.expect(packet(0xe0, static_cast<int>(closed.words[5])));
      }
      session.peer.expect_end();
    }
  }
}

TEST(
    "end: on a violation, what was good before it is delivered and acknowledged before "
    "DISCONNECT") {
  Session session(kMqtt5);
  session.peer.send(bytes(packet(0x32, field("a"), u16(1), 0, "one"),
                          packet(0x34, field("b"), u16(2), 0, "two"), packet(0x62, u16(2)),
                          packet(0xff), packet(0x32, field("c"), u16(3), 0, "never")));
  CHECK_EQ(text_of(session.message().payload), "one");
  CHECK_EQ(text_of(session.message().payload), "two");
  CHECK_EQ(session.closed().words[2], Ending::kProtocol);
  session.peer.expect(packet(0x40, u16(1)));
  session.peer.expect(packet(0x50, u16(2)));
  session.peer.expect(packet(0x70, u16(2)));
  session.peer.expect(packet(0xe0, reason::kMalformedPacket));
  session.peer.expect_end();
}

TEST("end: the DISCONNECT of a violation arrives although the broker still sends") {
  Session session(kMqtt5);
  // More than is read at once: closing with unread bytes would reset the stream.
  Background broker([&session] { session.peer.send(bytes(packet(0x00), Buffer(2'000'000))); });
  CHECK_EQ(session.closed().words[2], Ending::kProtocol);
  session.peer.expect(packet(0xe0, reason::kProtocolError));
  session.peer.expect_end();
  broker.join();
}

TEST("end: a broker that falls silent is found out, one that answers is not") {
  const auto with_keepalive = [] {
    ConnectionOptions options = options_for({}, kMqtt311);
    options.fields.keepalive = 1;
    return options;
  };
  Session silent(with_keepalive());
  Session alive(with_keepalive());
  silent.peer.expect(packet(0xc0));
  Background broker([&alive] {
    // Until the client says that it has seen enough.
    for (Buffer next = alive.peer.read_packet(); next == packet(0xc0);) {
      alive.peer.send(packet(0xd0));
      next = alive.peer.read_packet();
    }
  });
  const Event closed = silent.closed();
  const bool is_alive = !alive.environment.has_event(alive.connection);
  alive.submit(alive.publish(1, {}));
  broker.join();
  (void)alive.done(1);
  CHECK(is_alive);
  CHECK_EQ(closed.words[2], Ending::kKeepalive);
  // While it is waited for, the keepalive may call for another one.
  const Buffer rest = silent.peer.read_to_end();
  CHECK(rest.empty() || rest == packet(0xc0));
}

// -- JavaScript ends it --

TEST("end: a graceful close sends all that was submitted before, then DISCONNECT, then nothing") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    Buffer commands;
    Buffer expected;
    for (std::uint32_t i = 1; i <= 100; ++i) {
      put(commands, session.publish(i, fields_of("a", u32(i), 0)));
      put(expected, packet(0x30, field("a"), no_properties(version), u32(i)));
    }
    put(commands, bytes(close_command(session.connection), session.publish(101, {})));
    session.submit(commands);
    CHECK_EQ(session.peer.read_bytes(expected.size()), expected);
    session.peer.expect(packet(0xe0));
    session.peer.expect_end();
    for (std::uint32_t i = 1; i <= 100; ++i) (void)session.done(i);
    CHECK_EQ(session.closed().words[2], Ending::kLocal);
  }
}

TEST("end: DISCONNECT is the last that leaves although messages to acknowledge pour in") {
  for (int round = 0; round < 20; ++round) {
    Session session(kMqtt311);
    Buffer flood;
    for (std::uint32_t i = 1; i <= 2'000; ++i) put(flood, packet(0x32, field("a"), u16(i)));
    Background broker([&session, &flood] { session.peer.send(flood); });
    (void)session.message();
    session.submit(close_command(session.connection));
    const Buffer sent = session.peer.read_to_end();
    broker.join();
    const std::vector<Event> events = session.environment.all(session.connection);
    CHECK_EQ(events.back().words[2], Ending::kLocal);
    CHECK(sent.size() >= 2);
    CHECK_EQ(copy_of(Bytes(sent).last(2)), packet(0xe0));
    CHECK_EQ(sent.size() % 4, 2U);
    for (std::size_t at = 0; at + 4 < sent.size(); at += 4) CHECK_EQ(sent[at], 0x40);
  }
}

TEST(
    "end: a graceful close waits for a peer that does not read, and what was taken arrives whole") {
  Listener::Options narrow;
  narrow.receive_buffer = 4096;
  Session session(options_for({}, kMqtt311), {}, narrow);
  constexpr std::uint32_t kPublishes = 100;
  const Buffer payload(100'000, 'x');
  for (std::uint32_t i = 1; i <= kPublishes; ++i) {
    session.submit(session.publish(i, fields_of("a", bytes(u32(i), payload), 0)));
  }
  session.submit(close_command(session.connection));
  std::uint32_t arrived = 0;
  for (;;) {
    const Buffer next = session.peer.read_packet();
    if (next == packet(0xe0)) break;
    CHECK(next == packet(0x30, field("a"), u32(++arrived), payload));
  }
  session.peer.expect_end();
  std::uint32_t done = 0;
  const std::vector<Event> events = session.environment.all(session.connection);
  for (const Event& event : events) {
    if (event.kind == event::kDone) CHECK_EQ(event.words[2], ++done);
  }
  CHECK_EQ(arrived, done);
  CHECK_EQ(events.back().words[2], Ending::kLocal);
}

TEST("end: a close by force sends no DISCONNECT and does not wait") {
  Listener::Options narrow;
  narrow.receive_buffer = 4096;
  for (const bool is_blocked : {false, true}) {
    Session session(options_for({}, kMqtt311), {}, narrow);
    const std::uint32_t publishes = is_blocked ? 100 : 0;
    for (std::uint32_t i = 1; i <= publishes; ++i) {
      session.submit(session.publish(i, fields_of("a", Buffer(100'000), 0)));
    }
    // A graceful close that is stuck can still be forced.
    if (is_blocked) session.submit(close_command(session.connection));
    session.submit(close_command(session.connection, true));
    const std::vector<Event> events = session.environment.all(session.connection);
    CHECK_EQ(events.back().words[2], Ending::kAborted);
    const Buffer sent = session.peer.read_to_end();
    if (!is_blocked) CHECK(sent.empty());
  }
}

TEST("end: closing twice, or after the end, does nothing more") {
  Session session(kMqtt311);
  session.submit(bytes(close_command(session.connection), close_command(session.connection),
                       close_command(session.connection, true)));
  session.peer.expect(packet(0xe0));
  session.peer.expect_end();
  const Event closed = session.closed();
  CHECK(closed.words[2] == Ending::kLocal || closed.words[2] == Ending::kAborted);
  session.submit(close_command(session.connection));
  session.submit(session.publish(1, {}));
  Session another(kMqtt311);
  another.close();
  CHECK(!session.environment.has_event(session.connection));
}

TEST("end: a broker that does not hang up after DISCONNECT does not hold anything up") {
  Session session(kMqtt311);
  session.submit(close_command(session.connection));
  session.peer.expect(packet(0xe0));
  CHECK_EQ(session.closed().words[2], Ending::kLocal);
  // It may even go on sending for a while, and is not answered with a reset.
  for (int i = 0; i < 10; ++i) session.peer.send(packet(0x30, field("a"), Buffer(10'000)));
  session.peer.expect_end();
}

// -- Whenever --

TEST("end: publishes that pour in while the connection is lost leave nothing behind") {
  for (int round = 0; round < 100; ++round) {
    Session session(kMqtt5);
    const Buffer publish = session.publish(1, fields_of("a", bytes("payload"), round % 3));
    Background javascript([&session, &publish] {
      for (int i = 0; i < 100; ++i) session.submit(publish);
    });
    session.peer.reset();
    const std::vector<Event> events = session.environment.all(session.connection);
    CHECK_EQ(events.back().words[2], Ending::kTransport);
    javascript.join();
  }
}

// A session of all that can happen, cut off after so many bytes of one direction.
class CutOff {
 public:
  static constexpr std::size_t kNever = 1'000'000;
  struct Cut {};

  CutOff(int version, std::size_t sent, std::size_t received)
      : version_(version), may_send_(sent), may_receive_(received) {}

  // Runs the session and resets it where it is cut. True if it came to its end.
  bool run() {
    peer_ = listener_.accept();
    bool complete = false;
    try {
      talk();
      complete = true;
    } catch (const Cut&) {
    }
    peer_.reset();
    const std::vector<Event> events = environment_.all(connection_);
    CHECK_EQ(events.back().words[2], Ending::kTransport);
    CHECK(events.size() >= 2);
    CHECK_EQ(events[events.size() - 2].kind, event::kSession);
    CHECK(!environment_.has_event(connection_));
    return complete;
  }

 private:
  void talk() {
    const Buffer none = no_properties(version_);
    read();
    send(connack(version_));
    (void)environment_.next(connection_, event::kOpened);
    PublishFields fields = {"topic", bytes("payload"), 2, false, none};
    environment_.submit(bytes(subscribe_command(connection_, 1, {{"a/#", 2}, {"b", 1}}, none),
                              publish_command(connection_, 2, fields)));
    read();
    read();
    send(packet(0x90, u16(1), none, 2, 0x80));
    (void)environment_.done(connection_, 1);
    send(packet(0x32, field("a/b"), u16(9), none, "one"));
    read();
    send(packet(0x34, field("a/c"), u16(10), none, "two"));
    read();
    send(packet(0x62, u16(10)));
    read();
    send(packet(0x50, u16(2)));
    read();
    send(version_ == kMqtt5 ? packet(0x70, u16(2), 0, properties(0x1f, field("fine")))
                            : packet(0x70, u16(2)));
    // Two messages, then the end of the publish.
    while (environment_.next(connection_).kind != event::kDone) continue;
    environment_.submit(unsubscribe_command(connection_, 3, {{"a/#"}}, none));
    read();
    send(version_ == kMqtt5 ? packet(0xb0, u16(3), 0, 0) : packet(0xb0, u16(3)));
    (void)environment_.done(connection_, 3);
  }

  void send(const Buffer& packet) {
    const std::size_t size = std::min(packet.size(), may_send_);
    peer_.send(Bytes(packet).first(size));
    may_send_ -= size;
    if (size < packet.size()) throw Cut();
  }
  void read() {
    Buffer packet;
    Packet whole;
    do {
      if (may_receive_ == 0) throw Cut();
      --may_receive_;
      put(packet, peer_.read_bytes(1));
    } while (!split_packet(packet, whole));
  }

  const int version_;
  std::size_t may_send_;
  std::size_t may_receive_;
  Environment environment_;
  Listener listener_;
  const std::uint32_t connection_ = environment_.open(options_for(listener_.address(), version_));
  Peer peer_{Descriptor()};
};

TEST("end: a session may be reset after any byte that the broker sent") {
  for (const int version : {kMqtt311, kMqtt5}) {
    std::size_t size = 0;
    while (!CutOff(version, size, CutOff::kNever).run()) ++size;
    CHECK(size > 40);
  }
}

TEST("end: a session may be reset after any byte that the broker received") {
  for (const int version : {kMqtt311, kMqtt5}) {
    std::size_t size = 0;
    while (!CutOff(version, CutOff::kNever, size).run()) ++size;
    CHECK(size > 40);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
