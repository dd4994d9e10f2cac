// The whole engine, outward: what JavaScript publishes, to a scripted broker.
#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

TEST("publish: QoS 0, 1 and 2 go through their flows, on each version") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    const Buffer none = no_properties(version);
    PublishFields qos0 = fields_of("a/b", bytes("zero"), 0);
    qos0.retain = true;
    session.submit(bytes(session.publish(10, qos0),
                         session.publish(11, fields_of("c", bytes("one"), 1)),
                         session.publish(12, fields_of("d", bytes("two"), 2))));
    session.peer.expect(packet(0x31, field("a/b"), none, "zero"));
    session.peer.expect(packet(0x32, field("c"), u16(1), none, "one"));
    session.peer.expect(packet(0x34, field("d"), u16(2), none, "two"));
    CHECK_EQ(session.done(10).words[5], 0U);
    session.peer.send(packet(0x40, u16(1)));
    CHECK_EQ(session.done(11).words[5], 0U);
    session.peer.send(packet(0x50, u16(2)));
    session.peer.expect(packet(0x62, u16(2)));
    session.peer.send(packet(0x70, u16(2)));
    CHECK_EQ(session.done(12).words[5], 0U);
    session.close();
  }
}

TEST("publish: empty and large payloads and the longest topic arrive as they are") {
  Session session(kMqtt311);
  const Buffer large = patterned(1, 3'000'000);
  const std::string longest(65535, 't');
  session.submit(bytes(session.publish(1, fields_of("a", {}, 0)),
                       session.publish(2, fields_of("b", large, 1)),
                       session.publish(3, fields_of(longest, bytes("x"), 0))));
  session.peer.expect(packet(0x30, field("a")));
  session.peer.expect(packet(0x32, field("b"), u16(1), large));
  session.peer.expect(packet(0x30, field(longest), "x"));
  session.peer.send(packet(0x40, u16(1)));
  (void)session.done(1);
  (void)session.done(3);
  (void)session.done(2);
  session.close();
}

TEST("publish: staged payloads arrive as they are, wherever they wait, and are let go of") {
  for (const int version : {kMqtt311, kMqtt5}) {
    Session session(options_for({}, version));
    constexpr std::size_t kSize = 300'000;
    constexpr std::uint32_t kPublishes = 30;
    std::deque<SharedBuffer> staged;
    Buffer commands;
    for (std::uint32_t i = 1; i <= kPublishes; ++i) {
      PublishFields fields = fields_of("a", patterned(i, kSize), static_cast<int>(i % 3));
      if (version == kMqtt5) fields.properties = properties(0x01, 1);
      // Of a connection that there is not.
      if (i == 7) put(commands, staged_publish_command(9'999'999, 1, fields, staged));
      put(commands, staged_publish_command(session.connection, i, fields, staged));
      put(commands, session.publish(1000 + i, fields_of("b", bytes("small"), 0)));
    }
    std::vector<std::weak_ptr<const RawBuffer>> kept(staged.begin(), staged.end());
    session.environment.submit(commands, std::move(staged));
    std::uint32_t large = 0;
    std::uint32_t small = 0;
    std::uint32_t released = 0;
    while (large < kPublishes || small < kPublishes || released < kPublishes / 3) {
      const Buffer sent = session.peer.read_packet();
      Packet whole;
      CHECK(split_packet(sent, whole));
      if (whole.type == packet::kPubrel) {
        ++released;
        session.peer.send(packet(0x70, u16(read_u16(whole.body.data()))));
        continue;
      }
      if (whole.body.size() < 100) {
        ++small;
        continue;
      }
      ++large;
      const std::uint32_t number = read_u32(whole.body.last(kSize).data());
      CHECK(copy_of(whole.body.last(kSize)) == patterned(number, kSize));
      const int qos = static_cast<int>(number % 3);
      CHECK_EQ(whole.flags >> 1 & 3, qos);
      if (qos > 0) session.peer.send(packet(qos == 1 ? 0x40 : 0x50, u16(identifier_of(sent))));
    }
    for (std::uint32_t i = 0; i < 2 * kPublishes; ++i) {
      CHECK_EQ(session.environment.next(session.connection, event::kDone).words[5], 0U);
    }
    session.close();
    for (const auto& each : kept) CHECK(each.expired());
  }
}

TEST("publish: properties arrive as they are, also numbers from 2^31 on") {
  Session session(kMqtt5);
  const Buffer list =
      properties(0x01, 1, 0x02, u32(0xfffffffe), 0x08, field("answers"), 0x09, field("\x01\x02"),
                 0x26, field("n"), field("v"), 0x26, field("n"), field("w"), 0x23, u16(1));
  PublishFields fields = fields_of("a", bytes("x"), 1);
  fields.properties = list;
  session.submit(session.publish(1, fields));
  session.peer.expect(packet(0x32, field("a"), u16(1), list, "x"));
  session.peer.send(packet(0x40, u16(1)));
  (void)session.done(1);
  session.close();
}

TEST("publish: what the broker says against it on MQTT 5 is told, with or without properties") {
  for (const Buffer& tail :
       {bytes(), bytes(0), properties(0x1f, field("no"), 0x26, field("a"), field("b"))}) {
    const Note note(shown(tail));
    Session session(kMqtt5);
    for (std::uint32_t i = 1; i <= 3; ++i) {
      session.submit(session.publish(i, fields_of("a", {}, i == 1 ? 1 : 2)));
    }
    for (int i = 0; i < 3; ++i) (void)session.peer.read_packet();
    session.peer.send(packet(0x40, u16(1), 0x87, tail));
    CHECK_EQ(session.done(1).words[5], 0x87U);
    // A PUBREC that refuses ends the flow.
    session.peer.send(packet(0x50, u16(2), 0x97, tail));
    CHECK_EQ(session.done(2).words[5], 0x97U);
    session.peer.send(packet(0x50, u16(3), 0x10, tail));
    session.peer.expect(packet(0x62, u16(3)));
    session.peer.send(packet(0x70, u16(3), 0x92, tail));
    CHECK_EQ(session.done(3).words[5], 0x92U);
    session.close();
  }
}

TEST("publish: acknowledgements may come in any order, twice, or for nobody") {
  Session session(kMqtt311);
  for (std::uint32_t i = 1; i <= 4; ++i) {
    session.submit(session.publish(i, fields_of("a", {}, i <= 2 ? 1 : 2)));
  }
  for (int i = 0; i < 4; ++i) (void)session.peer.read_packet();
  session.peer.send(bytes(packet(0x40, u16(999)), packet(0x70, u16(999)), packet(0x40, u16(2)),
                          packet(0x40, u16(2)), packet(0x50, u16(4)), packet(0x50, u16(4)),
                          packet(0x40, u16(1))));
  CHECK_EQ(session.done(2).words[5], 0U);
  CHECK_EQ(session.done(1).words[5], 0U);
  session.peer.expect(packet(0x62, u16(4)));
  session.peer.expect(packet(0x62, u16(4)));
  session.peer.send(bytes(packet(0x70, u16(4)), packet(0x70, u16(4)), packet(0x50, u16(3))));
  CHECK_EQ(session.done(4).words[5], 0U);
  session.peer.expect(packet(0x62, u16(3)));
  session.peer.send(packet(0x70, u16(3)));
  CHECK_EQ(session.done(3).words[5], 0U);
  session.close();
}

TEST("publish: PUBACK settles QoS 2, which is told once; no PUBREL leaves") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    for (std::uint32_t i = 1; i <= 3; ++i)
      session.submit(session.publish(i, fields_of("a", {}, 2)));
    for (int i = 0; i < 3; ++i) (void)session.peer.read_packet();
    session.peer.send(packet(0x40, u16(1)));
    CHECK_EQ(session.environment.next(session.connection, event::kLowered).words[2], 0U);
    CHECK_EQ(session.done(1).words[5], 0U);
    session.peer.send(bytes(packet(0x40, u16(2)), packet(0x50, u16(3))));
    CHECK_EQ(session.done(2).words[5], 0U);
    session.peer.expect(packet(0x62, u16(3)));
    session.peer.send(packet(0x70, u16(3)));
    CHECK_EQ(session.done(3).words[5], 0U);
    session.close();
  }
}

TEST("publish: a topic that Paho does not take is told, and does not use up the window") {
  ConnectionOptions options = options_for({}, kMqtt311);
  options.max_inflight = 1;
  Session session(std::move(options));
  for (std::uint32_t i = 1; i <= 3; ++i)
    session.submit(session.publish(i, fields_of("\xff", {}, 1)));
  for (std::uint32_t i = 1; i <= 3; ++i) CHECK(session.done(i).words[5] > code::kRefused);
  session.submit(session.publish(4, fields_of("good", {}, 1)));
  const std::uint16_t identifier = identifier_of(session.peer.read_packet());
  session.peer.send(packet(0x40, u16(identifier)));
  CHECK_EQ(session.done(4).words[5], 0U);
  session.close();
}

// -- Packet identifiers of the caller's --

TEST("publish: the caller may choose packet identifiers, again as soon as a flow is over") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    const Buffer none = no_properties(version);
    const auto chosen = [](int qos, std::uint16_t identifier) {
      PublishFields fields = fields_of("a", {}, qos);
      fields.identifier = identifier;
      return fields;
    };
    for (std::uint32_t round = 0; round < 3; ++round) {
      session.submit(bytes(session.publish(1, chosen(1, 700)), session.publish(2, chosen(2, 65535)),
                           session.publish(3, chosen(1, 700)), session.publish(4, chosen(0, 0)),
                           subscribe_command(session.connection, 5, {{"s", 0}}, none, 9),
                           unsubscribe_command(session.connection, 6, {{"u"}}, none, 8)));
      CHECK(session.done(3).words[5] > code::kRefused);
      CHECK_EQ(session.done(4).words[5], 0U);
      session.peer.expect(packet(0x32, field("a"), u16(700), none));
      session.peer.expect(packet(0x34, field("a"), u16(65535), none));
      session.peer.expect(packet(0x30, field("a"), none));
      session.peer.expect(packet(0x82, u16(9), none, field("s"), 0));
      session.peer.expect(packet(0xa2, u16(8), none, field("u")));
      session.peer.send(bytes(packet(0x50, u16(65535)), packet(0x40, u16(700))));
      CHECK_EQ(session.next().kind, event::kReceived);
      CHECK_EQ(session.done(1).words[5], 0U);
      session.peer.expect(packet(0x62, u16(65535)));
      session.peer.send(packet(0x70, u16(65535)));
      CHECK_EQ(session.done(2).words[5], 0U);
      const Buffer codes = version == kMqtt5 ? bytes(0) : bytes();
      session.peer.send(bytes(packet(0x90, u16(9), none, 0), packet(0xb0, u16(8), none, codes)));
      (void)session.done(5);
      (void)session.done(6);
    }
    session.close();
  }
}

TEST("publish: DUP is set in what is submitted with it, and in nothing else") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    const Buffer none = no_properties(version);
    constexpr std::uint32_t kPublishes = 600;
    Buffer commands;
    for (std::uint32_t i = 1; i <= kPublishes; ++i) {
      PublishFields fields = fields_of("t", patterned(i, 1000), static_cast<int>(i % 3));
      fields.retain = i % 4 == 0;
      fields.dup = fields.qos > 0 && i % 5 < 2;
      fields.identifier = fields.qos > 0 ? static_cast<std::uint16_t>(65536 - i) : 0;
      put(commands, session.publish(i, fields));
    }
    session.submit(commands);
    for (std::uint32_t i = 1; i <= kPublishes; ++i) {
      const std::uint32_t qos = i % 3;
      const std::uint32_t flags = qos << 1 | (i % 4 == 0 ? 1U : 0U);
      const std::uint32_t dup = qos > 0 && i % 5 < 2 ? 8U : 0U;
      session.peer.expect(packet(static_cast<int>(0x30 | flags | dup), field("t"),
                                 qos > 0 ? u16(65536 - i) : bytes(), none, patterned(i, 1000)));
    }
    session.peer.close();
    while (session.next().kind != event::kClosed) {
    }
  }
}

TEST("publish: PUBREC of a chosen identifier is told before the end, one that refuses is not") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    PublishFields fields = fields_of("a", {}, 2);
    fields.identifier = 40;
    session.submit(session.publish(7, fields));
    (void)session.peer.read_packet();
    session.peer.send(packet(0x50, u16(40)));
    CHECK_EQ(session.environment.next(session.connection, event::kReceived).words[2], 7U);
    session.peer.expect(packet(0x62, u16(40)));
    session.peer.send(bytes(packet(0x50, u16(40)), packet(0x70, u16(40))));
    CHECK_EQ(session.done(7).words[5], 0U);
    session.peer.expect(packet(0x62, u16(40)));
    if (version == kMqtt5) {
      session.submit(session.publish(8, fields));
      (void)session.peer.read_packet();
      session.peer.send(packet(0x50, u16(40), 0x97));
      CHECK_EQ(session.done(8).words[5], 0x97U);
    }
    session.close();
  }
}

TEST(
    "release: a PUBREC that is held is answered when JavaScript says so, whatever comes "
    "meanwhile") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    ConnectionOptions options = options_for({}, version);
    options.hold_releases = true;
    Session session(std::move(options));
    const std::uint32_t connection = session.connection;
    for (const std::uint16_t identifier : {40, 41}) {
      PublishFields fields = fields_of("a", {}, 2);
      fields.identifier = identifier;
      session.submit(session.publish(identifier, fields));
      (void)session.peer.read_packet();
      session.peer.send(bytes(packet(0x50, u16(identifier)), packet(0x50, u16(identifier))));
      CHECK_EQ(session.environment.next(connection, event::kReceived).words[2],
               std::uint32_t{identifier});
    }
    // Nothing has left but what is asked for.
    session.peer.send(packet(0x32, field("a"), u16(9), version == kMqtt5 ? bytes(0) : bytes()));
    session.peer.expect(packet(0x40, u16(9)));
    CHECK_EQ(session.next().kind, event::kMessage);
    session.submit(bytes(release_command(connection, 41, 41), release_command(connection, 40, 40)));
    session.peer.expect(packet(0x62, u16(41)));
    session.peer.expect(packet(0x62, u16(40)));
    session.peer.send(bytes(packet(0x70, u16(40)), packet(0x70, u16(41))));
    CHECK_EQ(session.done(40).words[5], 0U);
    CHECK_EQ(session.done(41).words[5], 0U);
    // One that is held when the connection goes is nothing to anybody.
    PublishFields fields = fields_of("a", {}, 2);
    fields.identifier = 42;
    session.submit(session.publish(42, fields));
    (void)session.peer.read_packet();
    session.peer.send(packet(0x50, u16(42)));
    CHECK_EQ(session.environment.next(connection, event::kReceived).words[2], 42U);
    session.submit(bytes(release_command(connection, 42, 42), close_command(connection)));
    while (session.next().kind != event::kClosed) {
    }
  }
}

TEST("release: PUBREL goes out at once, in order, and PUBCOMP ends it with its reason code") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    ConnectionOptions options = options_for({}, version);
    options.max_inflight = 1;
    Session session(std::move(options));
    PublishFields fields = fields_of("a", {}, 1);
    fields.identifier = 1;
    const std::uint32_t connection = session.connection;
    session.submit(bytes(session.publish(1, fields), release_command(connection, 2, 300),
                         release_command(connection, 3, 65535), release_command(connection, 4, 300),
                         release_command(connection, 5, 1)));
    CHECK_EQ(session.done(4).words[5], refusal_code(-10));
    CHECK_EQ(session.done(5).words[5], refusal_code(-10));
    Buffer received = session.peer.read_packet();
    put(received, session.peer.read_packet());
    put(received, session.peer.read_packet());
    CHECK_EQ(copy_of(Bytes(received).first(8)),
             bytes(packet(0x62, u16(300)), packet(0x62, u16(65535))));
    const Buffer late = version == kMqtt5 ? packet(0x70, u16(300), 0x92) : packet(0x70, u16(300));
    session.peer.send(bytes(packet(0x70, u16(65535)), late, packet(0x40, u16(1))));
    CHECK_EQ(session.done(3).words[5], 0U);
    CHECK_EQ(session.done(2).words[5], version == kMqtt5 ? 0x92U : 0U);
    CHECK_EQ(session.done(1).words[5], 0U);
    session.submit(bytes(close_command(connection), release_command(connection, 6, 300)));
    session.peer.expect(packet(0xe0));
    session.peer.expect_end();
    session.peer.close();
    CHECK_EQ(session.closed().words[2], Ending::kLocal);
  }
}

// -- The window --

TEST("publish: the window holds back QoS 1 and 2 in order, and nothing else") {
  ConnectionOptions options = options_for({}, kMqtt311);
  options.max_inflight = 2;
  Session session(std::move(options));
  Buffer commands;
  for (std::uint32_t i = 1; i <= 5; ++i) {
    put(commands, session.publish(i, fields_of("q", u32(i), i == 3 ? 2 : 1)));
  }
  put(commands, session.publish(6, fields_of("zero", {}, 0)));
  put(commands, subscribe_command(session.connection, 7, {{"s", 0}}));
  session.submit(commands);
  session.peer.expect(packet(0x32, field("q"), u16(1), u32(1)));
  session.peer.expect(packet(0x32, field("q"), u16(2), u32(2)));
  session.peer.expect(packet(0x30, field("zero")));
  session.peer.expect(packet(0x82, u16(3), field("s"), 0));
  (void)session.done(6);
  session.peer.send(packet(0x90, u16(3), 0));
  (void)session.done(7);

  session.peer.send(packet(0x40, u16(2)));
  (void)session.done(2);
  session.peer.expect(packet(0x34, field("q"), u16(4), u32(3)));
  // PUBREC frees no place, PUBCOMP does.
  session.peer.send(packet(0x50, u16(4)));
  session.peer.expect(packet(0x62, u16(4)));
  session.peer.send(packet(0x70, u16(4)));
  (void)session.done(3);
  session.peer.expect(packet(0x32, field("q"), u16(5), u32(4)));
  session.peer.send(bytes(packet(0x40, u16(1)), packet(0x40, u16(5))));
  (void)session.done(1);
  (void)session.done(4);
  session.peer.expect(packet(0x32, field("q"), u16(6), u32(5)));
  session.peer.send(packet(0x40, u16(6)));
  (void)session.done(5);
  session.close();
}

TEST("publish: the broker's Receive Maximum narrows the window") {
  Session session(options_for({}, kMqtt5), {false, bytes(0x21, u16(1))});
  session.submit(bytes(session.publish(1, fields_of("a", {}, 1)),
                       session.publish(2, fields_of("b", {}, 2)),
                       session.publish(3, fields_of("c", {}, 0))));
  session.peer.expect(packet(0x32, field("a"), u16(1), 0));
  session.peer.expect(packet(0x30, field("c"), 0));
  (void)session.done(3);
  session.peer.send(packet(0x40, u16(1), 0x80));
  CHECK_EQ(session.done(1).words[5], 0x80U);
  session.peer.expect(packet(0x34, field("b"), u16(2), 0));
  session.peer.send(packet(0x50, u16(2), 0x97));
  CHECK_EQ(session.done(2).words[5], 0x97U);
  session.close();
}

TEST(
    "publish: CANCEL withdraws what waits for the window; what was sent goes on without its "
    "place") {
  ConnectionOptions options = options_for({}, kMqtt311);
  options.max_inflight = 1;
  Session session(std::move(options));
  session.submit(
      bytes(session.publish(1, fields_of("a", {}, 1)), session.publish(2, fields_of("b", {}, 1)),
            session.publish(3, fields_of("c", {}, 1)), cancel_command(session.connection, 2),
            cancel_command(session.connection, 1)));
  session.peer.expect(packet(0x32, field("a"), u16(1)));
  CHECK_EQ(session.done(2).words[5], code::kWithdrawn);
  session.peer.expect(packet(0x32, field("c"), u16(2)));
  session.peer.send(packet(0x40, u16(1)));
  CHECK_EQ(session.done(1).words[5], 0U);
  session.submit(session.publish(4, fields_of("d", {}, 1)));
  session.peer.send(packet(0x40, u16(2)));
  CHECK_EQ(session.done(3).words[5], 0U);
  session.peer.expect(packet(0x32, field("d"), u16(3)));
  session.peer.send(packet(0x40, u16(3)));
  CHECK_EQ(session.done(4).words[5], 0U);
  session.close();
}

TEST("publish: with a window of one no publish is forgotten, however acknowledgements race") {
  ConnectionOptions options = options_for({}, kMqtt311);
  options.max_inflight = 1;
  Session session(std::move(options));
  constexpr std::uint32_t kPublishes = 3'000;
  Background broker([&session] {
    for (std::uint32_t i = 0; i < kPublishes; ++i) {
      const Buffer publish = session.peer.read_packet();
      CHECK_EQ(copy_of(Bytes(publish).last(4)), u32(i));
      session.peer.send(packet(0x40, u16(identifier_of(publish))));
    }
  });
  // Always two under way, the second submitted when the first is about to be acknowledged.
  for (std::uint32_t i = 0; i < kPublishes; ++i) {
    session.submit(session.publish(i + 1, fields_of("a", u32(i), 1)));
    if (i > 0) (void)session.done(i);
  }
  (void)session.done(kPublishes);
  broker.join();
  session.close();
}

TEST("publish: ten thousand of QoS 1 in a batch are all sent and acknowledged, in order") {
  Session session(kMqtt311);
  constexpr std::uint32_t kPublishes = 10'000;
  Background broker([&session] {
    Buffer acks;
    for (std::uint32_t i = 0; i < kPublishes; ++i) {
      const Buffer publish = session.peer.read_packet();
      CHECK_EQ(publish, packet(0x32, field("a/b/c"), u16(i + 1), u32(i)));
      put(acks, packet(0x40, u16(i + 1)));
      if (i % 10 == 9) session.peer.send(std::exchange(acks, {}));
    }
  });
  Buffer commands;
  for (std::uint32_t i = 0; i < kPublishes; ++i) {
    put(commands, session.publish(i + 1, fields_of("a/b/c", u32(i), 1)));
  }
  session.submit(commands);
  for (std::uint32_t i = 1; i <= kPublishes; ++i) (void)session.done(i);
  broker.join();
  session.close();
}

TEST("publish: with as many under way as MQTT allows, QoS 0 still passes and none is lost") {
  Session session(kMqtt311);
  constexpr std::uint32_t kPublishes = 66'000;
  Buffer commands;
  for (std::uint32_t i = 1; i <= kPublishes; ++i) {
    put(commands, session.publish(i, fields_of("a", {}, 1)));
  }
  put(commands, session.publish(kPublishes + 1, fields_of("zero", {}, 0)));
  session.submit(commands);
  // All that came before this one are under way: nothing was acknowledged yet.
  std::vector<std::uint16_t> identifiers;
  for (;;) {
    const Buffer publish = session.peer.read_packet();
    if (publish == packet(0x30, field("zero"))) break;
    identifiers.push_back(identifier_of(publish));
  }
  CHECK(identifiers.size() > 65'000);
  CHECK(identifiers.size() <= 65'535);
  (void)session.done(kPublishes + 1);
  Buffer acks;
  for (const std::uint16_t identifier : identifiers) put(acks, packet(0x40, u16(identifier)));
  session.peer.send(acks);
  for (std::size_t i = identifiers.size(); i < kPublishes; ++i) {
    session.peer.send(packet(0x40, u16(identifier_of(session.peer.read_packet()))));
  }
  for (std::uint32_t i = 1; i <= kPublishes; ++i) CHECK_EQ(session.done(i).words[5], 0U);
  session.close();
}

}  // namespace
}  // namespace aiomqtt::testing
