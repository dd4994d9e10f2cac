// Packets of every type, cut short and mutated: nothing is read beyond their end.
#include <random>

#include "tests/parsing.h"

namespace aiomqtt::testing {
namespace {

// Every packet that is good in some version; what the mutations start from.
std::vector<Buffer> good_packets(int version) {
  const bool is5 = version == kMqtt5;
  const Buffer none = is5 ? bytes(0) : bytes();
  std::vector<Buffer> packets = {
      packet(0x20, 0, 0, none),
      packet(0x30, field("a/b"), none, "payload"),
      packet(0x33, field("a"), u16(7), none, "payload"),
      packet(0x3d, field("töpic"), u16(65535), none),
      packet(0x40, u16(1)),
      packet(0x50, u16(2)),
      packet(0x62, u16(3)),
      packet(0x70, u16(65535)),
      packet(0x90, u16(1), none, 0, 1, 2, 0x80),
      packet(0xb0, u16(1), none),
      packet(0xd0),
  };
  if (is5) {
    packets.push_back(
        packet(0x20, 1, 0,
               properties(0x11, u32(60), 0x21, u16(20), 0x24, 1, 0x25, 1, 0x27, u32(1000), 0x12,
                          field("id"), 0x22, u16(10), 0x1f, field("hi"), 0x26, field("a"),
                          field("b"), 0x28, 1, 0x29, 1, 0x2a, 1, 0x13, u16(60), 0x1a, field("r"),
                          0x1c, field("s"), 0x15, field("m"), 0x16, field("d"))));
    packets.push_back(
        packet(0x35, field("a"), u16(9),
               properties(0x01, 1, 0x02, u32(5), 0x23, u16(3), 0x08, field("r"), 0x09, field("c"),
                          0x26, field("a"), field("b"), 0x0b, 1, 0x0b, 2, 0x03, field("t")),
               "payload"));
    packets.push_back(packet(0x40, u16(1), 0x10, kReasonString));
    packets.push_back(packet(0x50, u16(2), 0x97, kMorePropertiesThanOne));
    packets.push_back(packet(0x62, u16(3), 0x92, kReasonString));
    packets.push_back(packet(0x70, u16(4), 0x92, bytes(0)));
    packets.push_back(packet(0x90, u16(1), kMorePropertiesThanOne, 0, 0x87));
    packets.push_back(packet(0xb0, u16(1), kReasonString, 0, 0x11, 0x80));
    packets.push_back(packet(0xe0));
    packets.push_back(packet(0xe0, 0x8b, properties(0x1c, field("other"), 0x1f, field("bye"))));
  }
  return packets;
}

TEST("inbound packets: all that are good are taken") {
  for (const int version : kVersions) {
    for (const Buffer& good : good_packets(version)) {
      const Note note(shown(good) + " on version " + std::to_string(version));
      CHECK(!violation_of(good, version));
    }
  }
}

TEST("inbound packets: whatever is missing at the end, nothing is read beyond it") {
  for (const int version : kVersions) {
    for (const Buffer& good : good_packets(version)) {
      Packet whole;
      CHECK(split_packet(good, whole));
      for (std::size_t size = 0; size < whole.body.size(); ++size) {
        const Buffer cut = packet(good[0], copy_of(whole.body.first(size)));
        const Note note(shown(cut) + " on version " + std::to_string(version));
        const ExactCopy keep(cut);
        const Parsed parsed = parse(keep, version);
        // What is still good ends in a list that may be shorter, or in an optional part.
        const bool may_be_good = whole.type == packet::kPublish || whole.type == packet::kSuback ||
                                 whole.type == packet::kUnsuback || version == kMqtt5;
        if (!parsed.violation) CHECK(may_be_good);
        if (!parsed.violation) CHECK(lies_within(parsed.publish.payload, keep.view()));
      }
    }
  }
}

TEST("inbound packets: a hundred thousand random mutations neither crash nor are read beyond") {
  std::mt19937 random(20240229);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::size_t taken = 0;
  for (int round = 0; round < 100'000; ++round) {
    const int version = kVersions[below(3)];
    static const std::vector<Buffer> corpus[] = {good_packets(kMqtt31), good_packets(kMqtt311),
                                                 good_packets(kMqtt5)};
    const std::vector<Buffer>& from = corpus[version - kMqtt31];
    const Buffer& good = from[below(from.size())];
    Packet whole;
    CHECK(split_packet(good, whole));
    Buffer body = copy_of(whole.body);
    int first = good[0];
    for (std::size_t change = 1 + below(3); change > 0; --change) {
      const auto at = [&] {
        return body.begin() + static_cast<std::ptrdiff_t>(below(body.size()));
      };
      switch (below(6)) {
        case 0:
          first = first ^ 1 << below(4);
          break;
        case 1:
          if (!body.empty()) *at() ^= static_cast<std::uint8_t>(1 << below(8));
          break;
        case 2:
          if (!body.empty()) *at() = static_cast<std::uint8_t>(below(256));
          break;
        case 3:
          if (!body.empty()) body.erase(at());
          break;
        case 4:
          if (!body.empty()) body.insert(at(), static_cast<std::uint8_t>(below(256)));
          break;
        default:
          body.resize(below(body.size() + 1));
          break;
      }
    }
    const ExactCopy keep(packet(first, body));
    const Parsed parsed = parse(keep, version);
    if (parsed.violation) {
      const bool named = parsed.violation.reason == reason::kMalformedPacket ||
                         parsed.violation.reason == reason::kProtocolError ||
                         parsed.violation.reason == reason::kTopicAliasInvalid;
      CHECK(named);
      continue;
    }
    ++taken;
    for (const Bytes part :
         {parsed.connack.properties, parsed.publish.topic, parsed.publish.properties,
          parsed.publish.payload, parsed.subscription.codes, parsed.disconnect.properties,
          parsed.auth.method, parsed.auth.properties}) {
      CHECK(lies_within(part, keep.view()));
    }
  }
  // Both answers must occur, or this would prove little.
  CHECK(taken > 1'000);
  CHECK(taken < 99'000);
}

}  // namespace
}  // namespace aiomqtt::testing
