// The whole engine when the broker reads slowly, byte by byte, or not at all for a while.
#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

Listener::Options narrow() {
  Listener::Options options;
  options.receive_buffer = 4096;
  return options;
}

TEST("congestion: a peer that does not read for a while gets everything, intact and in order") {
  Session session(options_for({}, kMqtt311), {}, narrow());
  // More than all buffers on the way hold, so that some have to wait.
  constexpr std::uint32_t kPublishes = 200;
  constexpr std::size_t kSize = 100'000;
  for (std::uint32_t i = 1; i <= kPublishes; ++i) {
    session.submit(
        session.publish(i, fields_of("a", patterned(i, kSize), static_cast<int>(i % 2))));
  }
  // The last one waits for the stream: that is why it can be withdrawn.
  session.submit(cancel_command(session.connection, kPublishes));
  std::uint32_t sent = 0;
  for (;;) {
    const Event event = session.environment.next(session.connection, event::kDone);
    if (event.words[2] == kPublishes) {
      CHECK_EQ(event.words[5], code::kWithdrawn);
      break;
    }
    ++sent;
  }
  CHECK(sent < kPublishes / 2);

  for (std::uint32_t i = 1; i < kPublishes; ++i) {
    const Buffer publish = session.peer.read_packet();
    Packet whole;
    CHECK(split_packet(publish, whole));
    const Buffer payload = copy_of(whole.body.last(kSize));
    CHECK(payload == patterned(i, kSize));
    if (i % 2 == 1) session.peer.send(packet(0x40, u16(identifier_of(publish))));
  }
  for (std::uint32_t i = sent + 1; i < kPublishes;) {
    const Event event = session.environment.next(session.connection, event::kDone);
    CHECK_EQ(event.words[5], 0U);
    ++i;
  }
  session.close();
}

TEST("congestion: a publish of QoS 0 is over when the kernel has its last byte, not before") {
  Session session(options_for({}, kMqtt311), {}, narrow());
  constexpr std::size_t kSize = 20'000'000;
  session.submit(bytes(session.publish(1, fields_of("a", bytes("small"), 0)),
                       session.publish(2, fields_of("a", patterned(2, kSize), 0)),
                       session.publish(3, fields_of("a", bytes("behind"), 0)),
                       session.publish(4, fields_of("a", bytes("of QoS 1"), 1))));
  CHECK_EQ(session.done(1).words[5], 0U);
  session.peer.expect(packet(0x30, field("a"), "small"));
  CHECK(!session.environment.has_event(session.connection));
  session.peer.expect(packet(0x30, field("a"), patterned(2, kSize)));
  session.peer.expect(packet(0x30, field("a"), "behind"));
  CHECK_EQ(session.done(2).words[5], 0U);
  CHECK_EQ(session.done(3).words[5], 0U);
  (void)session.peer.read_packet();
  session.peer.send(packet(0x40, u16(1)));
  CHECK_EQ(session.done(4).words[5], 0U);
  session.close();
}

TEST("congestion: a publish of QoS 0 that the kernel has taken is told before the end") {
  for (int round = 0; round < 50; ++round) {
    Session session;
    session.submit(session.publish(1, fields_of("a", bytes("last"), 0)));
    session.peer.expect(packet(0x30, field("a"), "last"));
    session.peer.close();
    CHECK_EQ(session.done(1).words[5], 0U);
    (void)session.closed();
  }
}

TEST("congestion: a publish of QoS 0 that has not left is not told when the connection ends") {
  Session session(options_for({}, kMqtt311), {}, narrow());
  session.submit(session.publish(1, fields_of("a", patterned(1, 20'000'000), 0)));
  (void)session.peer.read_bytes(16);
  session.peer.reset();
  (void)session.closed();
}

TEST("congestion: both sides send without reading for a while, and nothing is lost or stuck") {
  Session session(options_for({}, kMqtt311), {}, narrow());
  constexpr std::uint32_t kPublishes = 2'000;
  constexpr std::size_t kSize = 5'000;
  // The engine's acknowledgements and the publishes share the stream.
  Background writer([&session] {
    for (std::uint32_t i = 1; i <= kPublishes; ++i) {
      session.peer.send(packet(0x32, field("in"), u16(i), patterned(i, 500)));
    }
  });
  Background reader([&session] {
    std::uint32_t published = 0;
    std::uint32_t acknowledged = 0;
    while (published < kPublishes || acknowledged < kPublishes) {
      const Buffer whole = session.peer.read_packet();
      if (whole[0] == 0x40) {
        CHECK_EQ(whole, packet(0x40, u16(++acknowledged)));
      } else {
        CHECK(whole == packet(0x30, field("out"), patterned(++published, kSize)));
      }
    }
  });
  for (std::uint32_t i = 1; i <= kPublishes; ++i) {
    session.submit(session.publish(i, fields_of("out", patterned(i, kSize), 0)));
  }
  std::uint32_t done = 0;
  std::uint32_t received = 0;
  while (done < kPublishes || received < kPublishes) {
    const Event event = session.next();
    if (event.kind == event::kDone) {
      CHECK_EQ(event.words[2], ++done);
    } else {
      CHECK_EQ(event.kind, event::kMessage);
      CHECK_EQ(event.payload, patterned(++received, 500));
    }
  }
  writer.join();
  reader.join();
  session.close();
}

TEST("congestion: a peer that reads byte by byte, in the smallest segments, gets it all the same") {
  Listener::Options options = narrow();
  options.segment_size = 88;
  Session session(options_for({}, kMqtt5), {}, options);
  session.submit(bytes(session.publish(1, fields_of("a", patterned(1, 20'000), 1)),
                       session.publish(2, fields_of("b", bytes("x"), 2))));
  CHECK_EQ(session.peer.read_packet(1), packet(0x32, field("a"), u16(1), 0, patterned(1, 20'000)));
  CHECK_EQ(session.peer.read_packet(1), packet(0x34, field("b"), u16(2), 0, "x"));
  session.peer.send_bytewise(packet(0x40, u16(1), 0, properties(0x1f, field("fine"))));
  (void)session.done(1);
  session.peer.send_bytewise(packet(0x50, u16(2)));
  CHECK_EQ(session.peer.read_packet(1), packet(0x62, u16(2)));
  session.peer.send_bytewise(packet(0x70, u16(2), 0));
  (void)session.done(2);
  session.close();
}

}  // namespace
}  // namespace aiomqtt::testing
