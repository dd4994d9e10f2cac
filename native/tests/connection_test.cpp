#include "engine/connection.h"

#include <random>

#include "tests/direct.h"

namespace aiomqtt::testing {
namespace {

using Taken = IoHalf::Taken;

TEST("connection: Paho gets a bare CONNACK, JavaScript the one that came") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    ConnectionOptions options = options_for({}, version);
    options.fields.clean_start = false;
    Direct direct(std::move(options));
    const Buffer list = bytes(0x12, field("assigned"), 0x21, u16(3));
    const Buffer connack =
        version == kMqtt5 ? packet(0x20, 1, 0, properties(list)) : packet(0x20, 1, 0);
    CHECK_EQ(direct.receive(connack), Taken::kForPaho);
    const Buffer expected = version == kMqtt5    ? packet(0x20, 1, 0, 0)
                            : version == kMqtt31 ? packet(0x20, 0, 0)
                                                 : packet(0x20, 1, 0);
    CHECK_EQ(direct.for_paho, expected);
    CHECK(direct.events().empty());
    direct.connection->on_paho_connected();
    const std::vector<Event> events = direct.events();
    CHECK_EQ(events.size(), 1U);
    CHECK_EQ(events[0].kind, event::kOpened);
    CHECK_EQ(events[0].connection, Direct::kNumber);
    CHECK_EQ(events[0].words[2], version == kMqtt31 ? 0U : 1U);
    CHECK_EQ(events[0].bytes, version == kMqtt5 ? list : Buffer{});
  }
}

TEST("connection: a refusal ends it with the code and the properties") {
  Direct v3(kMqtt311);
  CHECK_EQ(v3.receive(packet(0x20, 0, 5)), Taken::kEnds);
  CHECK_EQ(v3.ending.cause, Ending::kRefused);
  CHECK_EQ(v3.ending.code, 5U);
  Direct v5(kMqtt5);
  const Buffer list = bytes(0x1f, field("no"));
  CHECK_EQ(v5.receive(packet(0x20, 0, 0x87, properties(list))), Taken::kEnds);
  CHECK_EQ(v5.ending.cause, Ending::kRefused);
  CHECK_EQ(v5.ending.code, 0x87U);
  CHECK_EQ(v5.ending.detail, list);
  CHECK(v5.written().empty());
}

TEST("connection: before CONNACK nothing else may come, and no DISCONNECT is sent") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    for (const Buffer& early :
         {packet(0x30, field("a"), 0), packet(0x40, u16(1)), packet(0x90, u16(1), 0, 0),
          packet(0xd0), packet(0xe0), packet(0xf0), packet(0x10), packet(0x00)}) {
      const Note note(shown(early) + " on version " + std::to_string(version));
      Direct direct(version);
      direct.expect_violation(early, reason::kProtocolError);
      CHECK(direct.written().empty());
    }
  }
}

TEST("connection: a session that nobody asked for is a violation") {
  Direct v3(kMqtt311);
  v3.expect_violation(packet(0x20, 1, 0), reason::kProtocolError);
  Direct v5(kMqtt5);
  v5.expect_violation(packet(0x20, 1, 0, 0), reason::kProtocolError);
  CHECK(v5.written().empty());
}

TEST("connection: packets that no server may send are violations") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    for (const int first : {0x00, 0x10, 0x20, 0x82, 0xa2, 0xc0, 0xf0}) {
      const Note note("type " + std::to_string(first >> 4));
      Direct direct(version);
      direct.accept();
      direct.expect_violation(packet(first, 0, 0), reason::kProtocolError);
    }
  }
}

TEST("connection: malformed packets of every type are violations") {
  const std::vector<Buffer> malformed = {packet(0x30),
                                         packet(0x36, field("a"), u16(1), 0),
                                         packet(0x30, field("#"), 0),
                                         packet(0x40),
                                         packet(0x52, u16(1)),
                                         packet(0x60, u16(1)),
                                         packet(0x62, u16(0)),
                                         packet(0x71, u16(1)),
                                         packet(0x91, u16(1), 0, 0),
                                         packet(0xb0),
                                         packet(0xd1),
                                         packet(0xd0, 0)};
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    for (const Buffer& each : malformed) {
      const Note note(shown(each) + " on version " + std::to_string(version));
      Direct direct(version);
      direct.accept();
      direct.expect_violation(each, reason::kMalformedPacket);
    }
  }
}

TEST("connection: the server is told of a violation with a DISCONNECT on MQTT 5") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    Direct direct(version);
    direct.accept();
    direct.expect_violation(packet(0x40, u16(0)), reason::kMalformedPacket);
    direct.connection->io().take_leave(direct.ending);
    CHECK_EQ(direct.written(), version == kMqtt5 ? packet(0xe0, 0x81) : Buffer{});
  }
  Direct direct(kMqtt5);
  direct.accept();
  direct.connection->io().take_leave({Ending::kTransport, 0, 0, {}});
  CHECK(direct.written().empty());
}

TEST("connection: a server's DISCONNECT ends it on MQTT 5 and is a violation before") {
  Direct v5(kMqtt5);
  v5.accept();
  const Buffer list = bytes(0x1c, field("other:1883"));
  CHECK_EQ(v5.receive(packet(0xe0, 0x9c, properties(list))), Taken::kEnds);
  CHECK_EQ(v5.ending.cause, Ending::kServerDisconnect);
  CHECK_EQ(v5.ending.code, 0x9cU);
  CHECK_EQ(v5.ending.detail, list);
  CHECK(v5.written().empty());
  Direct v3(kMqtt311);
  v3.accept();
  v3.expect_violation(packet(0xe0), reason::kProtocolError);
}

TEST("connection: messages are acknowledged, QoS 2 in two steps") {
  Direct direct(kMqtt311);
  direct.accept();
  CHECK_EQ(direct.receive(packet(0x32, field("a"), u16(1), "x")), Taken::kHere);
  CHECK_EQ(direct.written(), packet(0x40, u16(1)));
  CHECK_EQ(direct.receive(packet(0x34, field("a"), u16(2), "y")), Taken::kHere);
  CHECK_EQ(direct.written(), packet(0x50, u16(2)));
  CHECK_EQ(direct.events().size(), 1U);
  CHECK_EQ(direct.receive(packet(0x62, u16(2))), Taken::kHere);
  CHECK_EQ(direct.written(), packet(0x70, u16(2)));
  CHECK_EQ(direct.events().size(), 1U);
}

TEST("connection: acknowledgements that nobody waits for are absorbed, PUBREC with a PUBREL") {
  Direct direct(kMqtt5);
  direct.accept();
  for (const Buffer& stray :
       {packet(0x40, u16(9)), packet(0x70, u16(9)), packet(0x90, u16(9), 0, 0),
        packet(0xb0, u16(9), 0, 0), packet(0x50, u16(9), 0x97)}) {
    const Note note(shown(stray));
    CHECK_EQ(direct.receive(stray), Taken::kHere);
    CHECK(direct.written().empty());
  }
  CHECK_EQ(direct.receive(packet(0x50, u16(9))), Taken::kHere);
  CHECK_EQ(direct.written(), packet(0x62, u16(9)));
  CHECK(direct.events().empty());
}

TEST("connection: once it is closing, nothing that arrives is heard or answered") {
  Direct direct(kMqtt311);
  direct.accept();
  direct.connection->state().note_closing();
  CHECK_EQ(direct.receive(packet(0x32, field("a"), u16(1), "x")), Taken::kHere);
  CHECK_EQ(direct.receive(packet(0x30)), Taken::kHere);
  CHECK_EQ(direct.receive(packet(0x00)), Taken::kHere);
  CHECK(direct.written().empty());
  CHECK(direct.events().empty());
}

TEST("connection: its end is told once, with its session before it, and nothing after it") {
  Direct direct(kMqtt311);
  direct.accept();
  const Buffer detail = bytes("127.0.0.1:1883");
  direct.connection->io().end({Ending::kTransport, Ending::kReading, ECONNRESET, detail});
  direct.connection->io().end({});
  direct.connection->on_paho_connected();
  direct.connection->on_paho_finished(1);
  const std::vector<Event> events = direct.events();
  CHECK_EQ(events.size(), 2U);
  CHECK_EQ(events[0].kind, event::kSession);
  CHECK_EQ(events[1].kind, event::kClosed);
  CHECK_EQ(events[1].flags, 1U);
  CHECK_EQ(events[1].words[2], Ending::kTransport);
  CHECK_EQ(events[1].words[5], Ending::kReading);
  CHECK_EQ(events[1].words[6], ECONNRESET);
  CHECK_EQ(events[1].bytes, detail);
  CHECK(direct.connection->ended());
}

TEST("connection: what it has moved is told with its session") {
  Direct direct(kMqtt311);
  direct.accept();
  CHECK_EQ(direct.receive(packet(0x32, field("a"), u16(1), "x")), Taken::kHere);
  const Buffer puback = direct.written();
  direct.connection->io().note_received(now_ms(), 0x1'0000'0005);
  CHECK_EQ(direct.connection->state().traffic().received, 0x1'0000'0005U);
  CHECK_EQ(direct.connection->state().traffic().sent, puback.size());
  (void)direct.events();
  direct.connection->io().end({});
  const Event session = direct.events().front();
  CHECK_EQ(session.kind, event::kSession);
  CHECK_EQ(session.words[2], 5U);
  CHECK_EQ(session.words[5], 1U);
  CHECK_EQ(session.words[6], puback.size());
  CHECK_EQ(session.words[7], 0U);
}

TEST("connection: one that ends before it was opened says so") {
  Direct direct(kMqtt311);
  direct.connection->io().end({});
  const std::vector<Event> events = direct.events();
  CHECK_EQ(events.size(), 2U);
  CHECK_EQ(events[1].flags, 0U);
}

TEST("connection: QoS 2 messages that wait for PUBREL pass on to the next one of the session") {
  for (const bool has_session : {true, false}) {
    ConnectionOptions options = options_for({}, kMqtt311);
    options.fields.clean_start = false;
    Direct before(std::move(options));
    before.accept();
    CHECK_EQ(before.receive(packet(0x34, field("a"), u16(7), "kept")), Taken::kHere);
    before.connection->io().end({});
    const std::vector<Event> events = before.events();

    ConnectionOptions again = options_for({}, kMqtt311);
    again.fields.clean_start = false;
    again.session = events[0].bytes;
    Direct after(std::move(again));
    CHECK_EQ(after.receive(packet(0x20, has_session ? 1 : 0, 0)), Taken::kForPaho);
    CHECK_EQ(after.receive(packet(0x62, u16(7))), Taken::kHere);
    CHECK_EQ(after.written(), packet(0x70, u16(7)));
    const std::vector<Event> messages = after.events();
    CHECK_EQ(messages.size(), has_session ? 1U : 0U);
    if (has_session) CHECK_EQ(text_of(messages[0].payload), "kept");
  }
}

TEST("connection: a session of any garbage is survived") {
  std::mt19937 random(2);
  for (int round = 0; round < 1'000; ++round) {
    ConnectionOptions options = options_for({}, kMqtt5);
    options.session.resize(random() % 100);
    for (std::uint8_t& byte : options.session) {
      byte = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : 0);
    }
    options.fields.clean_start = false;
    Direct direct(std::move(options));
    CHECK_EQ(direct.receive(packet(0x20, 1, 0, 0)), Taken::kForPaho);
    direct.connection->io().end({});
  }
}

TEST("connection: five thousand random packets never crash it") {
  std::mt19937 random(7);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const int versions[] = {kMqtt31, kMqtt311, kMqtt5};
  std::size_t ends = 0;
  auto direct = std::make_unique<Direct>(kMqtt5);
  direct->accept();
  for (int round = 0; round < 5'000; ++round) {
    const int type = static_cast<int>(below(16));
    const int usual_flags = type == packet::kPubrel ? 2 : 0;
    const int flags =
        below(10) == 0 || type == packet::kPublish ? static_cast<int>(below(16)) : usual_flags;
    Buffer body(below(24));
    for (std::uint8_t& byte : body)
      byte = static_cast<std::uint8_t>(below(2) == 0 ? below(4) : random());
    if (direct->receive(packet(type << 4 | flags, body)) != Taken::kEnds) continue;
    ++ends;
    CHECK(direct->ending.cause != Ending::kLocal);
    direct->connection->io().end(direct->ending);
    (void)direct->events();
    direct = std::make_unique<Direct>(versions[below(3)]);
    direct->accept();
  }
  CHECK(ends > 500);
}

}  // namespace
}  // namespace aiomqtt::testing
