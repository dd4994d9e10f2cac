// The bytes of a SESSION event, which the session's next connection begins with: a word with the
// last packet identifier, then what the receiver keeps (Receiver::save()).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/boundary.h"
#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

[[nodiscard]] inline std::uint16_t saved_packet_identifier(
    const std::vector<std::uint8_t>& session) noexcept {
  if (session.size() < session::kHead) return 0;
  std::uint32_t value = 0;
  std::memcpy(&value, session.data(), sizeof value);
  return static_cast<std::uint16_t>(value);
}

[[nodiscard]] inline Bytes saved_by_receiver(const std::vector<std::uint8_t>& session) noexcept {
  return session.size() < session::kHead ? Bytes() : Bytes(session).subspan(session::kHead);
}

[[nodiscard]] inline RawBuffer begin_session(std::uint32_t last_packet_identifier) {
  RawBuffer session;
  session.append({reinterpret_cast<const std::uint8_t*>(&last_packet_identifier), session::kHead});
  return session;
}

}  // namespace aiomqtt
