// Every packet that a server sends, taken apart and checked before anything else sees it: fixed
// header flags, lengths, UTF-8, packet identifiers, reason codes and properties. Stateless: what
// may come when is the connection's business.
#pragma once

#include <cstdint>

#include "mqtt/properties.h"
#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

struct Connack {
  bool session_present = false;
  std::uint8_t code = 0;
  Bytes properties;
  PropertyValues values;
};

struct Publish {
  std::uint8_t qos = 0;
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_identifier = 0;  // 0 for QoS 0
  Bytes topic;                          // not yet checked for UTF-8: known topics were, once
  Bytes properties;
  std::uint16_t topic_alias = 0;
  Bytes payload;
  // What holds these bytes and nothing else, for whoever wants to keep them; else null.
  RawBuffer* whole = nullptr;
};

// PUBACK, PUBREC, PUBREL and PUBCOMP.
struct Ack {
  std::uint16_t packet_identifier = 0;
  std::uint8_t code = 0;
  Bytes properties{};
};

// SUBACK and UNSUBACK; no codes in an UNSUBACK before MQTT 5.
struct SubscriptionAck {
  std::uint16_t packet_identifier = 0;
  Bytes codes;
  Bytes properties{};
};

struct Disconnect {
  std::uint8_t code = 0;
  Bytes properties;
};

struct Auth {
  std::uint8_t code = 0;
  Bytes method;  // its data() is null without one
  Bytes properties;
};

[[nodiscard]] Violation parse_connack(const Packet& packet, int version, Connack& out) noexcept;
[[nodiscard]] Violation parse_publish(const Packet& packet, int version, Publish& out) noexcept;
[[nodiscard]] Violation parse_ack(const Packet& packet, int version, Ack& out) noexcept;
[[nodiscard]] Violation parse_subscription_ack(const Packet& packet, int version,
                                               SubscriptionAck& out) noexcept;
[[nodiscard]] Violation parse_pingresp(const Packet& packet) noexcept;
[[nodiscard]] Violation parse_disconnect(const Packet& packet, int version,
                                         Disconnect& out) noexcept;
[[nodiscard]] Violation parse_auth(const Packet& packet, int version, Auth& out) noexcept;

}  // namespace aiomqtt
