// Cuts a byte stream into packets. Bytes are read into a scratch buffer that all connections share,
// so that an idle connection holds none; only the start of a packet whose rest has not arrived is
// kept. Packets of more than a few KiB are put together in a buffer of their own, which grows with
// what arrives and not with what the length promises.
#pragma once

#include <cstdint>
#include <span>

#include "engine/raw_buffer.h"
#include "engine/wire.h"
#include "streams/stream.h"

namespace aiomqtt {

class PacketReader {
 public:
  // 0: as large as MQTT allows, 268,435,455 bytes and the fixed header.
  void set_maximum_packet_size(std::uint32_t bytes) noexcept { maximum_packet_size_ = bytes; }

  // Reads once. On kMoved, take packets with next() until it has none, then call settle().
  [[nodiscard]] Transfer fill(Stream& stream, std::span<std::uint8_t> scratch);

  enum class Next : std::uint8_t { kPacket, kNothing, kViolation };
  // The packet's bytes stay valid until settle().
  [[nodiscard]] Next next(Packet& packet, Violation& violation) noexcept;
  void settle();

 private:
  // From this size on a packet is put together in kept_ instead of being copied to scratch again.
  static constexpr std::size_t kAssembleFrom = 4096;

  RawBuffer kept_;
  std::size_t kept_total_ = 0;  // the length of the packet that kept_ starts, 0 while unknown
  Bytes window_;                // what was read and not yet taken
  std::uint32_t maximum_packet_size_ = 0;
};

}  // namespace aiomqtt
