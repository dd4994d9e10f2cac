// QoS 1 and 2 messages that JavaScript acknowledges itself: which are delivered, which QoS 2 ones
// were acknowledged and wait for their PUBREL, and so what a PUBLISH, an acknowledgement or a
// PUBREL means (MQTT 5 section 4.3).
//
// Thread-safe: the I/O thread says what arrives, the API thread what JavaScript acknowledges.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

class HeldMessages {
 public:
  // `most`: unacknowledged ones at once, our Receive Maximum.
  explicit HeldMessages(std::uint32_t most) noexcept : most_(most) {}

  enum class Arrival : std::uint8_t {
    kNew,
    kDelivered,     // on this connection, and not yet acknowledged
    kAcknowledged,  // QoS 2: PUBREC was sent, PUBREL has not come
    kInUse,         // the identifier is another message's
    kTooMany
  };
  [[nodiscard]] Arrival arrive(std::uint16_t packet_identifier, int qos, bool dup);
  // True when PUBACK or PUBREC must be sent: it was delivered on this connection, once.
  [[nodiscard]] bool acknowledge(std::uint16_t packet_identifier, int qos);
  enum class Release : std::uint8_t { kReleased, kUnknown, kTooEarly };
  // PUBREL came.
  [[nodiscard]] Release release(std::uint16_t packet_identifier);

  // The broker has no session.
  void forget();
  // The identifiers that wait for their PUBREL, a word each.
  void save(RawBuffer& to) const;
  // Takes what save() wrote; ignores what is cut short.
  void restore(Bytes from);

 private:
  struct Held {
    int qos = 0;
    bool acknowledged = false;
    bool counts = false;  // for the Receive Maximum, which each connection begins anew
  };

  [[nodiscard]] bool count(Held& held) noexcept;
  void erase(std::unordered_map<std::uint16_t, Held>::iterator at);

  const std::uint32_t most_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint16_t, Held> held_;
  std::uint32_t counted_ = 0;
};

}  // namespace aiomqtt
