// Enhanced authentication of one connection (MQTT 5 section 4.12): which method was agreed upon,
// and whose turn it is to send AUTH.
//
// Thread-safe: the I/O thread says what arrives, the API thread what JavaScript sends.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "mqtt/inbound_packets.h"
#include "mqtt/wire.h"

namespace aiomqtt {

class Authentication {
 public:
  // `connect`: what CONNECT says; without an Authentication Method there is no authentication.
  explicit Authentication(const PropertyValues& connect);

  // AUTH came.
  [[nodiscard]] Violation receive(const Auth& auth);
  // A CONNACK came that accepts the connection.
  [[nodiscard]] Violation accept(const Connack& connack);
  // True when AUTH with this reason code may be sent now, after which it is the server's turn.
  [[nodiscard]] bool send(std::uint8_t code);

 private:
  enum class Turn : std::uint8_t { kServers, kOurs, kNobodys };

  [[nodiscard]] bool is_agreed(Bytes method) const noexcept;

  const std::optional<std::string> method_;
  std::mutex mutex_;
  bool accepted_ = false;
  Turn turn_ = Turn::kServers;
};

}  // namespace aiomqtt
