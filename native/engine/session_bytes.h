// The bytes of a SESSION event, which the session's next connection begins with: a word with the
// last packet identifier, then what the receiver keeps (Receiver::save()).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

inline constexpr std::size_t kSessionHead = 4;

[[nodiscard]] inline std::uint16_t saved_packet_identifier(
    const std::vector<std::uint8_t>& session) noexcept {
  if (session.size() < kSessionHead) return 0;
  std::uint32_t value = 0;
  std::memcpy(&value, session.data(), sizeof value);
  return static_cast<std::uint16_t>(value);
}

[[nodiscard]] inline Bytes saved_by_receiver(const std::vector<std::uint8_t>& session) noexcept {
  return session.size() < kSessionHead ? Bytes() : Bytes(session).subspan(kSessionHead);
}

[[nodiscard]] inline RawBuffer begin_session(std::uint32_t last_packet_identifier) {
  RawBuffer session;
  session.append({reinterpret_cast<const std::uint8_t*>(&last_packet_identifier), kSessionHead});
  return session;
}

}  // namespace aiomqtt
