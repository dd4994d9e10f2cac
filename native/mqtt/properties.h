// MQTT 5 properties in raw bytes: what a server may send in which packet, and the values that the
// engine itself needs. JavaScript decodes the rest when somebody reads it.
#pragma once

#include <cstdint>

#include "mqtt/wire.h"

namespace aiomqtt {

namespace property {
inline constexpr std::uint8_t kPayloadFormatIndicator = 0x01;
inline constexpr std::uint8_t kMessageExpiryInterval = 0x02;
inline constexpr std::uint8_t kContentType = 0x03;
inline constexpr std::uint8_t kResponseTopic = 0x08;
inline constexpr std::uint8_t kCorrelationData = 0x09;
inline constexpr std::uint8_t kSubscriptionIdentifier = 0x0b;
inline constexpr std::uint8_t kSessionExpiryInterval = 0x11;
inline constexpr std::uint8_t kAssignedClientIdentifier = 0x12;
inline constexpr std::uint8_t kServerKeepAlive = 0x13;
inline constexpr std::uint8_t kAuthenticationMethod = 0x15;
inline constexpr std::uint8_t kAuthenticationData = 0x16;
inline constexpr std::uint8_t kResponseInformation = 0x1a;
inline constexpr std::uint8_t kServerReference = 0x1c;
inline constexpr std::uint8_t kReasonString = 0x1f;
inline constexpr std::uint8_t kReceiveMaximum = 0x21;
inline constexpr std::uint8_t kTopicAliasMaximum = 0x22;
inline constexpr std::uint8_t kTopicAlias = 0x23;
inline constexpr std::uint8_t kMaximumQos = 0x24;
inline constexpr std::uint8_t kRetainAvailable = 0x25;
inline constexpr std::uint8_t kUserProperty = 0x26;
inline constexpr std::uint8_t kMaximumPacketSize = 0x27;
inline constexpr std::uint8_t kWildcardSubscriptionAvailable = 0x28;
inline constexpr std::uint8_t kSubscriptionIdentifierAvailable = 0x29;
inline constexpr std::uint8_t kSharedSubscriptionAvailable = 0x2a;
}  // namespace property

// The values of a property list that the engine acts upon; absent ones keep their defaults.
struct PropertyValues {
  std::uint32_t maximum_packet_size = 0;  // 0: no limit
  std::uint16_t receive_maximum = 65535;  // MQTT 5 section 3.1.2.11.3
  std::uint16_t topic_alias_maximum = 0;  // section 3.1.2.11.5
  std::uint16_t topic_alias = 0;          // 0: none
  std::uint16_t server_keep_alive = 0;
  bool has_server_keep_alive = false;
  Bytes authentication_method;  // its data() is null without one
};

// A property list at the head of `from`: its length prefix, then that many bytes.
struct PropertyList {
  Bytes properties;      // without the length prefix
  std::size_t size = 0;  // length prefix and properties together
  Violation violation;
};

[[nodiscard]] PropertyList split_properties(Bytes from) noexcept;

// Checks each property: known, allowed in a packet of type `packet_type` that a server sends, once
// unless it may repeat, in range, well-formed UTF-8 (MQTT 5 section 2.2.2.2). Fills `values`.
[[nodiscard]] Violation check_properties(Bytes properties, std::uint8_t packet_type,
                                         PropertyValues& values) noexcept;

// The engine's share of a property list that is ours, hence valid (CONNECT).
[[nodiscard]] PropertyValues read_own_properties(Bytes properties) noexcept;

}  // namespace aiomqtt
