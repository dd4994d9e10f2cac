#include "engine/packet_reader.h"

#include <random>

#include "tests/scripted_stream.h"

namespace aiomqtt::testing {
namespace {

// Reads everything the script has to give, as the I/O thread does.
class Reading {
 public:
  explicit Reading(std::size_t scratch = 16 * 1024) : scratch_(scratch) {}

  Script script;
  PacketReader reader;
  std::vector<Buffer> packets;
  Violation violation;
  std::size_t fills = 0;

  // Until the script is over or a packet is in violation; the last transfer.
  Transfer run() {
    ScriptedStream stream(script);
    for (;;) {
      const Transfer got = reader.fill(stream, scratch_);
      ++fills;
      if (got.state != Transfer::State::kMoved) return got;
      Packet packet;
      PacketReader::Next next = PacketReader::Next::kNothing;
      while ((next = reader.next(packet, violation)) == PacketReader::Next::kPacket) {
        const Buffer whole = copy_of(packet.bytes);
        Packet again;
        CHECK(split_packet(whole, again));
        CHECK_EQ(packet.type, again.type);
        CHECK_EQ(packet.flags, again.flags);
        CHECK_EQ(packet.body, again.body);
        packets.push_back(whole);
      }
      if (next == PacketReader::Next::kViolation) return got;
      reader.settle();
    }
  }

 private:
  Buffer scratch_;
};

void check_packets(const Reading& reading, const std::vector<Buffer>& expected) {
  CHECK_EQ(reading.packets.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK_EQ(reading.packets[i], expected[i]);
}

std::vector<Buffer> some_packets() {
  return {packet(0xd0),
          packet(0x30, field("a"), "b"),
          packet(0x40, u16(1)),
          packet(0x30, patterned(1, 127 - 2)),
          packet(0x30, patterned(2, 128)),
          packet(0x3f, patterned(3, 4096)),
          packet(0x30, patterned(4, 16384)),
          packet(0xd0),
          packet(0x62, u16(65535))};
}

TEST("packet reader: several packets of one read come out one by one") {
  Reading reading;
  const std::vector<Buffer> sent = {packet(0xd0), packet(0x40, u16(1)), packet(0x30, field("a"))};
  reading.script.reads.push_back(bytes(sent[0], sent[1], sent[2]));
  CHECK_EQ(reading.run().state, Transfer::State::kWouldBlock);
  check_packets(reading, sent);
}

TEST("packet reader: packets come whole from segments of one byte") {
  Reading reading;
  const std::vector<Buffer> sent = some_packets();
  for (const Buffer& each : sent) {
    for (const std::uint8_t byte : each) reading.script.reads.push_back({byte});
  }
  CHECK_EQ(reading.run().state, Transfer::State::kWouldBlock);
  check_packets(reading, sent);
}

TEST("packet reader: packets come whole wherever the stream is cut once") {
  const std::vector<Buffer> sent = {packet(0x30, field("a"), "b"), packet(0x30, patterned(1, 300)),
                                    packet(0xd0), packet(0x30, patterned(2, 4200))};
  const Buffer all = bytes(sent[0], sent[1], sent[2], sent[3]);
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    const Note note("cut at " + std::to_string(cut));
    Reading reading;
    reading.script.reads.push_back(copy_of(Bytes(all).first(cut)));
    reading.script.reads.push_back(copy_of(Bytes(all).subspan(cut)));
    CHECK_EQ(reading.run().state, Transfer::State::kWouldBlock);
    check_packets(reading, sent);
  }
}

TEST("packet reader: a packet in a buffer of its own may be taken over, and reading goes on") {
  Script script;
  const Buffer large = packet(0x30, field("a"), patterned(1, 200'000));
  const Buffer larger = packet(0x30, field("b"), patterned(2, 2'500'000));
  const Buffer small = packet(0x30, field("c"));
  const Buffer all = bytes(small, large, small, larger, large, small);
  for (std::size_t at = 0; at < all.size(); at += 10'000) {
    script.reads.push_back(
        copy_of(Bytes(all).subspan(at, std::min<std::size_t>(10'000, all.size() - at))));
  }
  ScriptedStream stream(script);
  PacketReader reader;
  Buffer scratch(16 * 1024);
  std::vector<Buffer> packets;
  int taken = 0;
  while (reader.fill(stream, scratch).state == Transfer::State::kMoved) {
    Packet packet;
    Violation violation;
    while (reader.next(packet, violation) == PacketReader::Next::kPacket) {
      packets.push_back(copy_of(packet.bytes));
      RawBuffer* const whole = reader.whole(packet);
      CHECK_EQ(whole != nullptr, packet.bytes.size() > 100);
      if (whole == nullptr) continue;
      const RawBuffer mine = std::move(*whole);
      ++taken;
      CHECK(mine.data() == packet.bytes.data());
      CHECK_EQ(mine.size(), packet.bytes.size());
    }
    CHECK(!violation);
    reader.settle();
  }
  CHECK_EQ(taken, 3);
  CHECK_EQ(packets.size(), 6U);
  CHECK_EQ(packets[1], large);
  CHECK_EQ(packets[3], larger);
  CHECK_EQ(packets[4], large);
  CHECK_EQ(packets[5], small);
}

TEST("packet reader: packets come whole from segments of any size") {
  std::mt19937 random(1883);
  std::vector<Buffer> sent = some_packets();
  std::ranges::shuffle(sent, random);
  Buffer all;
  for (const Buffer& each : sent) put(all, each);
  for (int round = 0; round < 30; ++round) {
    const Note note("round " + std::to_string(round));
    Reading reading;
    const std::size_t most = std::size_t{1} << random() % 16;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % most, all.size() - at);
      reading.script.reads.push_back(copy_of(Bytes(all).subspan(at, size)));
      at += size;
    }
    CHECK_EQ(reading.run().state, Transfer::State::kWouldBlock);
    check_packets(reading, sent);
  }
}

TEST(
    "packet reader: a packet much larger than the scratch buffer comes whole, and what follows "
    "it") {
  Reading reading(8 * 1024);
  const std::vector<Buffer> sent = {packet(0x30, patterned(7, 3'000'000)), packet(0xd0),
                                    packet(0x30, patterned(8, 100'000)), packet(0x40, u16(9))};
  reading.script.reads.push_back(bytes(sent[0], sent[1], sent[2], sent[3]));
  CHECK_EQ(reading.run().state, Transfer::State::kWouldBlock);
  check_packets(reading, sent);
}

TEST("packet reader: the end of the stream and its failure are passed on, with what came before") {
  for (const Transfer end : {Transfer{Transfer::State::kEnded, 0, 0},
                             Transfer{Transfer::State::kFailed, 0, ECONNRESET}}) {
    for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
      Reading reading(8 * 1024);
      const Buffer cut = packet(0x30, patterned(1, size));
      reading.script.reads.push_back(bytes(packet(0xd0), copy_of(Bytes(cut).first(size - 1))));
      reading.script.then = end;
      const Transfer last = reading.run();
      CHECK_EQ(last.state, end.state);
      CHECK_EQ(last.error, end.error);
      check_packets(reading, {packet(0xd0)});
    }
  }
}

TEST("packet reader: a remaining length of five bytes or with padding is a violation") {
  for (const Buffer& length : {Buffer{0x80, 0x80, 0x80, 0x80}, Buffer{0xff, 0xff, 0xff, 0xff, 0x7f},
                               Buffer{0x80, 0x00}, Buffer{0x82, 0x80, 0x00}}) {
    for (const bool bytewise : {false, true}) {
      const Note note(shown(length));
      Reading reading;
      reading.script.reads.push_back(packet(0xd0));
      if (bytewise) {
        reading.script.reads.push_back({0x30});
        for (const std::uint8_t byte : length) reading.script.reads.push_back({byte});
      } else {
        reading.script.reads.push_back(bytes(0x30, length));
      }
      (void)reading.run();
      check_packets(reading, {packet(0xd0)});
      CHECK_EQ(reading.violation.reason, reason::kMalformedPacket);
    }
  }
}

TEST("packet reader: a packet that no server sends is not waited for") {
  for (int first = 0; first < 256; ++first) {
    const Note note("first byte " + std::to_string(first));
    const int type = first >> 4;
    const int flags = first & 15;
    const bool is_servers = type == 2 || (type >= 3 && type <= 7) || type == 9 || type == 11 ||
                            type == 13 || type == 14 || type == 15;
    const bool may_have_flags = type == 3 || flags == (type == 6 ? 2 : 0) ||
                                (type == 6 && flags == 10);  // PUBREL with DUP, in MQTT 3.1
    Reading reading;
    reading.script.reads.push_back(bytes(first, 100, "the rest is still to come"));
    (void)reading.run();
    CHECK(reading.packets.empty());
    CHECK_EQ(!reading.violation, is_servers && may_have_flags);
  }
}

TEST("packet reader: a packet above our Maximum Packet Size is a violation before its body came") {
  for (const std::uint32_t most : {100U, 20'000U}) {
    const Note note("at most " + std::to_string(most));
    const std::size_t head = most < 130 ? 2 : 4;
    Reading reading;
    reading.reader.set_maximum_packet_size(most);
    const Buffer fits = packet(0x30, patterned(1, most - head));
    CHECK_EQ(fits.size(), most);
    reading.script.reads.push_back(fits);
    // Only the fixed header of what is too large.
    reading.script.reads.push_back(bytes(0x30, variable_byte_integer(most - head + 1)));
    (void)reading.run();
    check_packets(reading, {fits});
    CHECK_EQ(reading.violation.reason, reason::kPacketTooLarge);
  }
}

TEST("packet reader: a promise of 256 MB costs no memory until the bytes come") {
  Reading reading;
  reading.script.reads.push_back(bytes(0x30, 0xff, 0xff, 0xff, 0x7f));
  for (int i = 0; i < 10; ++i) reading.script.reads.push_back(patterned(1, 1000));
  CHECK_EQ(reading.run().state, Transfer::State::kWouldBlock);
  CHECK(reading.packets.empty());
  CHECK(!reading.violation);
}

TEST("packet reader: a malformed stream of random bytes never crashes it") {
  std::mt19937 random(5);
  for (int round = 0; round < 2'000; ++round) {
    Reading reading(8 * 1024);
    reading.reader.set_maximum_packet_size(100'000);
    for (int segment = 0; segment < 8; ++segment) {
      Buffer segment_bytes(1 + random() % 300);
      for (std::uint8_t& byte : segment_bytes) byte = static_cast<std::uint8_t>(random());
      reading.script.reads.push_back(segment_bytes);
    }
    (void)reading.run();
  }
}

}  // namespace
}  // namespace aiomqtt::testing
