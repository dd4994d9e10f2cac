// A connection with both its ends in the test's hands: JavaScript's, and the broker's.
#pragma once

#include "tests/environment.h"
#include "tests/harness.h"
#include "tests/network.h"

namespace aiomqtt::testing {

// A CONNACK that accepts, on each version.
inline Buffer connack(int version, bool session_present = false, const Buffer& list = {}) {
  const int present = session_present ? 1 : 0;
  return version == kMqtt5 ? packet(0x20, present, 0, properties(list)) : packet(0x20, present, 0);
}

// Nothing, or on MQTT 5 an empty property list.
inline Buffer no_properties(int version) { return version == kMqtt5 ? bytes(0) : bytes(); }

// A PUBLISH of the broker.
inline Buffer broker_publish(int version, int qos, std::uint32_t identifier, std::string_view topic,
                             const Buffer& payload) {
  const Buffer middle = qos > 0 ? u16(identifier) : bytes();
  return packet(0x30 | qos << 1, field(topic), middle, no_properties(version), payload);
}

// The packet identifier of a PUBLISH of QoS 1 or 2.
inline std::uint16_t identifier_of(const Buffer& publish) {
  Packet whole;
  CHECK(split_packet(publish, whole));
  CHECK_EQ(whole.type, packet::kPublish);
  const std::size_t topic = read_u16(whole.body.data());
  return read_u16(whole.body.data() + 2 + topic);
}

// What the broker answers to CONNECT.
struct Answer {
  bool session_present = false;
  Buffer properties = {};
};

class Session {
 public:
  explicit Session(int version = kMqtt311) : Session(options_for({}, version)) {}
  // Opens a connection to a listener of its own, and accepts it.
  explicit Session(ConnectionOptions options, const Answer& answer = {},
                   const Listener::Options& listening = {})
      : version(options.fields.version),
        listener_(listening),
        connection([&] {
          options.addresses = {listener_.address()};
          return environment.open(std::move(options));
        }()),
        peer(listener_.accept()) {
    connect = peer.read_packet();
    peer.send(connack(version, answer.session_present, answer.properties));
    opened = environment.next(connection, event::kOpened);
  }

  Environment environment;
  const int version;

 private:
  Listener listener_;

 public:
  const std::uint32_t connection;
  Peer peer;
  Buffer connect;  // the CONNECT that came
  Event opened;

  [[nodiscard]] std::string address() const { return listener_.address().text(); }
  void submit(const Buffer& commands) { environment.submit(commands); }
  Buffer publish(std::uint32_t operation, const PublishFields& fields) const {
    return publish_command(connection, operation, fields);
  }
  void grant(std::uint64_t messages, std::uint64_t bytes = Credit::kUnlimited) {
    environment.grant(connection, messages, bytes);
  }
  Event next() { return environment.next(connection); }
  Event message() { return environment.next(connection, event::kMessage); }
  Event done(std::uint32_t operation) { return environment.done(connection, operation); }
  Event closed() { return environment.closed(connection); }
  // Ends it gracefully; fails unless the last that comes is DISCONNECT.
  void close() {
    submit(close_command(connection));
    peer.expect(packet(0xe0));
    peer.expect_end();
    peer.close();
    CHECK_EQ(closed().words[2], Ending::kLocal);
  }
};

}  // namespace aiomqtt::testing
