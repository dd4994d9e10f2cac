#include "mqtt/properties.h"

#include <functional>
#include <set>

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

using Packets = std::set<std::uint8_t>;

// MQTT 5 table 2-4, the server's side of it, and a value to try each property with.
struct Known {
  const char* name;
  std::uint8_t identifier;
  Buffer value;
  Packets packets;
};

const Packets kOnlyPublish = {packet::kPublish};
const Packets kOnlyConnack = {packet::kConnack};
const Packets kReasons = {packet::kConnack,  packet::kPuback,     packet::kPubrec,
                          packet::kPubrel,   packet::kPubcomp,    packet::kSuback,
                          packet::kUnsuback, packet::kDisconnect, packet::kAuth};
const Packets kEverywhere = [] {
  Packets packets = kReasons;
  packets.insert(packet::kPublish);
  return packets;
}();

const std::vector<Known> kKnown = {
    {"Payload Format Indicator", 0x01, {1}, kOnlyPublish},
    {"Message Expiry Interval", 0x02, u32(3600), kOnlyPublish},
    {"Content Type", 0x03, field("text/plain"), kOnlyPublish},
    {"Response Topic", 0x08, field("answers/1"), kOnlyPublish},
    {"Correlation Data", 0x09, field("\x01\xff"), kOnlyPublish},
    {"Subscription Identifier", 0x0b, variable_byte_integer(268435455), kOnlyPublish},
    {"Session Expiry Interval", 0x11, u32(0xffffffff), kOnlyConnack},
    {"Assigned Client Identifier", 0x12, field("auto-1"), kOnlyConnack},
    {"Server Keep Alive", 0x13, u16(30), kOnlyConnack},
    {"Authentication Method", 0x15, field("SCRAM"), {packet::kConnack, packet::kAuth}},
    {"Authentication Data", 0x16, field("\x80"), {packet::kConnack, packet::kAuth}},
    {"Response Information", 0x1a, field("answers"), kOnlyConnack},
    {"Server Reference", 0x1c, field("other:1883"), {packet::kConnack, packet::kDisconnect}},
    {"Reason String", 0x1f, field("because"), kReasons},
    {"Receive Maximum", 0x21, u16(20), kOnlyConnack},
    {"Topic Alias Maximum", 0x22, u16(10), kOnlyConnack},
    {"Topic Alias", 0x23, u16(1), kOnlyPublish},
    {"Maximum QoS", 0x24, {1}, kOnlyConnack},
    {"Retain Available", 0x25, {0}, kOnlyConnack},
    {"User Property", 0x26, bytes(field("name"), field("value")), kEverywhere},
    {"Maximum Packet Size", 0x27, u32(1 << 20), kOnlyConnack},
    {"Wildcard Subscription Available", 0x28, {1}, kOnlyConnack},
    {"Subscription Identifier Available", 0x29, {0}, kOnlyConnack},
    {"Shared Subscription Available", 0x2a, {1}, kOnlyConnack},
};

const Known& known(std::uint8_t identifier) {
  return *std::ranges::find(kKnown, identifier, &Known::identifier);
}

Violation judge(const Buffer& list, std::uint8_t packet_type, PropertyValues* values = nullptr) {
  PropertyValues ignored;
  return check_properties(ExactCopy(list).view(), packet_type, values ? *values : ignored);
}

Buffer whole(const Known& property) { return bytes(property.identifier, property.value); }

// Authentication Data is nothing without a method.
Buffer with_its_method(const Known& property) {
  const Buffer list = whole(property);
  return property.identifier == 0x16 ? bytes(whole(known(0x15)), list) : list;
}

std::uint8_t somewhere(const Known& property) { return *property.packets.begin(); }

TEST("properties: each is good in the packets of MQTT 5 table 2-4 and malformed in all others") {
  for (const Known& property : kKnown) {
    for (std::uint8_t type = packet::kConnect; type <= packet::kAuth; ++type) {
      const Note note(std::string(property.name) + " in packet type " + std::to_string(type));
      const Violation violation = judge(with_its_method(property), type);
      if (property.packets.contains(type)) {
        CHECK(!violation);
      } else {
        CHECK(violation);
        CHECK_EQ(violation.reason, reason::kMalformedPacket);
      }
    }
  }
}

TEST("properties: an identifier that MQTT 5 does not know is malformed, as is a client's own") {
  for (int identifier = 0; identifier < 256; ++identifier) {
    if (std::ranges::count(kKnown, identifier, &Known::identifier) > 0) continue;
    const Note note("identifier " + std::to_string(identifier));
    for (std::uint8_t type = packet::kConnect; type <= packet::kAuth; ++type) {
      CHECK_EQ(judge(bytes(identifier, u32(0)), type).reason, reason::kMalformedPacket);
    }
  }
}

TEST("properties: none may come twice, but for User Property and Subscription Identifier") {
  for (const Known& property : kKnown) {
    const Note note(property.name);
    const Violation violation =
        judge(bytes(with_its_method(property), whole(property)), somewhere(property));
    const bool repeats = property.identifier == 0x26 || property.identifier == 0x0b;
    CHECK_EQ(static_cast<bool>(violation), !repeats);
    if (!repeats) CHECK_EQ(violation.reason, reason::kProtocolError);
  }
}

TEST("properties: one that is cut short at any byte is malformed") {
  for (const Known& property : kKnown) {
    const Buffer list = whole(property);
    for (std::size_t size = 1; size < list.size(); ++size) {
      const Note note(std::string(property.name) + " of " + std::to_string(size) + " bytes");
      const Buffer cut(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK_EQ(judge(cut, somewhere(property)).reason, reason::kMalformedPacket);
    }
  }
}

TEST("properties: values out of range are refused") {
  const struct {
    std::uint8_t identifier;
    Buffer value;
    std::uint8_t reason;
  } table[] = {
      {0x01, {2}, reason::kProtocolError},
      {0x01, {255}, reason::kProtocolError},
      {0x08, field("a/#"), reason::kProtocolError},
      {0x08, field("+"), reason::kProtocolError},
      {0x0b, {0}, reason::kProtocolError},
      {0x0b, {0x80, 0x00}, reason::kMalformedPacket},
      {0x0b, {0xff, 0xff, 0xff, 0xff, 0x01}, reason::kMalformedPacket},
      {0x21, u16(0), reason::kProtocolError},
      {0x23, u16(0), reason::kTopicAliasInvalid},
      {0x24, {2}, reason::kProtocolError},
      {0x25, {2}, reason::kProtocolError},
      {0x27, u32(0), reason::kProtocolError},
      {0x28, {2}, reason::kProtocolError},
      {0x29, {2}, reason::kProtocolError},
      {0x2a, {255}, reason::kProtocolError},
  };
  for (const auto& row : table) {
    const Known& property = known(row.identifier);
    const Note note(std::string(property.name) + " " + shown(row.value));
    CHECK_EQ(judge(bytes(row.identifier, row.value), somewhere(property)).reason, row.reason);
  }
}

TEST("properties: the ends of each range are good") {
  const struct {
    std::uint8_t identifier;
    Buffer value;
  } table[] = {
      {0x01, {0}},
      {0x02, u32(0)},
      {0x02, u32(0xffffffff)},
      {0x0b, {1}},
      {0x11, u32(0)},
      {0x13, u16(0)},
      {0x13, u16(65535)},
      {0x21, u16(1)},
      {0x21, u16(65535)},
      {0x22, u16(0)},
      {0x22, u16(65535)},
      {0x23, u16(65535)},
      {0x24, {0}},
      {0x27, u32(1)},
      {0x27, u32(0xffffffff)},
      {0x03, field("")},
      {0x09, field("")},
      {0x1f, field("")},
      {0x26, bytes(field(""), field(""))},
      {0x1f, field(std::string(65535, 'x'))},
  };
  for (const auto& row : table) {
    const Known& property = known(row.identifier);
    const Note note(std::string(property.name) + " " + shown(row.value));
    CHECK(!judge(bytes(row.identifier, row.value), somewhere(property)));
  }
}

TEST("properties: texts must be UTF-8 without U+0000, binary data may be anything") {
  for (const char* text : {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf"}) {
    const Note note(shown(bytes(text)));
    for (const std::uint8_t identifier : {0x03, 0x12, 0x15, 0x1a, 0x1c, 0x1f}) {
      const Known& property = known(identifier);
      const Note inner(property.name);
      CHECK_EQ(judge(bytes(identifier, field(text)), somewhere(property)).reason,
               reason::kMalformedPacket);
    }
    CHECK(judge(bytes(0x08, field(text)), packet::kPublish));
    CHECK(judge(bytes(0x26, field(text), field("value")), packet::kPublish));
    CHECK(judge(bytes(0x26, field("name"), field(text)), packet::kPublish));
    CHECK(!judge(bytes(0x09, field(text)), packet::kPublish));
    CHECK(!judge(bytes(whole(known(0x15)), 0x16, field(text)), packet::kConnack));
  }
  CHECK(judge(bytes(0x1f, u16(1), 0), packet::kPuback));
}

TEST("properties: Authentication Data needs an Authentication Method, before or after it") {
  const Buffer method = whole(known(0x15));
  const Buffer data = whole(known(0x16));
  CHECK_EQ(judge(data, packet::kConnack).reason, reason::kProtocolError);
  CHECK(!judge(bytes(method, data), packet::kConnack));
  CHECK(!judge(bytes(data, method), packet::kConnack));
}

TEST("properties: the values that the engine acts upon are handed over") {
  PropertyValues connack;
  const Buffer list = bytes(0x21, u16(7), 0x22, u16(8), 0x27, u32(9000), 0x13, u16(10), 0x26,
                            field("a"), field("b"), 0x1f, field("ok"));
  CHECK(!judge(list, packet::kConnack, &connack));
  CHECK_EQ(connack.receive_maximum, 7);
  CHECK_EQ(connack.topic_alias_maximum, 8);
  CHECK_EQ(connack.maximum_packet_size, 9000U);
  CHECK(connack.has_server_keep_alive);
  CHECK_EQ(connack.server_keep_alive, 10);

  PropertyValues publish;
  CHECK(!judge(bytes(0x23, u16(300)), packet::kPublish, &publish));
  CHECK_EQ(publish.topic_alias, 300);
  CHECK_EQ(publish.receive_maximum, 65535);
  CHECK(!publish.has_server_keep_alive);
}

TEST("properties: a list is split off with its length, and must lie within the packet") {
  const ExactCopy packet(bytes(properties(0x01, 1), "payload"));
  const PropertyList list = split_properties(packet.view());
  CHECK(!list.violation);
  CHECK_EQ(list.properties, bytes(0x01, 1));
  CHECK_EQ(list.size, 3U);

  CHECK_EQ(split_properties(ExactCopy(bytes(0)).view()).size, 1U);
  const Buffer long_list = properties(std::string(200, 'x'));
  CHECK_EQ(split_properties(ExactCopy(long_list).view()).size, 202U);
  CHECK_EQ(split_properties(ExactCopy(long_list).view()).properties.size(), 200U);

  const Buffer malformed[] = {{},
                              {0x80},
                              {1},
                              {3, 0x01, 0x01},
                              {0x80, 0x00},
                              {0xff, 0xff, 0xff, 0x7f},
                              {0xff, 0xff, 0xff, 0xff, 0x00}};
  for (const Buffer& from : malformed) {
    const Note note(shown(from));
    CHECK_EQ(split_properties(ExactCopy(from).view()).violation.reason, reason::kMalformedPacket);
  }
}

TEST("properties: our own of CONNECT are read past those that only a client sends") {
  const Buffer own =
      bytes(0x11, u32(60), 0x19, 1, 0x17, 0, 0x26, field("a"), field("b"), 0x21, u16(5), 0x15,
            field("SCRAM"), 0x16, field("\xff"), 0x27, u32(1000), 0x22, u16(3));
  const PropertyValues values = read_own_properties(ExactCopy(own).view());
  CHECK_EQ(values.receive_maximum, 5);
  CHECK_EQ(values.maximum_packet_size, 1000U);
  CHECK_EQ(values.topic_alias_maximum, 3);
  CHECK_EQ(read_own_properties({}).receive_maximum, 65535);
}

}  // namespace
}  // namespace aiomqtt::testing
