// Cuts a byte stream into packets. Bytes are read into a scratch buffer that all connections share,
// so that an idle connection holds none; only the start of a packet whose rest has not arrived is
// kept. Packets of more than a few KiB are put together in a buffer of their own, which grows with
// what arrives and not with what the length promises.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"
#include "streams/stream.h"

namespace aiomqtt {

// The server sent a message for which there can never be room.
inline constexpr Violation kMessageTooLarge{
    reason::kPacketTooLarge,
    "a message is larger than all that may be queued (maxQueuedIncomingBytes)"};

// No other packet than a message is as large as this: a server that announces one is not waited
// for.
inline constexpr std::size_t kLargestOther = 4 * 1024 * 1024;

class PacketReader {
 public:
  // 0: as large as MQTT allows, 268,435,455 bytes and the fixed header.
  void set_maximum_packet_size(std::uint32_t bytes) noexcept { maximum_packet_size_ = bytes; }

  // A PUBLISH with a message that is larger than this is refused by what its first bytes say; 0:
  // none.
  void set_largest_message(std::uint64_t bytes) noexcept { largest_message_ = bytes; }

  // Reads once. On kMoved, take packets with next() until it has none, then call settle().
  [[nodiscard]] Transfer fill(Stream& stream, std::span<std::uint8_t> scratch);

  enum class Next : std::uint8_t { kPacket, kNothing, kViolation };
  // The packet's bytes stay valid until settle().
  [[nodiscard]] Next next(Packet& packet, Violation& violation) noexcept;
  void settle();

  // next() gives the packet that it gave last once more.
  void put_back(const Packet& packet) noexcept {
    window_ = {packet.bytes.data(), packet.bytes.size() + window_.size()};
  }
  // That packet, and what follows it, are kept for resume().
  void set_aside(const Packet& packet);
  [[nodiscard]] bool has_aside() const noexcept { return !aside_.empty(); }
  // In the place of fill(): what was set aside comes first.
  void resume() noexcept { window_ = Bytes(aside_).subspan(aside_from_); }
  // A large message that has begun to arrive, of which nothing has been taken.
  struct Announced {
    int qos = 0;
    std::uint64_t least = 0;  // bytes that it has at least
  };
  [[nodiscard]] std::optional<Announced> announced() const noexcept;
  // Bytes that are kept of what was read and not yet taken.
  [[nodiscard]] std::size_t kept_bytes() const noexcept {
    return kept_.capacity() + aside_.capacity();
  }

  // What holds the packet that next() gave and nothing else: it may be taken over, and stays valid.
  // Null for a packet that shares its buffer with others.
  [[nodiscard]] RawBuffer* whole(const Packet& packet) noexcept {
    if (packet.bytes.data() == kept_.data()) return &kept_;
    const bool is_all =
        packet.bytes.data() == aside_.data() && packet.bytes.size() == aside_.size();
    return is_all ? &aside_ : nullptr;
  }

 private:
  // From this size on a packet is put together in kept_ instead of being copied to scratch again.
  static constexpr std::size_t kAssembleFrom = 4096;
  // After a packet of this size the next one is likely to be large too: only its start is read to
  // scratch.
  static constexpr std::size_t kLarge = 64 * 1024;
  // Of a packet of this size what has arrived is more than one read.
  static constexpr std::size_t kAnnouncedFrom = 256 * 1024;

  RawBuffer kept_;
  RawBuffer aside_;             // what was set aside
  std::size_t aside_from_ = 0;  // what comes before it was taken by now
  bool expects_large_ = false;
  std::size_t kept_total_ = 0;  // the length of the packet that kept_ starts, 0 while unknown
  Bytes window_;                // what was read and not yet taken
  std::uint32_t maximum_packet_size_ = 0;
  std::uint64_t largest_message_ = 0;
};

}  // namespace aiomqtt
