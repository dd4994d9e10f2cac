#include "mqtt/inbound_packets.h"

#include <algorithm>
#include <initializer_list>

namespace aiomqtt {
namespace {

bool is_one_of(std::uint8_t code, std::initializer_list<std::uint8_t> codes) noexcept {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// Reason codes by packet: MQTT 5 sections 3.2.2.2, 3.4.2.1, 3.5.2.1, 3.6.2.1, 3.7.2.1, 3.9.3,
// 3.11.3 and 3.14.2.1 (those that a server may send).
bool is_connack_code(std::uint8_t code) noexcept {
  return code == 0 || (code >= 0x80 && code <= 0x8a) ||
         is_one_of(code, {0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f});
}

bool is_ack_code(std::uint8_t type, std::uint8_t code) noexcept {
  if (type == packet::kPuback || type == packet::kPubrec) {
    return is_one_of(code, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99});
  }
  return is_one_of(code, {0x00, reason::kPacketIdentifierNotFound});
}

bool is_suback_code(int version, std::uint8_t code) noexcept {
  if (code <= 2 || code == 0x80) return true;
  return version == kMqtt5 && is_one_of(code, {0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2});
}

bool is_unsuback_code(std::uint8_t code) noexcept {
  return is_one_of(code, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91});
}

bool is_disconnect_code(std::uint8_t code) noexcept {
  return code == 0 || (code >= 0x80 && code <= 0x83) || code == 0x87 || code == 0x89 ||
         (code >= 0x8b && code <= 0x90) || (code >= 0x93 && code <= 0xa2);
}

// The properties that close a packet: the whole of `from`, which may also be empty.
Violation check_tail(Bytes from, std::uint8_t type, Bytes& properties,
                     PropertyValues& values) noexcept {
  if (from.empty()) return {};
  const PropertyList list = split_properties(from);
  if (list.violation) return list.violation;
  if (list.size != from.size()) return malformed("it has bytes after its properties");
  properties = list.properties;
  return check_properties(list.properties, type, values);
}

}  // namespace

Violation parse_connack(const Packet& packet, int version, Connack& out) noexcept {
  if (packet.flags != 0) return malformed("CONNACK has reserved flags set");
  const Bytes body = packet.body;
  if (body.size() < 2 || (version != kMqtt5 && body.size() != 2)) {
    return malformed("CONNACK has the wrong length");
  }
  // MQTT 3.1 calls the whole first byte reserved and unused.
  if (version != kMqtt31 && (body[0] & 0xfe) != 0) {
    return malformed("CONNACK has reserved acknowledge flags set");
  }
  out.session_present = version != kMqtt31 && (body[0] & 1) != 0;
  out.code = body[1];
  if (version == kMqtt5) {
    // A broker that knows no MQTT 5 refuses with a CONNACK of its own version.
    if (body.size() == 2 && out.code == 0) return malformed("CONNACK has no property length");
    if (!is_connack_code(out.code) && out.code > 5) {
      return protocol_error("CONNACK has a reason code that does not exist");
    }
    if (const Violation v = check_tail(body.subspan(2), packet.type, out.properties, out.values)) {
      return v;
    }
  }
  if (out.code != 0 && out.session_present) {
    return protocol_error("CONNACK refuses the connection and has Session Present set");
  }
  return {};
}

Violation parse_publish(const Packet& packet, int version, Publish& out) noexcept {
  out.qos = static_cast<std::uint8_t>(packet.flags >> 1 & 3);
  out.retain = (packet.flags & 1) != 0;
  out.dup = (packet.flags & 8) != 0;
  if (out.qos == 3) return malformed("PUBLISH has QoS 3");
  // MQTT 3.1 only says that DUP has no meaning there.
  if (out.qos == 0 && out.dup && version != kMqtt31) return malformed("PUBLISH has QoS 0 and DUP");
  Bytes rest = packet.body;
  if (rest.size() < 2) return malformed("PUBLISH is cut short");
  const std::size_t topic_length = read_u16(rest.data());
  const std::size_t head = 2 + topic_length + (out.qos > 0 ? 2 : 0);
  if (rest.size() < head) return malformed("PUBLISH is cut short");
  out.topic = rest.subspan(2, topic_length);
  if (out.qos > 0) {
    out.packet_identifier = read_u16(rest.data() + 2 + topic_length);
    if (out.packet_identifier == 0) return malformed("PUBLISH has packet identifier 0");
  }
  rest = rest.subspan(head);
  if (version == kMqtt5) {
    const PropertyList list = split_properties(rest);
    if (list.violation) return list.violation;
    if (!list.properties.empty()) {
      PropertyValues values;
      if (const Violation v = check_properties(list.properties, packet.type, values)) return v;
      out.properties = list.properties;
      out.topic_alias = values.topic_alias;
    }
    rest = rest.subspan(list.size);
  }
  if (out.topic.empty() && out.topic_alias == 0) {
    return protocol_error("PUBLISH has neither a topic nor a topic alias");
  }
  out.payload = rest;
  return {};
}

Violation parse_ack(const Packet& packet, int version, Ack& out) noexcept {
  const std::uint8_t flags = packet.type == packet::kPubrel ? 2 : 0;
  // MQTT 3.1 resends PUBREL with DUP (section 2.1 there).
  const std::uint8_t ignored = version == kMqtt31 && packet.type == packet::kPubrel ? 8 : 0;
  if ((packet.flags & ~ignored) != flags) return malformed("an acknowledgement has wrong flags");
  const Bytes body = packet.body;
  if (body.size() < 2 || (version != kMqtt5 && body.size() != 2)) {
    return malformed("an acknowledgement has the wrong length");
  }
  out.packet_identifier = read_u16(body.data());
  if (out.packet_identifier == 0) return malformed("an acknowledgement has packet identifier 0");
  if (body.size() == 2) return {};
  out.code = body[2];
  if (!is_ack_code(packet.type, out.code)) {
    return protocol_error("an acknowledgement has a reason code that does not exist");
  }
  PropertyValues values;
  return check_tail(body.subspan(3), packet.type, out.properties, values);
}

Violation parse_subscription_ack(const Packet& packet, int version, SubscriptionAck& out) noexcept {
  const bool is_suback = packet.type == packet::kSuback;
  if (packet.flags != 0) {
    return malformed(is_suback ? "SUBACK has reserved flags set"
                               : "UNSUBACK has reserved flags set");
  }
  Bytes rest = packet.body;
  if (rest.size() < 2) return malformed("an acknowledgement is cut short");
  out.packet_identifier = read_u16(rest.data());
  if (out.packet_identifier == 0) return malformed("an acknowledgement has packet identifier 0");
  rest = rest.subspan(2);
  if (version == kMqtt5) {
    const PropertyList list = split_properties(rest);
    if (list.violation) return list.violation;
    PropertyValues values;
    if (const Violation v = check_properties(list.properties, packet.type, values)) return v;
    out.properties = list.properties;
    rest = rest.subspan(list.size);
  } else if (!is_suback && !rest.empty()) {
    return malformed("UNSUBACK has the wrong length");
  }
  for (const std::uint8_t code : rest) {
    const bool known = is_suback ? is_suback_code(version, code) : is_unsuback_code(code);
    if (!known) {
      return protocol_error(is_suback ? "SUBACK has a return code that does not exist"
                                      : "UNSUBACK has a reason code that does not exist");
    }
  }
  out.codes = rest;
  return {};
}

Violation parse_pingresp(const Packet& packet) noexcept {
  if (packet.flags != 0) return malformed("PINGRESP has reserved flags set");
  if (!packet.body.empty()) return malformed("PINGRESP has the wrong length");
  return {};
}

Violation parse_disconnect(const Packet& packet, int version, Disconnect& out) noexcept {
  if (version != kMqtt5) return protocol_error("the server sent DISCONNECT before MQTT 5");
  if (packet.flags != 0) return malformed("DISCONNECT has reserved flags set");
  if (packet.body.empty()) return {};
  out.code = packet.body[0];
  if (!is_disconnect_code(out.code)) {
    return protocol_error("DISCONNECT has a reason code that does not exist");
  }
  PropertyValues values;
  return check_tail(packet.body.subspan(1), packet.type, out.properties, values);
}

Violation parse_auth(const Packet& packet, int version, Auth& out) noexcept {
  if (version != kMqtt5) return protocol_error("the server sent AUTH before MQTT 5");
  if (packet.flags != 0) return malformed("AUTH has reserved flags set");
  if (packet.body.empty()) return {};
  out.code = packet.body[0];
  // Only a client may begin to re-authenticate (section 3.15.2.1).
  if (!is_one_of(out.code, {reason::kSuccess, reason::kContinueAuthentication})) {
    return protocol_error("AUTH has a reason code that no server may send");
  }
  PropertyValues values;
  const Violation v = check_tail(packet.body.subspan(1), packet.type, out.properties, values);
  out.method = values.authentication_method;
  return v;
}

}  // namespace aiomqtt
