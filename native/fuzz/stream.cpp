#include "engine/packet_reader.h"
#include "fuzz/targets.h"
#include "tests/harness.h"
#include "tests/scripted_stream.h"

namespace aiomqtt::fuzz {
namespace {

using namespace aiomqtt::testing;

// Whether any server sends packets of this type with these flags. One that none sends is in
// violation as soon as the reader sees it, or, if it is there as a whole, as soon as the connection
// does.
bool may_come(const Packet& packet) {
  if (packet.type == packet::kPublish) return true;
  if (packet.type == packet::kPubrel) return (packet.flags & 7) == 2;
  constexpr std::uint8_t kClientsOwn[] = {0, packet::kConnect, packet::kSubscribe,
                                          packet::kUnsubscribe, packet::kPingreq};
  return packet.flags == 0 && std::ranges::find(kClientsOwn, packet.type) == std::end(kClientsOwn);
}

struct Read {
  std::vector<Buffer> packets;  // up to the first violation
  std::uint8_t violation = 0;
};

// Reads of `cut` bytes, or all at once.
Read read_in_parts(Bytes input, std::size_t cut) {
  Script script;
  const std::size_t part = cut == 0 ? std::max<std::size_t>(input.size(), 1) : cut;
  for (std::size_t at = 0; at < input.size(); at += part) {
    script.reads.push_back(copy_of(input.subspan(at, std::min(part, input.size() - at))));
  }
  script.then = {Transfer::State::kEnded, 0, 0};
  ScriptedStream stream(script);
  PacketReader reader;
  reader.set_maximum_packet_size(100'000);
  Buffer scratch(16 * 1024);
  Read read;
  while (reader.fill(stream, scratch).state == Transfer::State::kMoved) {
    Packet packet;
    Violation violation;
    PacketReader::Next next = PacketReader::Next::kNothing;
    while ((next = reader.next(packet, violation)) == PacketReader::Next::kPacket) {
      if (!may_come(packet)) violation = {reason::kMalformedPacket, "not a server's"};
      if (violation) break;
      read.packets.push_back(copy_of(packet.bytes));
    }
    if (violation) {
      read.violation = violation.reason;
      break;
    }
    reader.settle();
  }
  return read;
}

}  // namespace

void stream(Bytes input) {
  if (input.size() < 2) return;
  const Read one = read_in_parts(input.subspan(2), input[0]);
  const Read other = read_in_parts(input.subspan(2), input[1]);
  CHECK_EQ(one.violation != 0, other.violation != 0);
  CHECK_EQ(one.packets.size(), other.packets.size());
  for (std::size_t i = 0; i < one.packets.size(); ++i) CHECK_EQ(one.packets[i], other.packets[i]);
}

}  // namespace aiomqtt::fuzz
