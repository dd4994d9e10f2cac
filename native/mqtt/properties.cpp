#include "mqtt/properties.h"

#include <array>

#include "mqtt/utf8.h"

namespace aiomqtt {
namespace {

enum class Type : std::uint8_t {
  kUnknown,
  kByte,
  kTwoBytes,
  kFourBytes,
  kVariable,
  kBinary,
  kText,
  kTextPair
};

constexpr std::uint16_t in(std::uint8_t type) { return static_cast<std::uint16_t>(1U << type); }

struct Rule {
  Type type = Type::kUnknown;
  std::uint16_t packets = 0;  // packet types in which a server may send it
};

constexpr std::uint16_t kReasonPackets =
    in(packet::kConnack) | in(packet::kPuback) | in(packet::kPubrec) | in(packet::kPubrel) |
    in(packet::kPubcomp) | in(packet::kSuback) | in(packet::kUnsuback) | in(packet::kDisconnect) |
    in(packet::kAuth);

// MQTT 5 table 2-4, the server's side of it.
constexpr std::array<Rule, 0x2b> kRules = [] {
  std::array<Rule, 0x2b> rules{};
  const std::uint16_t publish = in(packet::kPublish);
  const std::uint16_t connack = in(packet::kConnack);
  const std::uint16_t auth = in(packet::kAuth);
  rules[property::kPayloadFormatIndicator] = {Type::kByte, publish};
  rules[property::kMessageExpiryInterval] = {Type::kFourBytes, publish};
  rules[property::kContentType] = {Type::kText, publish};
  rules[property::kResponseTopic] = {Type::kText, publish};
  rules[property::kCorrelationData] = {Type::kBinary, publish};
  rules[property::kSubscriptionIdentifier] = {Type::kVariable, publish};
  rules[property::kSessionExpiryInterval] = {Type::kFourBytes, connack};
  rules[property::kAssignedClientIdentifier] = {Type::kText, connack};
  rules[property::kServerKeepAlive] = {Type::kTwoBytes, connack};
  rules[property::kAuthenticationMethod] = {Type::kText,
                                            static_cast<std::uint16_t>(connack | auth)};
  rules[property::kAuthenticationData] = {Type::kBinary,
                                          static_cast<std::uint16_t>(connack | auth)};
  rules[property::kResponseInformation] = {Type::kText, connack};
  rules[property::kServerReference] = {
      Type::kText, static_cast<std::uint16_t>(connack | in(packet::kDisconnect))};
  rules[property::kReasonString] = {Type::kText, kReasonPackets};
  rules[property::kReceiveMaximum] = {Type::kTwoBytes, connack};
  rules[property::kTopicAliasMaximum] = {Type::kTwoBytes, connack};
  rules[property::kTopicAlias] = {Type::kTwoBytes, publish};
  rules[property::kMaximumQos] = {Type::kByte, connack};
  rules[property::kRetainAvailable] = {Type::kByte, connack};
  rules[property::kUserProperty] = {Type::kTextPair,
                                    static_cast<std::uint16_t>(kReasonPackets | publish)};
  rules[property::kMaximumPacketSize] = {Type::kFourBytes, connack};
  rules[property::kWildcardSubscriptionAvailable] = {Type::kByte, connack};
  rules[property::kSubscriptionIdentifierAvailable] = {Type::kByte, connack};
  rules[property::kSharedSubscriptionAvailable] = {Type::kByte, connack};
  return rules;
}();

// One property's value: how many bytes it takes, and the number in it if it is a number.
struct Value {
  std::size_t size = 0;  // 0: it does not fit
  std::uint32_t number = 0;
  Bytes text;
  Bytes second;
};

Value read_value(Type type, Bytes from) noexcept {
  const auto string_at = [&](std::size_t offset) -> Bytes {
    if (from.size() < offset + 2) return {};
    const std::size_t length = read_u16(from.data() + offset);
    if (from.size() < offset + 2 + length) return {};
    return from.subspan(offset + 2, length);
  };
  switch (type) {
    case Type::kByte:
      return from.empty() ? Value{} : Value{1, from[0], {}, {}};
    case Type::kTwoBytes:
      return from.size() < 2 ? Value{} : Value{2, read_u16(from.data()), {}, {}};
    case Type::kFourBytes:
      return from.size() < 4 ? Value{} : Value{4, read_u32(from.data()), {}, {}};
    case Type::kVariable: {
      const auto integer = read_variable_byte_integer(from);
      if (integer.state != VariableByteInteger::State::kComplete) return {};
      return {integer.length, integer.value, {}, {}};
    }
    case Type::kBinary:
    case Type::kText: {
      const Bytes text = string_at(0);
      if (text.data() == nullptr) return {};
      return {2 + text.size(), 0, text, {}};
    }
    case Type::kTextPair: {
      const Bytes name = string_at(0);
      if (name.data() == nullptr) return {};
      const Bytes value = string_at(2 + name.size());
      if (value.data() == nullptr) return {};
      return {4 + name.size() + value.size(), 0, name, value};
    }
    case Type::kUnknown:
      break;
  }
  return {};
}

Violation check_range(std::uint8_t identifier, const Value& value) noexcept {
  switch (identifier) {
    case property::kPayloadFormatIndicator:
      if (value.number > 1) return protocol_error("Payload Format Indicator is neither 0 nor 1");
      break;
    case property::kMaximumQos:
      if (value.number > 1) return protocol_error("Maximum QoS is neither 0 nor 1");
      break;
    case property::kRetainAvailable:
    case property::kWildcardSubscriptionAvailable:
    case property::kSubscriptionIdentifierAvailable:
    case property::kSharedSubscriptionAvailable:
      if (value.number > 1) return protocol_error("an availability property is neither 0 nor 1");
      break;
    case property::kReceiveMaximum:
      if (value.number == 0) return protocol_error("Receive Maximum is 0");
      break;
    case property::kMaximumPacketSize:
      if (value.number == 0) return protocol_error("Maximum Packet Size is 0");
      break;
    case property::kSubscriptionIdentifier:
      if (value.number == 0) return protocol_error("Subscription Identifier is 0");
      break;
    case property::kTopicAlias:
      if (value.number == 0) return {reason::kTopicAliasInvalid, "Topic Alias is 0"};
      break;
    case property::kResponseTopic:
      if (!is_topic_name(value.text)) return protocol_error("Response Topic is not a topic name");
      break;
    default:
      break;
  }
  return {};
}

void keep(std::uint8_t identifier, const Value& value, PropertyValues& values) noexcept {
  const auto number16 = static_cast<std::uint16_t>(value.number);
  switch (identifier) {
    case property::kReceiveMaximum:
      values.receive_maximum = number16;
      break;
    case property::kTopicAliasMaximum:
      values.topic_alias_maximum = number16;
      break;
    case property::kTopicAlias:
      values.topic_alias = number16;
      break;
    case property::kMaximumPacketSize:
      values.maximum_packet_size = value.number;
      break;
    case property::kServerKeepAlive:
      values.server_keep_alive = number16;
      values.has_server_keep_alive = true;
      break;
    case property::kAuthenticationMethod:
      values.authentication_method = value.text;
      break;
    default:
      break;
  }
}

}  // namespace

PropertyList split_properties(Bytes from) noexcept {
  PropertyList list;
  const auto length = read_variable_byte_integer(from);
  if (length.state != VariableByteInteger::State::kComplete) {
    list.violation = malformed("the property length is malformed");
    return list;
  }
  if (from.size() - length.length < length.value) {
    list.violation = malformed("the properties run past the end of the packet");
    return list;
  }
  list.properties = from.subspan(length.length, length.value);
  list.size = length.length + length.value;
  return list;
}

Violation check_properties(Bytes properties, std::uint8_t packet_type,
                           PropertyValues& values) noexcept {
  std::uint64_t seen = 0;
  while (!properties.empty()) {
    const std::uint8_t identifier = properties[0];
    if (identifier >= kRules.size() || kRules[identifier].type == Type::kUnknown) {
      return malformed("it has an unknown property");
    }
    const Rule rule = kRules[identifier];
    if ((rule.packets & in(packet_type)) == 0) {
      return malformed("it has a property that does not belong to this packet");
    }
    // PUBLISH may repeat the Subscription Identifier, every packet the User Property.
    const bool repeats =
        identifier == property::kUserProperty || identifier == property::kSubscriptionIdentifier;
    if (!repeats && (seen >> identifier & 1) != 0) {
      return protocol_error("it has a property twice");
    }
    seen |= std::uint64_t{1} << identifier;
    const Value value = read_value(rule.type, properties.subspan(1));
    if (value.size == 0) return malformed("a property is cut short");
    if ((rule.type == Type::kText || rule.type == Type::kTextPair) &&
        (!is_mqtt_utf8(value.text) || !is_mqtt_utf8(value.second))) {
      return malformed("a property is not valid UTF-8");
    }
    if (const Violation violation = check_range(identifier, value)) return violation;
    keep(identifier, value, values);
    properties = properties.subspan(1 + value.size);
  }
  if ((seen >> property::kAuthenticationData & 1) != 0 &&
      (seen >> property::kAuthenticationMethod & 1) == 0) {
    return protocol_error("it has Authentication Data without an Authentication Method");
  }
  return {};
}

PropertyValues read_own_properties(Bytes properties) noexcept {
  PropertyValues values;
  while (!properties.empty()) {
    const std::uint8_t identifier = properties[0];
    // CONNECT has properties that no server may send; their types are all the walk needs.
    Type type = identifier < kRules.size() ? kRules[identifier].type : Type::kUnknown;
    constexpr std::uint8_t kRequestProblemInformation = 0x17;
    constexpr std::uint8_t kRequestResponseInformation = 0x19;
    if (identifier == kRequestProblemInformation || identifier == kRequestResponseInformation) {
      type = Type::kByte;
    }
    const Value value = read_value(type, properties.subspan(1));
    if (value.size == 0) break;
    keep(identifier, value, values);
    properties = properties.subspan(1 + value.size);
  }
  return values;
}

}  // namespace aiomqtt
