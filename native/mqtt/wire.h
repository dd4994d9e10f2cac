// MQTT's wire vocabulary: packet types, reason codes, and big-endian integers in raw bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace aiomqtt {

using Bytes = std::span<const std::uint8_t>;

inline Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

namespace packet {
inline constexpr std::uint8_t kConnect = 1;
inline constexpr std::uint8_t kConnack = 2;
inline constexpr std::uint8_t kPublish = 3;
inline constexpr std::uint8_t kPuback = 4;
inline constexpr std::uint8_t kPubrec = 5;
inline constexpr std::uint8_t kPubrel = 6;
inline constexpr std::uint8_t kPubcomp = 7;
inline constexpr std::uint8_t kSubscribe = 8;
inline constexpr std::uint8_t kSuback = 9;
inline constexpr std::uint8_t kUnsubscribe = 10;
inline constexpr std::uint8_t kUnsuback = 11;
inline constexpr std::uint8_t kPingreq = 12;
inline constexpr std::uint8_t kPingresp = 13;
inline constexpr std::uint8_t kDisconnect = 14;
inline constexpr std::uint8_t kAuth = 15;
}  // namespace packet

// Reason codes of MQTT 5 section 2.4 that the engine itself names.
namespace reason {
inline constexpr std::uint8_t kSuccess = 0x00;
inline constexpr std::uint8_t kContinueAuthentication = 0x18;
inline constexpr std::uint8_t kReauthenticate = 0x19;
inline constexpr std::uint8_t kMalformedPacket = 0x81;
inline constexpr std::uint8_t kProtocolError = 0x82;
inline constexpr std::uint8_t kPacketIdentifierNotFound = 0x92;
inline constexpr std::uint8_t kReceiveMaximumExceeded = 0x93;
inline constexpr std::uint8_t kTopicAliasInvalid = 0x94;
inline constexpr std::uint8_t kPacketTooLarge = 0x95;
inline constexpr std::uint8_t kQuotaExceeded = 0x97;
}  // namespace reason

inline constexpr int kMqtt31 = 3;
inline constexpr int kMqtt311 = 4;
inline constexpr int kMqtt5 = 5;

// A fixed header is one byte of type and flags and at most four of remaining length.
inline constexpr std::size_t kLongestFixedHeader = 5;

inline std::uint16_t read_u16(const std::uint8_t* at) noexcept {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

inline std::uint32_t read_u32(const std::uint8_t* at) noexcept {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

// A packet of nothing but a packet identifier: PUBACK, PUBREC, PUBREL and PUBCOMP without reason.
inline std::array<std::uint8_t, 4> short_packet(std::uint8_t first,
                                                std::uint16_t packet_identifier) noexcept {
  return {first, 2, static_cast<std::uint8_t>(packet_identifier >> 8),
          static_cast<std::uint8_t>(packet_identifier)};
}

// A variable byte integer (section 1.5.5 of MQTT 5).
struct VariableByteInteger {
  enum class State : std::uint8_t { kComplete, kShort, kMalformed };
  State state = State::kShort;
  std::uint32_t value = 0;
  std::size_t length = 0;
};

inline VariableByteInteger read_variable_byte_integer(Bytes bytes) noexcept {
  VariableByteInteger result;
  std::uint32_t shift = 0;
  for (std::size_t i = 0; i < 4; ++i, shift += 7) {
    if (i == bytes.size()) return result;
    result.value |= static_cast<std::uint32_t>(bytes[i] & 0x7f) << shift;
    if ((bytes[i] & 0x80) == 0) {
      result.length = i + 1;
      // The encoding must use the fewest bytes that hold the value [MQTT-1.5.5-1].
      const bool padded = i > 0 && bytes[i] == 0;
      result.state =
          padded ? VariableByteInteger::State::kMalformed : VariableByteInteger::State::kComplete;
      return result;
    }
  }
  result.state = VariableByteInteger::State::kMalformed;
  return result;
}

template <typename Buffer>
void append_variable_byte_integer(Buffer& to, std::size_t value) {
  do {
    const std::uint8_t byte[] = {
        static_cast<std::uint8_t>((value & 0x7f) | (value > 0x7f ? 0x80 : 0))};
    to.append(byte);
    value >>= 7;
  } while (value > 0);
}

// One whole packet as it arrived: `bytes` spans the fixed header too, `body` what follows it.
struct Packet {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  Bytes bytes;
  Bytes body;
};

// What a server sent and may not send: the MQTT 5 reason code that names it, and a sentence.
struct Violation {
  std::uint8_t reason = 0;
  const char* text = nullptr;
  explicit operator bool() const noexcept { return text != nullptr; }
};

constexpr Violation malformed(const char* text) { return {reason::kMalformedPacket, text}; }
constexpr Violation protocol_error(const char* text) { return {reason::kProtocolError, text}; }

}  // namespace aiomqtt
