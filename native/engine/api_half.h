// A connection's half on the API thread: Paho's handle, and what JavaScript submits.
//
// API thread only, without a lock of its own. What the I/O thread has of it goes through
// ConnectionState.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/connection_state.h"
#include "engine/outbound.h"

namespace aiomqtt {

class ApiHalf {
 public:
  ApiHalf(ConnectionState& state, ConnectFields fields, std::uint16_t topic_aliases) noexcept;

  // The stream is up: Paho sends CONNECT, and `listener` hears what becomes of it.
  int establish(PahoListener& listener);
  [[nodiscard]] bool takes_commands() const noexcept;

  // A PUBREC that was held and is Paho's now.
  struct HeldPubrec {
    std::uint16_t packet_identifier = 0;
    std::uint8_t code = 0;
  };
  // What a command leaves for the thread to do.
  struct Submitted {
    bool must_flush = false;
    std::optional<HeldPubrec> held_pubrec;
  };
  // All commands but CLOSE. Appends to `done` what is over already.
  [[nodiscard]] Submitted submit(CommandView command, const SharedBuffer& payload,
                                 std::vector<Outbound::Done>& done);
  // Sends what may be sent now of what waited. False: there may be more, once Paho has worked.
  [[nodiscard]] bool feed(std::vector<Outbound::Done>& done) { return outbound_.feed(done); }

  // DISCONNECT with a reason, which Paho has no way to send; nothing more is sent after it.
  // `properties`: with their length prefix, or none at all.
  void disconnect(std::uint8_t reason, Bytes properties);
  // Paho sends DISCONNECT, if the connection was accepted, and lets go. Paho must not be in the
  // middle of a packet.
  void release() noexcept;

  // What Paho asks while it is handed something, and while it writes that (paho/hooks.h).
  [[nodiscard]] std::uint16_t assign_packet_identifier() {
    return outbound_.assign_packet_identifier();
  }
  [[nodiscard]] bool take_repeated(const PahoPacket& packet) noexcept {
    return outbound_.take_repeated(packet);
  }
  [[nodiscard]] std::uint32_t take_departing(const PahoPacket& packet) noexcept {
    return outbound_.take_departing(packet);
  }

 private:
  [[nodiscard]] Submitted submit_release(CommandView command, std::vector<Outbound::Done>& done);
  [[nodiscard]] bool submit_acknowledgement(CommandView command);
  [[nodiscard]] bool submit_auth(CommandView command);
  // True: must be flushed.
  [[nodiscard]] bool write(std::uint8_t first, std::uint16_t packet_identifier);

  ConnectionState& state_;
  const ConnectFields fields_;
  Outbound outbound_;
};

}  // namespace aiomqtt
