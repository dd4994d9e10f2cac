// The whole engine, inward: subscriptions and messages.
#include "platform/system_calls.h"
#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

TEST("subscribe: filters and options go out, and the codes come back, on each version") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    const bool is5 = version == kMqtt5;
    const Buffer own = is5 ? properties(0x0b, 7, 0x26, field("a"), field("b")) : bytes();
    // No Local, Retain As Published and Retain Handling are MQTT 5's.
    const int options = is5 ? 2 | 1 << 2 | 1 << 3 | 2 << 4 : 2;
    session.submit(
        subscribe_command(session.connection, 5, {{"a/+", 0}, {"b/#", options}, {"ü", 1}}, own));
    session.peer.expect(packet(0x82, u16(1), is5 ? own : bytes(), field("a/+"), 0, field("b/#"),
                               options, field("ü"), 1));
    session.peer.send(packet(0x90, u16(1), no_properties(version), 0, 2, 0x80));
    const Event subscribed = session.done(5);
    CHECK_EQ(subscribed.words[5], 0U);
    CHECK_EQ(subscribed.bytes, bytes(0, 2, 0x80));

    session.submit(unsubscribe_command(session.connection, 6, {{"a/+"}, {"b/#"}},
                                       is5 ? properties(0x26, field("a"), field("b")) : bytes()));
    session.peer.expect(packet(0xa2, u16(2),
                               is5 ? properties(0x26, field("a"), field("b")) : bytes(),
                               field("a/+"), field("b/#")));
    session.peer.send(is5 ? packet(0xb0, u16(2), 0, 0, 0x11) : packet(0xb0, u16(2)));
    const Event unsubscribed = session.done(6);
    CHECK_EQ(unsubscribed.bytes, is5 ? bytes(0, 0x11) : bytes());
    session.close();
  }
}

TEST("subscribe: one filter, refused or with properties in the answer, is told as well") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    const Buffer properties_of_refusal =
        version == kMqtt5 ? bytes(0x1f, field("no"), 0x26, field("a"), field("b")) : bytes();
    const Buffer tail = version == kMqtt5 ? properties(properties_of_refusal) : bytes();
    session.submit(
        bytes(subscribe_command(session.connection, 1, {{"a", 1}}, no_properties(version)),
              subscribe_command(session.connection, 2, {{"b", 1}}, no_properties(version)),
              unsubscribe_command(session.connection, 3, {{"a"}}, no_properties(version))));
    for (int i = 0; i < 3; ++i) (void)session.peer.read_packet();
    session.peer.send(
        bytes(packet(0x90, u16(2), tail, 1), packet(0x90, u16(1), tail, 0x80),
              version == kMqtt5 ? packet(0xb0, u16(3), tail, 0x87) : packet(0xb0, u16(3))));
    CHECK_EQ(session.done(2).bytes, bytes(1));
    CHECK_EQ(session.done(1).bytes, bytes(0x80, properties_of_refusal));
    CHECK_EQ(session.done(3).bytes,
             version == kMqtt5 ? bytes(0x87, properties_of_refusal) : bytes());
    session.close();
  }
}

TEST("subscribe: a hundred filters of any length go out in one packet") {
  Session session(kMqtt311);
  std::vector<FilterFields> filters;
  Buffer expected;
  Buffer codes;
  for (int i = 0; i < 100; ++i) {
    filters.push_back({std::string(static_cast<std::size_t>(1 + i * 7), 'f'), i % 3});
    put(expected, bytes(field(filters.back().filter), i % 3));
    put(codes, i % 3);
  }
  session.submit(subscribe_command(session.connection, 1, filters));
  session.peer.expect(packet(0x82, u16(1), expected));
  session.peer.send(packet(0x90, u16(1), codes));
  CHECK_EQ(session.done(1).bytes, codes);
  session.close();
}

TEST("subscribe: an answer with the wrong number of codes ends the connection") {
  for (const int version : kVersions) {
    for (const Buffer& codes : {bytes(), bytes(0), bytes(0, 0, 0)}) {
      Session session(version);
      session.submit(
          subscribe_command(session.connection, 1, {{"a", 0}, {"b", 0}}, no_properties(version)));
      (void)session.peer.read_packet();
      session.peer.send(packet(0x90, u16(1), no_properties(version), codes));
      const Event closed = session.closed();
      CHECK_EQ(closed.words[2], Ending::kProtocol);
      CHECK_EQ(closed.words[5], reason::kProtocolError);
    }
  }
}

TEST("receive: messages of each QoS come and are acknowledged, on each version") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(version);
    session.peer.send(bytes(broker_publish(version, 0, 0, "a", bytes("zero")),
                            broker_publish(version, 1, 300, "b", bytes("one")),
                            broker_publish(version, 2, 301, "c", bytes("two"))));
    CHECK_EQ(text_of(session.message().payload), "zero");
    const Event one = session.message();
    CHECK_EQ(one.topic, "b");
    CHECK_EQ(one.words[7], 300U);
    session.peer.expect(packet(0x40, u16(300)));
    session.peer.expect(packet(0x50, u16(301)));
    session.peer.send(packet(0x62, u16(301)));
    const Event two = session.message();
    CHECK_EQ(two.topic, "c");
    CHECK_EQ(two.qos(), 2);
    session.peer.expect(packet(0x70, u16(301)));
    session.close();
  }
}

TEST("receive: a whole session byte by byte, in both directions, is the same") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Environment environment;
    Listener listener;
    const std::uint32_t connection = environment.open(options_for(listener.address(), version));
    Peer peer = listener.accept();
    (void)peer.read_packet(1);
    peer.send_bytewise(connack(version));
    (void)environment.next(connection, event::kOpened);
    environment.submit(subscribe_command(connection, 1, {{"#", 2}}, no_properties(version)));
    CHECK_EQ(peer.read_packet(1), packet(0x82, u16(1), no_properties(version), field("#"), 2));
    peer.send_bytewise(bytes(packet(0x90, u16(1), no_properties(version), 2),
                             broker_publish(version, 2, 5, "topic", bytes("payload")), packet(0xd0),
                             packet(0x62, u16(5))));
    (void)environment.done(connection, 1);
    CHECK_EQ(text_of(environment.next(connection, event::kMessage).payload), "payload");
    CHECK_EQ(peer.read_packet(1), packet(0x50, u16(5)));
    CHECK_EQ(peer.read_packet(1), packet(0x70, u16(5)));
    environment.submit(close_command(connection));
    CHECK_EQ(peer.read_packet(1), packet(0xe0));
    peer.expect_end();
    (void)environment.closed(connection);
  }
}

TEST("receive: fifty thousand messages come in order, each acknowledged once and in order") {
  Session session(kMqtt311);
  constexpr std::uint32_t kMessages = 50'000;
  Background broker([&session] {
    Buffer burst;
    for (std::uint32_t i = 1; i <= kMessages; ++i) {
      put(burst, broker_publish(kMqtt311, static_cast<int>(i % 2), i,
                                "t/" + std::to_string(i % 100), u32(i)));
      if (burst.size() < 20'000 && i < kMessages) continue;
      session.peer.send(std::exchange(burst, {}));
    }
  });
  Background acknowledgements([&session] {
    for (std::uint32_t i = 1; i <= kMessages; i += 2) session.peer.expect(packet(0x40, u16(i)));
  });
  for (std::uint32_t i = 1; i <= kMessages; ++i) {
    const Event event = session.message();
    CHECK_EQ(event.payload, u32(i));
    CHECK_EQ(event.topic, "t/" + std::to_string(i % 100));
    CHECK_EQ(event.words[7], i % 2 == 1 ? i : 0);
  }
  broker.join();
  acknowledgements.join();
  session.close();
}

TEST(
    "receive: a thousand messages in a flood cost fifty system calls at most, acknowledged or "
    "not") {
  for (const int qos : {0, 1}) {
    const Note note("QoS " + std::to_string(qos));
    Session session(kMqtt311);
    constexpr std::uint32_t kMessages = 50'000;
    Buffer flood;
    for (std::uint32_t i = 1; i <= kMessages; ++i) {
      put(flood, broker_publish(kMqtt311, qos, i, "t", u32(i)));
    }
    const std::uint64_t before = system_calls.load();
    Background broker([&] { session.peer.send(flood); });
    Background acknowledgements([&] {
      for (std::uint32_t i = 1; qos == 1 && i <= kMessages; ++i) {
        session.peer.expect(packet(0x40, u16(i)));
      }
    });
    for (std::uint32_t i = 1; i <= kMessages; ++i) CHECK_EQ(session.message().payload, u32(i));
    broker.join();
    acknowledgements.join();
    const std::uint64_t a_thousand = (system_calls.load() - before) * 1000 / kMessages;
    CHECK(a_thousand <= 50);
    session.close();
  }
}

TEST("receive: messages of megabytes come intact") {
  Session session(kMqtt5);
  for (std::size_t size = 1; size <= 8'000'000; size *= 20) {
    const Buffer payload = patterned(7, size);
    session.peer.send(broker_publish(kMqtt5, 1, 1, "large", payload));
    CHECK(session.message().payload == payload);
    session.peer.expect(packet(0x40, u16(1)));
  }
  session.close();
}

TEST("receive: on MQTT 5 our own limits hold: Maximum Packet Size, Topic Alias Maximum") {
  const Buffer own = properties(0x27, u32(100), 0x22, u16(2));
  for (const bool is_too_large : {true, false}) {
    ConnectionOptions options = options_for({}, kMqtt5);
    options.fields.properties = own;
    Session session(std::move(options));
    session.peer.send(bytes(packet(0x30, field("a/b"), properties(0x23, u16(2)), "1"),
                            packet(0x30, field(""), properties(0x23, u16(2)), "2")));
    CHECK_EQ(session.message().topic, "a/b");
    CHECK_EQ(session.message().topic, "a/b");
    session.peer.send(is_too_large ? packet(0x30, field("a"), 0, Buffer(95))
                                   : packet(0x30, field("a"), properties(0x23, u16(3))));
    const std::uint8_t expected =
        is_too_large ? reason::kPacketTooLarge : reason::kTopicAliasInvalid;
    CHECK_EQ(session.closed().words[5], expected);
    session.peer.expect(packet(0xe0, expected));
    session.peer.expect_end();
  }
}

TEST("receive: a QoS 2 message survives the loss of its connection, and so does the numbering") {
  Buffer saved;
  {
    ConnectionOptions options = options_for({}, kMqtt311);
    options.fields.clean_start = false;
    Session session(std::move(options));
    PublishFields fields;
    fields.qos = 1;
    session.submit(bytes(session.publish(1, fields), session.publish(2, fields)));
    for (int i = 0; i < 2; ++i) (void)session.peer.read_packet();
    session.peer.send(broker_publish(kMqtt311, 2, 77, "kept", bytes("payload")));
    session.peer.expect(packet(0x50, u16(77)));
    session.peer.close();
    saved = session.closed().payload;
  }
  ConnectionOptions options = options_for({}, kMqtt311);
  options.fields.clean_start = false;
  options.session = saved;
  Session session(std::move(options), {true, {}});
  session.peer.send(packet(0x62, u16(77)));
  const Event event = session.message();
  CHECK_EQ(event.topic, "kept");
  CHECK_EQ(text_of(event.payload), "payload");
  session.peer.expect(packet(0x70, u16(77)));
  session.submit(subscribe_command(session.connection, 1, {{"a", 0}}));
  session.peer.expect(packet(0x82, u16(3), field("a"), 0));
  session.close();
}

// -- JavaScript acknowledges --

ConnectionOptions holding(int version, const Buffer& session = {}) {
  ConnectionOptions options = options_for({}, version);
  options.hold_acknowledgements = true;
  options.fields.clean_start = false;
  options.session = session;
  return options;
}

TEST("acknowledge: PUBACK and PUBREC go out when told, in that order, once, and for nothing else") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    Session session(holding(version));
    const std::uint32_t connection = session.connection;
    const auto message = [&](int qos, std::uint32_t identifier) {
      return broker_publish(version, qos, identifier, "a", u32(identifier));
    };
    session.peer.send(bytes(message(1, 1), message(2, 2), message(0, 0), message(1, 65535)));
    for (int i = 0; i < 4; ++i) (void)session.message();
    session.submit(
        bytes(acknowledge_command(connection, 1, 2), acknowledge_command(connection, 2, 1),
              acknowledge_command(connection, 1, 3), acknowledge_command(connection, 1, 65535),
              acknowledge_command(connection, 2, 2), acknowledge_command(connection, 1, 65535)));
    session.peer.expect(packet(0x40, u16(65535)));
    session.peer.expect(packet(0x50, u16(2)));
    session.peer.send(packet(0x62, u16(2)));
    CHECK_EQ(session.environment.next(connection, event::kReleased).words[2], 2U);
    session.peer.expect(packet(0x70, u16(2)));
    session.peer.send(message(2, 2));
    CHECK_EQ(session.message().words[7], 2U);
    session.submit(acknowledge_command(connection, 1, 1));
    session.peer.expect(packet(0x40, u16(1)));
    session.close();
  }
}

TEST("acknowledge: the next connection knows which QoS 2 messages were acknowledged") {
  Buffer kept;
  {
    Session session(holding(kMqtt5));
    session.peer.send(bytes(broker_publish(kMqtt5, 2, 1, "a", bytes("one")),
                            broker_publish(kMqtt5, 2, 2, "a", bytes("two"))));
    for (int i = 0; i < 2; ++i) (void)session.message();
    session.submit(acknowledge_command(session.connection, 2, 1));
    session.peer.expect(packet(0x50, u16(1)));
    session.peer.close();
    kept = session.closed().payload;
    CHECK_EQ(kept, bytes(0, 0, 0, 0, 1, 0, 0, 0));
  }
  {
    Session session(holding(kMqtt5, kept), {true});
    session.peer.send(bytes(packet(0x3c, field("a"), u16(1), 0, "one"),
                            packet(0x3c, field("a"), u16(2), 0, "two"), packet(0x62, u16(1))));
    CHECK_EQ(text_of(session.message().payload), "two");
    CHECK_EQ(session.environment.next(session.connection, event::kReleased).words[2], 1U);
    session.peer.expect(packet(0x50, u16(1)));
    session.peer.expect(packet(0x70, u16(1)));
    session.close();
  }
  Session session(holding(kMqtt5, kept), {false});
  session.peer.send(broker_publish(kMqtt5, 2, 1, "a", bytes("new")));
  CHECK_EQ(text_of(session.message().payload), "new");
  session.close();
}

TEST("acknowledge: a broker that sends more than our Receive Maximum is told to go") {
  for (const bool holds : {false, true}) {
    ConnectionOptions options = options_for({}, kMqtt5);
    options.hold_acknowledgements = holds;
    options.fields.properties = properties(0x21, u16(2));
    Session session(std::move(options));
    Buffer burst;
    for (std::uint32_t i = 1; i <= 3; ++i) {
      put(burst, broker_publish(kMqtt5, 1, i, "a", bytes("x")));
    }
    session.peer.send(burst);
    CHECK_EQ(text_of(session.message().payload), "x");
    CHECK_EQ(text_of(session.message().payload), "x");
    const Event closed = session.closed();
    CHECK_EQ(closed.words[2], Ending::kProtocol);
    CHECK_EQ(closed.words[5], reason::kReceiveMaximumExceeded);
    for (std::uint16_t i = 1; i <= 2 && !holds; ++i) session.peer.expect(packet(0x40, u16(i)));
    session.peer.expect(packet(0xe0, 0x93));
  }
}

TEST("acknowledge: twenty thousand messages, acknowledged while they come, cross the engine") {
  Session session(holding(kMqtt311));
  constexpr std::uint32_t kMessages = 20'000;
  Background broker([&session] {
    Buffer burst;
    std::uint32_t acknowledged = 0;
    for (std::uint32_t i = 1; i <= kMessages; ++i) {
      put(burst, broker_publish(kMqtt311, 1, i, "a", u32(i)));
      if (i % 100 == 0) session.peer.send(std::exchange(burst, {}));
      if (i % 100 == 0 && i > 5'000) {
        for (int each = 0; each < 100; ++each) {
          session.peer.expect(packet(0x40, u16(++acknowledged)));
        }
      }
    }
    while (acknowledged < kMessages) session.peer.expect(packet(0x40, u16(++acknowledged)));
  });
  Buffer commands;
  for (std::uint32_t i = 1; i <= kMessages; ++i) {
    CHECK_EQ(session.message().words[7], i);
    put(commands, acknowledge_command(session.connection, 1, static_cast<std::uint16_t>(i)));
    if (i % 10 == 0) session.submit(std::exchange(commands, {}));
  }
  broker.join();
  session.close();
}

}  // namespace
}  // namespace aiomqtt::testing
