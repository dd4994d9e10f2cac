// Cuts a byte stream into packets. Bytes are read into a scratch buffer that all connections share,
// so that an idle connection holds none; only the start of a packet whose rest has not arrived is
// kept. Packets of more than a few KiB are put together in a buffer of their own, which grows with
// what arrives and not with what the length promises.
#pragma once

#include <cstdint>
#include <span>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"
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
  // What holds the packet that next() gave and nothing else: it may be taken over, and stays valid.
  // Null for a packet that shares its buffer with others.
  [[nodiscard]] RawBuffer* whole(const Packet& packet) noexcept {
    return packet.bytes.data() == kept_.data() ? &kept_ : nullptr;
  }

 private:
  // From this size on a packet is put together in kept_ instead of being copied to scratch again.
  static constexpr std::size_t kAssembleFrom = 4096;
  // After a packet of this size the next one is likely to be large too: only its start is read to
  // scratch.
  static constexpr std::size_t kLarge = 64 * 1024;

  RawBuffer kept_;
  bool expects_large_ = false;
  std::size_t kept_total_ = 0;  // the length of the packet that kept_ starts, 0 while unknown
  Bytes window_;                // what was read and not yet taken
  std::uint32_t maximum_packet_size_ = 0;
};

}  // namespace aiomqtt
