// The whole engine, from open() to OPENED or to its failure, against a scripted broker.
#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

Buffer protocol(int version) {
  return bytes(field(version == kMqtt31 ? "MQIsdp" : "MQTT"), version);
}

void check_closed(const Event& event, std::uint32_t cause, bool was_opened) {
  CHECK_EQ(event.words[2], cause);
  CHECK_EQ(event.flags, was_opened ? 1U : 0U);
}

TEST("connect: CONNECT says what was asked for, and OPENED what CONNACK said, on each version") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    ConnectionOptions options = options_for({}, version);
    options.fields.clean_start = false;
    options.fields.keepalive = 600;
    Answer answer{version != kMqtt31};
    if (version == kMqtt5) answer.properties = bytes(0x12, field("assigned"));
    Session session(std::move(options), answer);
    CHECK_EQ(session.connect,
             packet(0x10, protocol(version), 0, u16(600), no_properties(version), field("id")));
    CHECK_EQ(session.opened.words[2], version == kMqtt31 ? 0U : 1U);
    CHECK_EQ(session.opened.bytes, answer.properties);
    session.close();
  }
}

TEST("connect: CONNECT carries a will, a user name, a binary password and properties") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    const bool is5 = version == kMqtt5;
    ConnectionOptions options = options_for({}, version);
    ConnectFields& fields = options.fields;
    fields.identifier = "Größe";
    fields.has_username = true;
    fields.username = "user";
    fields.has_password = true;
    fields.password = bytes("pass", 0, 0xff, "word");
    fields.has_will = true;
    fields.will.topic = "will/topic";
    fields.will.payload = bytes(0, 1, 2);
    fields.will.qos = 2;
    fields.will.retain = true;
    const Buffer will_properties = properties(0x18, u32(0x80000001), 0x01, 0);
    const Buffer own =
        properties(0x11, u32(0xffffffff), 0x21, u16(10), 0x26, field("a"), field("b"));
    if (is5) {
      fields.will.properties = will_properties;
      fields.properties = own;
    }
    Session session(std::move(options));
    CHECK_EQ(session.connect,
             packet(0x10, protocol(version), 0x80 | 0x40 | 0x20 | 2 << 3 | 0x04 | 0x02, u16(0),
                    is5 ? own : bytes(), field("Größe"), is5 ? will_properties : bytes(),
                    field("will/topic"), u16(3), 0, 1, 2, field("user"), u16(10), "pass", 0, 0xff,
                    "word"));
    session.close();
  }
}

TEST("connect: an empty will payload and an empty password are sent as such") {
  ConnectionOptions options = options_for({}, kMqtt311);
  options.fields.has_username = true;
  options.fields.has_password = true;
  options.fields.has_will = true;
  options.fields.will.topic = "w";
  Session session(std::move(options));
  CHECK_EQ(session.connect, packet(0x10, protocol(kMqtt311), 0x80 | 0x40 | 0x04 | 0x02, u16(0),
                                   field("id"), field("w"), u16(0), u16(0), u16(0)));
  session.close();
}

TEST("connect: a refusal is told with its code and properties, and the stream ends") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    Environment environment;
    Listener listener;
    const std::uint32_t connection = environment.open(options_for(listener.address(), version));
    Peer peer = listener.accept();
    (void)peer.read_packet();
    const Buffer list = bytes(0x1f, field("go away"));
    peer.send(version == kMqtt5 ? packet(0x20, 0, 0x87, properties(list)) : packet(0x20, 0, 5));
    const Event closed = environment.closed(connection);
    check_closed(closed, Ending::kRefused, false);
    CHECK_EQ(closed.words[5], version == kMqtt5 ? 0x87 : 5);
    CHECK_EQ(closed.bytes, version == kMqtt5 ? list : Buffer{});
    peer.expect_end();
  }
}

TEST("connect: nobody listening is told with the address and the errno") {
  Environment environment;
  const RefusingPort refusing;
  const std::uint32_t connection = environment.open(options_for(refusing.address()));
  const Event closed = environment.closed(connection);
  check_closed(closed, Ending::kTransport, false);
  CHECK_EQ(closed.words[5], Ending::kConnecting);
  CHECK_EQ(closed.words[6], ECONNREFUSED);
  CHECK_EQ(text_of(closed.bytes), refusing.address().text());
}

TEST("connect: the next address is tried when one refuses or is silent") {
  Environment environment;
  const RefusingPort refusing;
  const SilentPort silent(AF_INET6);
  Listener listener;
  ConnectionOptions options = options_for(refusing.address());
  options.addresses.push_back(silent.address());
  options.addresses.push_back(listener.address());
  const std::uint32_t connection = environment.open(std::move(options));
  Peer peer = listener.accept();
  (void)peer.read_packet();
  peer.send(connack(kMqtt311));
  (void)environment.next(connection, event::kOpened);
  peer.close();
  const Event closed = environment.closed(connection);
  check_closed(closed, Ending::kTransport, true);
  CHECK_EQ(text_of(closed.bytes), listener.address().text());
}

TEST("connect: over IPv6 and over a unix socket it is the same") {
  for (const int family : {AF_INET6, AF_UNIX}) {
    Listener::Options listening;
    listening.family = family;
    Session session(options_for({}, kMqtt5), {}, listening);
    session.peer.send(packet(0x30, field("a"), 0, "hello"));
    CHECK_EQ(text_of(session.message().payload), "hello");
    session.close();
  }
}

TEST("connect: a connected socket that is handed in is used instead of an address") {
  int ends[2];
  CHECK_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  Peer peer{Descriptor(ends[1])};
  Environment environment;
  ConnectionOptions options = options_for({});
  options.addresses.clear();
  options.descriptor = Descriptor(ends[0]);
  const std::uint32_t connection = environment.open(std::move(options));
  (void)peer.read_packet();
  peer.send_bytewise(connack(kMqtt311));
  (void)environment.next(connection, event::kOpened);
  environment.submit(close_command(connection));
  peer.expect(packet(0xe0));
  peer.expect_end();
  check_closed(environment.closed(connection), Ending::kLocal, true);
}

TEST("connect: a broker that hangs up before CONNACK is a loss") {
  Environment environment;
  Listener listener;
  const std::uint32_t connection = environment.open(options_for(listener.address()));
  Peer peer = listener.accept();
  (void)peer.read_packet();
  peer.close();
  const Event closed = environment.closed(connection);
  check_closed(closed, Ending::kTransport, false);
  CHECK_EQ(closed.words[5], Ending::kReading);
  CHECK_EQ(closed.words[6], 0);
  CHECK_EQ(text_of(closed.bytes), listener.address().text());
}

TEST("connect: what is no MQTT at all ends it at its first bytes") {
  const struct {
    const char* what;
    Buffer answer;
    std::uint32_t cause;
  } table[] = {
      {"a TLS alert", bytes(0x15, 3, 3, 0, 2, 2, 70), Ending::kProtocol},
      {"nothing but zeros", Buffer(100), Ending::kProtocol},
      {"an empty CONNACK", packet(0x20), Ending::kProtocol},
      // Their first bytes announce packets whose ends never come.
      {"HTTP", bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), Ending::kProtocol},
      {"SSH", bytes("SSH-2.0-OpenSSH_9.2p1\r\n"), Ending::kProtocol},
  };
  for (const auto& row : table) {
    const Note note(row.what);
    Environment environment;
    Listener listener;
    const std::uint32_t connection = environment.open(options_for(listener.address(), kMqtt5));
    Peer peer = listener.accept();
    (void)peer.read_packet();
    peer.send(row.answer);
    peer.close();
    check_closed(environment.closed(connection), row.cause, false);
  }
}

TEST("connect: packets may follow CONNACK at once") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    Environment environment;
    Listener listener;
    const std::uint32_t connection = environment.open(options_for(listener.address(), version));
    Peer peer = listener.accept();
    (void)peer.read_packet();
    peer.send(bytes(connack(version),
                    packet(0x32, field("a"), u16(1), no_properties(version), "first"),
                    packet(0x30, field("b"), no_properties(version), "second")));
    (void)environment.next(connection, event::kOpened);
    CHECK_EQ(text_of(environment.next(connection, event::kMessage).payload), "first");
    CHECK_EQ(text_of(environment.next(connection, event::kMessage).payload), "second");
    peer.expect(packet(0x40, u16(1)));
  }
}

// -- Closing while connecting --

TEST("connect: closing while no address answers ends it at once, gracefully or by force") {
  for (const bool force : {false, true}) {
    Environment environment;
    const SilentPort silent;
    const std::uint32_t connection = environment.open(options_for(silent.address()));
    environment.submit(close_command(connection, force));
    check_closed(environment.closed(connection), force ? Ending::kAborted : Ending::kLocal, false);
  }
}

TEST("connect: closing before CONNACK ends the stream without a DISCONNECT") {
  for (const bool force : {false, true}) {
    Environment environment;
    Listener listener;
    const std::uint32_t connection = environment.open(options_for(listener.address()));
    Peer peer = listener.accept();
    (void)peer.read_packet();
    environment.submit(close_command(connection, force));
    check_closed(environment.closed(connection), force ? Ending::kAborted : Ending::kLocal, false);
    peer.expect_end();
  }
}

TEST("connect: closing in the same breath always ends it, whatever it was about to do") {
  Environment environment;
  Listener listener;
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t connection = environment.open(options_for(listener.address()));
    environment.submit(close_command(connection));
    check_closed(environment.closed(connection), Ending::kLocal, false);
    CHECK(!environment.has_event(connection));
  }
}

TEST("connect: closing while CONNACK is on its way ends it, opened or not") {
  Environment environment;
  Listener listener;
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t connection = environment.open(options_for(listener.address()));
    Peer peer = listener.accept();
    (void)peer.read_packet();
    peer.send(connack(kMqtt311));
    environment.submit(close_command(connection));
    const std::vector<Event> events = environment.all(connection);
    CHECK_EQ(events.back().words[2], Ending::kLocal);
    CHECK_EQ(events.size(), events.back().flags == 1 ? 3U : 2U);
    const Buffer rest = peer.read_to_end();
    CHECK(rest.empty() || rest == packet(0xe0));
  }
}

// -- Environments and many connections --

TEST("connect: an environment that goes takes its connections with it, and no others") {
  Listener listener;
  Environment staying;
  const std::uint32_t kept = staying.open(options_for(listener.address()));
  Peer peer_of_kept = listener.accept();
  (void)peer_of_kept.read_packet();
  peer_of_kept.send(connack(kMqtt311));
  (void)staying.next(kept, event::kOpened);
  const SilentPort silent;
  std::vector<Peer> peers;
  {
    Environment going;
    (void)going.open(options_for(silent.address()));
    for (int i = 0; i < 5; ++i) {
      const std::uint32_t connection = going.open(options_for(listener.address()));
      peers.push_back(listener.accept());
      (void)peers.back().read_packet();
      peers.back().send(connack(kMqtt311));
      (void)going.next(connection, event::kOpened);
    }
    // What JavaScript submitted just before is not waited for.
    going.submit(publish_command(kept, 1, {}));
  }
  for (Peer& peer : peers) peer.expect_end();
  peer_of_kept.send(packet(0x30, field("a"), "still here"));
  CHECK_EQ(text_of(staying.next(kept, event::kMessage).payload), "still here");
}

TEST("connect: an environment cannot touch the connections of another") {
  Session session(kMqtt311);
  Environment stranger;
  stranger.submit(
      bytes(publish_command(session.connection, 1, {}), close_command(session.connection, true)));
  // Its own commands come after those of the stranger.
  PublishFields fields;
  fields.topic = "mine";
  session.submit(session.publish(1, fields));
  session.peer.expect(packet(0x30, field("mine")));
  CHECK_EQ(session.done(1).words[5], 0U);
  CHECK(!stranger.has_event(session.connection));
  session.close();
}

TEST("connect: commands for connections that never were are ignored") {
  Session session(kMqtt311);
  session.environment.grant(0x7ffffff0, 1);
  session.submit(
      bytes(publish_command(0x7ffffff0, 1, {}), close_command(0x7ffffff0), session.publish(2, {})));
  session.peer.expect(packet(0x30, field("a")));
  (void)session.done(2);
  session.close();
}

TEST("connect: two hundred connections at once are all served") {
  constexpr std::size_t kConnections = 200;
  Environment environment;
  Listener listener;
  std::vector<Peer> peers;
  Background broker([&] {
    for (std::size_t i = 0; i < kConnections; ++i) {
      peers.push_back(listener.accept());
      (void)peers.back().read_packet();
      peers.back().send(connack(kMqtt311));
    }
  });
  std::vector<std::uint32_t> connections;
  for (std::size_t i = 0; i < kConnections; ++i) {
    connections.push_back(environment.open(options_for(listener.address())));
  }
  for (const std::uint32_t connection : connections) {
    (void)environment.next(connection, event::kOpened);
  }
  broker.join();

  Buffer commands;
  for (const std::uint32_t connection : connections) {
    PublishFields fields;
    fields.qos = 1;
    fields.payload = u32(connection);
    put(commands, publish_command(connection, connection, fields));
  }
  environment.submit(commands);
  std::map<Buffer, int> payloads;
  for (Peer& peer : peers) {
    const Buffer publish = peer.read_packet();
    CHECK_EQ(publish.size(), 2U + 3 + 2 + 4);
    ++payloads[copy_of(Bytes(publish).last(4))];
    peer.send(packet(0x40, copy_of(Bytes(publish).subspan(5, 2))));
  }
  CHECK_EQ(payloads.size(), kConnections);
  for (const std::uint32_t connection : connections) (void)environment.done(connection, connection);

  commands.clear();
  for (const std::uint32_t connection : connections) put(commands, close_command(connection));
  environment.submit(commands);
  for (Peer& peer : peers) {
    peer.expect(packet(0xe0));
    peer.expect_end();
    peer.close();
  }
  for (const std::uint32_t connection : connections) {
    check_closed(environment.closed(connection), Ending::kLocal, true);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
