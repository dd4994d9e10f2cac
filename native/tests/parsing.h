// Takes a packet apart with the parser of its type.
#pragma once

#include "mqtt/inbound_packets.h"
#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {

inline const Buffer kReasonString = properties(0x1f, field("because"));
inline const Buffer kMorePropertiesThanOne =
    properties(0x1f, field("why"), 0x26, field("a"), field("b"));

// One packet type's parser, its result reduced to what the tables ask for.
struct Parsed {
  Violation violation;
  Connack connack;
  Publish publish;
  Ack ack;
  SubscriptionAck subscription;
  Disconnect disconnect;
  Auth auth;
};

// A client's packets have none.
inline bool has_parser(std::uint8_t type) {
  switch (type) {
    case packet::kConnack:
    case packet::kPublish:
    case packet::kPuback:
    case packet::kPubrec:
    case packet::kPubrel:
    case packet::kPubcomp:
    case packet::kSuback:
    case packet::kUnsuback:
    case packet::kPingresp:
    case packet::kDisconnect:
    case packet::kAuth:
      return true;
    default:
      return false;
  }
}

// `keep` holds the bytes that the result points into.
inline Parsed parse(const ExactCopy& keep, int version) {
  Parsed parsed;
  Packet packet;
  if (!split_packet(keep.view(), packet))
    throw Failure("not a whole packet: " + shown(keep.view()));
  switch (packet.type) {
    case packet::kConnack:
      parsed.violation = parse_connack(packet, version, parsed.connack);
      break;
    case packet::kPublish:
      parsed.violation = parse_publish(packet, version, parsed.publish);
      break;
    case packet::kPuback:
    case packet::kPubrec:
    case packet::kPubrel:
    case packet::kPubcomp:
      parsed.violation = parse_ack(packet, version, parsed.ack);
      break;
    case packet::kSuback:
    case packet::kUnsuback:
      parsed.violation = parse_subscription_ack(packet, version, parsed.subscription);
      break;
    case packet::kPingresp:
      parsed.violation = parse_pingresp(packet);
      break;
    case packet::kDisconnect:
      parsed.violation = parse_disconnect(packet, version, parsed.disconnect);
      break;
    case packet::kAuth:
      parsed.violation = parse_auth(packet, version, parsed.auth);
      break;
    default:
      throw Failure("no parser for packet type " + std::to_string(packet.type));
  }
  return parsed;
}

inline Violation violation_of(const Buffer& from, int version) {
  return parse(ExactCopy(from), version).violation;
}

}  // namespace aiomqtt::testing
