#include "mqtt/inbound_packets.h"

#include <set>

#include "tests/parsing.h"

namespace aiomqtt::testing {
namespace {

struct Row {
  const char* what;
  Buffer bytes;
};

void all_good(std::initializer_list<int> versions, const std::vector<Row>& rows) {
  for (const int version : versions) {
    for (const Row& row : rows) {
      const Note note(std::string(row.what) + " on version " + std::to_string(version));
      const Violation violation = violation_of(row.bytes, version);
      if (violation) throw Failure(std::string("refused: ") + violation.text);
    }
  }
}

void all_bad(std::initializer_list<int> versions, std::uint8_t reason,
             const std::vector<Row>& rows) {
  for (const int version : versions) {
    for (const Row& row : rows) {
      const Note note(std::string(row.what) + " on version " + std::to_string(version));
      const Violation violation = violation_of(row.bytes, version);
      CHECK(violation);
      CHECK_EQ(violation.reason, reason);
    }
  }
}

// -- CONNACK --

TEST("CONNACK: what it says is read, on each version") {
  for (const int version : {kMqtt31, kMqtt311}) {
    const Parsed refused = parse(ExactCopy(packet(0x20, 0, 5)), version);
    CHECK(!refused.violation);
    CHECK_EQ(refused.connack.code, 5);
    CHECK(!refused.connack.session_present);
  }
  CHECK(parse(ExactCopy(packet(0x20, 1, 0)), kMqtt311).connack.session_present);
  CHECK(!parse(ExactCopy(packet(0x20, 0, 0)), kMqtt311).connack.session_present);
  const ExactCopy keep(packet(0x20, 1, 0, properties(0x21, u16(3), 0x1f, field("ok"))));
  const Parsed accepted = parse(keep, kMqtt5);
  CHECK(!accepted.violation);
  CHECK(accepted.connack.session_present);
  CHECK_EQ(accepted.connack.values.receive_maximum, 3);
  CHECK_EQ(accepted.connack.properties, bytes(0x21, u16(3), 0x1f, field("ok")));
}

TEST("CONNACK: the byte that MQTT 3.1 calls reserved says nothing there") {
  const Parsed parsed = parse(ExactCopy(packet(0x20, 0xff, 0)), kMqtt31);
  CHECK(!parsed.violation);
  CHECK(!parsed.connack.session_present);
}

TEST("CONNACK: a broker that knows no MQTT 5 may refuse with a CONNACK of MQTT 3") {
  const Parsed parsed = parse(ExactCopy(packet(0x20, 0, 1)), kMqtt5);
  CHECK(!parsed.violation);
  CHECK_EQ(parsed.connack.code, 1);
}

TEST("CONNACK: wrong flags, lengths and reserved bits are malformed") {
  all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
          {{"nothing", packet(0x20)}, {"one byte", packet(0x20, 0)}});
  all_bad({kMqtt31, kMqtt311}, reason::kMalformedPacket, {{"three bytes", packet(0x20, 0, 0, 0)}});
  all_bad({kMqtt311, kMqtt5}, reason::kMalformedPacket,
          {{"a reserved bit", packet(0x20, 2, 0)}, {"another one", packet(0x20, 0x80, 0)}});
  for (int flags = 1; flags < 16; ++flags) {
    all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
            {{"flags", packet(0x20 | flags, 0, 0, 0)}});
  }
  all_bad({kMqtt5}, reason::kMalformedPacket,
          {{"a byte after the properties", packet(0x20, 0, 0, 0, 0)}});
}

TEST("CONNACK: a refusal has no session") {
  all_bad({kMqtt311}, reason::kProtocolError, {{"a session", packet(0x20, 1, 5)}});
  all_bad({kMqtt5}, reason::kProtocolError, {{"a session", packet(0x20, 1, 0x87, 0)}});
}

TEST("CONNACK: reason codes are those of MQTT 5 section 3.2.2.2") {
  // 1 to 5 are MQTT 3's, from a broker that does not know 5.
  const std::set<int> known = {0,    1,    2,    3,    4,    5,    0x80, 0x81, 0x82,
                               0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c,
                               0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f};
  for (int code = 0; code < 256; ++code) {
    const Note note("code " + std::to_string(code));
    const Violation violation = violation_of(packet(0x20, 0, code, 0), kMqtt5);
    CHECK_EQ(!violation, known.contains(code));
    if (violation) CHECK_EQ(violation.reason, reason::kProtocolError);
  }
}

// -- PUBLISH --

TEST("PUBLISH: what it says is read, on each version") {
  for (const int version : kVersions) {
    const Note note("version " + std::to_string(version));
    const Buffer none = version == kMqtt5 ? bytes(0) : bytes();
    const ExactCopy first(packet(0x31, field("a/b"), none, "hello"));
    const Parsed qos0 = parse(first, version);
    CHECK(!qos0.violation);
    CHECK_EQ(qos0.publish.qos, 0);
    CHECK(qos0.publish.retain);
    CHECK(!qos0.publish.dup);
    CHECK_EQ(qos0.publish.packet_identifier, 0);
    CHECK_EQ(text_of(qos0.publish.topic), "a/b");
    CHECK_EQ(text_of(qos0.publish.payload), "hello");

    const ExactCopy second(packet(0x3c, field("a"), u16(0xfffe), none));
    const Parsed qos2 = parse(second, version);
    CHECK(!qos2.violation);
    CHECK_EQ(qos2.publish.qos, 2);
    CHECK(!qos2.publish.retain);
    CHECK(qos2.publish.dup);
    CHECK_EQ(qos2.publish.packet_identifier, 0xfffe);
    CHECK(qos2.publish.payload.empty());
  }
}

TEST("PUBLISH: properties are handed over raw, and the topic alias with them") {
  const ExactCopy keep(packet(0x30, field(""), properties(0x23, u16(5), 0x01, 1), "x"));
  const Parsed parsed = parse(keep, kMqtt5);
  CHECK(!parsed.violation);
  CHECK_EQ(parsed.publish.properties, bytes(0x23, u16(5), 0x01, 1));
  CHECK_EQ(parsed.publish.topic_alias, 5);
  CHECK(parsed.publish.topic.empty());
  CHECK_EQ(text_of(parsed.publish.payload), "x");
}

TEST("PUBLISH: lengths that do not fit, QoS 3 and packet identifier 0 are malformed") {
  all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
          {{"nothing", packet(0x30)},
           {"half a length", packet(0x30, 0)},
           {"a topic without its end", packet(0x30, u16(2), "a")},
           {"a topic of 65,535 bytes that are not there", packet(0x30, u16(65535))},
           {"no packet identifier", packet(0x32, field("a"))},
           {"half a packet identifier", packet(0x32, field("a"), 0)},
           {"packet identifier 0", packet(0x32, field("a"), u16(0), 0)},
           {"QoS 3", packet(0x36, field("a"), u16(1), 0)}});
  all_bad({kMqtt5}, reason::kMalformedPacket,
          {{"no properties", packet(0x30, field("a"))},
           {"no properties after an identifier", packet(0x34, field("a"), u16(1))},
           {"properties that run beyond it", packet(0x30, field("a"), 2, 1)}});
}

TEST("PUBLISH: DUP without a QoS means nothing on MQTT 3.1, and is malformed since") {
  CHECK(!violation_of(packet(0x38, field("a")), kMqtt31));
  all_bad({kMqtt311}, reason::kMalformedPacket, {{"DUP", packet(0x38, field("a"))}});
  all_bad({kMqtt5}, reason::kMalformedPacket, {{"DUP", packet(0x38, field("a"), 0)}});
}

TEST("PUBLISH: it has a topic or, on MQTT 5, a topic alias") {
  all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kProtocolError,
          {{"neither", packet(0x30, field(""), 0)}});
}

// -- PUBACK, PUBREC, PUBREL, PUBCOMP --

TEST("acknowledgements: the short form, and the long ones of MQTT 5, are read") {
  for (const int first : {0x40, 0x50, 0x62, 0x70}) {
    const Note note("packet " + std::to_string(first >> 4));
    all_good({kMqtt31, kMqtt311, kMqtt5}, {{"an identifier", packet(first, u16(1))}});
    all_good({kMqtt5}, {{"a code", packet(first, u16(1), 0)},
                        {"empty properties", packet(first, u16(1), 0, 0)},
                        {"properties", packet(first, u16(1), 0, kMorePropertiesThanOne)}});
    const int bad_code = first == 0x40 || first == 0x50 ? 0x97 : 0x92;
    const Parsed parsed = parse(ExactCopy(packet(first, u16(0xabcd), bad_code)), kMqtt5);
    CHECK_EQ(parsed.ack.packet_identifier, 0xabcd);
    CHECK_EQ(parsed.ack.code, bad_code);
    CHECK_EQ(parse(ExactCopy(packet(first, u16(1))), kMqtt5).ack.code, 0);
  }
}

TEST("acknowledgements: wrong lengths and packet identifier 0 are malformed") {
  for (const int first : {0x40, 0x50, 0x62, 0x70}) {
    const Note note("packet " + std::to_string(first >> 4));
    all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
            {{"nothing", packet(first)},
             {"half an identifier", packet(first, 1)},
             {"identifier 0", packet(first, u16(0))}});
    all_bad({kMqtt31, kMqtt311}, reason::kMalformedPacket,
            {{"a code before MQTT 5", packet(first, u16(1), 0)}});
    all_bad({kMqtt5}, reason::kMalformedPacket,
            {{"properties beyond its end", packet(first, u16(1), 0, 1)},
             {"bytes after its properties", packet(first, u16(1), 0, 0, 0)},
             {"a length that is cut short", packet(first, u16(1), 0, 0x80)}});
  }
}

TEST("acknowledgements: the flags are 0, PUBREL's 2, and only MQTT 3.1 resends PUBREL with DUP") {
  for (const int type : {4, 5, 6, 7}) {
    for (int flags = 0; flags < 16; ++flags) {
      for (const int version : kVersions) {
        const Note note("type " + std::to_string(type) + ", flags " + std::to_string(flags) +
                        ", version " + std::to_string(version));
        const bool good =
            type == 6 ? flags == 2 || (version == kMqtt31 && flags == 10) : flags == 0;
        const Violation violation = violation_of(packet(type << 4 | flags, u16(1)), version);
        CHECK_EQ(!violation, good);
        if (violation) CHECK_EQ(violation.reason, reason::kMalformedPacket);
      }
    }
  }
}

TEST("acknowledgements: reason codes are those of MQTT 5 sections 3.4.2.1 to 3.7.2.1") {
  const std::set<int> receipt = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
  const std::set<int> release = {0x00, 0x92};
  for (const int first : {0x40, 0x50, 0x62, 0x70}) {
    for (int code = 0; code < 256; ++code) {
      const Note note("packet " + std::to_string(first >> 4) + ", code " + std::to_string(code));
      const bool known = (first <= 0x50 ? receipt : release).contains(code);
      for (const Buffer& tail : {bytes(), bytes(0), kReasonString}) {
        const Violation violation = violation_of(packet(first, u16(1), code, tail), kMqtt5);
        CHECK_EQ(!violation, known);
        if (violation) CHECK_EQ(violation.reason, reason::kProtocolError);
      }
    }
  }
}

TEST("acknowledgements: properties are checked although nobody reads them") {
  for (const int first : {0x40, 0x50, 0x62, 0x70}) {
    const Note note("packet " + std::to_string(first >> 4));
    all_bad(
        {kMqtt5}, reason::kMalformedPacket,
        {{"text that is not UTF-8", packet(first, u16(1), 0, properties(0x1f, field("\xff")))}});
    all_bad({kMqtt5}, reason::kProtocolError,
            {{"a property twice",
              packet(first, u16(1), 0, properties(0x1f, field("a"), 0x1f, field("b")))}});
  }
}

// -- SUBACK, UNSUBACK --

TEST("SUBACK: the codes are read, on each version") {
  for (const int version : {kMqtt31, kMqtt311}) {
    const ExactCopy keep(packet(0x90, u16(300), 0, 1, 2, 0x80));
    const Parsed parsed = parse(keep, version);
    CHECK(!parsed.violation);
    CHECK_EQ(parsed.subscription.packet_identifier, 300);
    CHECK_EQ(parsed.subscription.codes, bytes(0, 1, 2, 0x80));
  }
  const ExactCopy keep(packet(0x90, u16(1), kReasonString, 0x87));
  CHECK_EQ(parse(keep, kMqtt5).subscription.codes, bytes(0x87));
}

TEST("SUBACK: the codes are those of each version") {
  const std::set<int> v3 = {0, 1, 2, 0x80};
  const std::set<int> v5 = {0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2};
  for (int code = 0; code < 256; ++code) {
    const Note note("code " + std::to_string(code));
    CHECK_EQ(!violation_of(packet(0x90, u16(1), code), kMqtt31), v3.contains(code));
    CHECK_EQ(!violation_of(packet(0x90, u16(1), code), kMqtt311), v3.contains(code));
    CHECK_EQ(!violation_of(packet(0x90, u16(1), 0, code), kMqtt5), v5.contains(code));
  }
}

TEST("UNSUBACK: it has no codes before MQTT 5, and those of section 3.11.3 since") {
  all_good({kMqtt31, kMqtt311}, {{"an identifier", packet(0xb0, u16(1))}});
  all_bad({kMqtt31, kMqtt311}, reason::kMalformedPacket, {{"a code", packet(0xb0, u16(1), 0)}});
  const std::set<int> known = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91};
  for (int code = 0; code < 256; ++code) {
    const Note note("code " + std::to_string(code));
    CHECK_EQ(!violation_of(packet(0xb0, u16(1), 0, 0, code), kMqtt5), known.contains(code));
  }
}

TEST("SUBACK and UNSUBACK: wrong flags and lengths and packet identifier 0 are malformed") {
  for (const int first : {0x90, 0xb0}) {
    const Note note("packet " + std::to_string(first >> 4));
    all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
            {{"nothing", packet(first)},
             {"half an identifier", packet(first, 1)},
             {"identifier 0", packet(first, u16(0), 0)}});
    all_bad({kMqtt5}, reason::kMalformedPacket,
            {{"no properties", packet(first, u16(1))},
             {"properties beyond its end", packet(first, u16(1), 1)}});
    for (int flags = 1; flags < 16; ++flags) {
      all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
              {{"flags", packet(first | flags, u16(1), 0)}});
    }
  }
}

// -- PINGRESP, DISCONNECT --

TEST("PINGRESP: it is two bytes and nothing else") {
  all_good({kMqtt31, kMqtt311, kMqtt5}, {{"it", packet(0xd0)}});
  all_bad({kMqtt31, kMqtt311, kMqtt5}, reason::kMalformedPacket,
          {{"a body", packet(0xd0, 0)}, {"flags", packet(0xd1)}, {"flags", packet(0xd8)}});
}

TEST("DISCONNECT: its short and long forms are read on MQTT 5, and it is an error before") {
  all_bad({kMqtt31, kMqtt311}, reason::kProtocolError, {{"it", packet(0xe0)}});
  CHECK_EQ(parse(ExactCopy(packet(0xe0)), kMqtt5).disconnect.code, 0);
  CHECK_EQ(parse(ExactCopy(packet(0xe0, 0x8e)), kMqtt5).disconnect.code, 0x8e);
  const ExactCopy keep(packet(0xe0, 0x9c, properties(0x1c, field("other:1883"))));
  const Parsed parsed = parse(keep, kMqtt5);
  CHECK(!parsed.violation);
  CHECK_EQ(parsed.disconnect.code, 0x9c);
  CHECK_EQ(parsed.disconnect.properties, bytes(0x1c, field("other:1883")));
  all_bad({kMqtt5}, reason::kMalformedPacket,
          {{"flags", packet(0xe2, 0)},
           {"properties beyond its end", packet(0xe0, 0, 1)},
           {"bytes after its properties", packet(0xe0, 0, 0, 0)}});
}

TEST("DISCONNECT: reason codes are those of sections 2.4 and 3.14.2.1 that a server may send") {
  std::set<int> known = {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89,
                         0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90};
  for (int code = 0x93; code <= 0xa2; ++code) known.insert(code);
  for (int code = 0; code < 256; ++code) {
    const Note note("code " + std::to_string(code));
    CHECK_EQ(!violation_of(packet(0xe0, code), kMqtt5), known.contains(code));
  }
}

TEST("AUTH: its short and long forms are read on MQTT 5, and it is an error before") {
  all_bad({kMqtt31, kMqtt311}, reason::kProtocolError, {{"it", packet(0xf0)}});
  CHECK_EQ(parse(ExactCopy(packet(0xf0)), kMqtt5).auth.code, 0);
  const Buffer list = bytes(0x16, field("data"), 0x15, field("method"), 0x1f, field("why"));
  const ExactCopy keep(packet(0xf0, 0x18, properties(list)));
  const Parsed parsed = parse(keep, kMqtt5);
  CHECK(!parsed.violation);
  CHECK_EQ(parsed.auth.code, 0x18);
  CHECK_EQ(parsed.auth.properties, list);
  CHECK_EQ(text_of(parsed.auth.method), "method");
  all_bad({kMqtt5}, reason::kMalformedPacket,
          {{"flags", packet(0xf1, 0)},
           {"properties beyond its end", packet(0xf0, 0x18, 1)},
           {"a property that it may not have", packet(0xf0, 0x18, properties(0x21, u16(1)))},
           {"bytes after its properties", packet(0xf0, 0, 0, 0)}});
  all_bad({kMqtt5}, reason::kProtocolError,
          {{"data without a method", packet(0xf0, 0x18, properties(0x16, field("data")))}});
}

TEST("AUTH: reason codes are those of section 3.15.2.1 that a server may send") {
  for (int code = 0; code < 256; ++code) {
    const Note note("code " + std::to_string(code));
    CHECK_EQ(!violation_of(packet(0xf0, code), kMqtt5), code == 0 || code == 0x18);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
