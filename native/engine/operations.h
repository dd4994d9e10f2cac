// What a connection has asked the broker and not been answered: packet identifiers, and the
// operation behind each. Paho is told nothing that this table does not expect.
//
// Thread-safe: the API thread begins operations, the I/O thread routes their acknowledgements.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "mqtt/inbound_packets.h"
#include "mqtt/wire.h"

namespace aiomqtt {

struct Operation {
  // kRelease: the second half of a QoS 2 publish of an older connection, of which Paho knows
  // nothing.
  enum class Kind : std::uint8_t { kPublishQos1, kPublishQos2, kSubscribe, kUnsubscribe, kRelease };
  Kind kind = Kind::kPublishQos1;
  std::uint32_t number = 0;              // JavaScript's
  std::uint16_t filters = 0;             // of a SUBSCRIBE or UNSUBSCRIBE
  bool chosen = false;                   // JavaScript chose the packet identifier
  bool received = false;                 // a QoS 2 PUBLISH after its PUBREC
  bool abandoned = false;                // nobody waits for it any longer
  bool held = false;                     // its PUBREC is not Paho's until JavaScript says so
  std::uint8_t code = 0;                 // what the broker answered
  std::vector<std::uint8_t> codes;       // one for each filter
  std::vector<std::uint8_t> properties;  // what the broker said beside a code that is a failure

  void note_answer(const Ack& ack);
  [[nodiscard]] bool is_publish() const noexcept {
    return kind == Kind::kPublishQos1 || kind == Kind::kPublishQos2;
  }
};

class Operations {
 public:
  // `holds`: the PUBREC of a publish whose packet identifier JavaScript chose waits for release().
  explicit Operations(std::uint16_t last_packet_identifier, bool holds = false) noexcept
      : holds_(holds), last_(last_packet_identifier) {}

  // The packet identifier that it gets: `chosen`, or without one (0) the next that is not in use. 0
  // if that or all are in use.
  [[nodiscard]] std::uint16_t begin(Operation operation, std::uint16_t chosen = 0);
  // Nobody waits any longer for the operation that JavaScript calls `number`. False unless it is a
  // publish that was not abandoned before.
  [[nodiscard]] bool abandon(std::uint32_t number);
  // Takes an operation whose flow is over; nothing if there is none.
  [[nodiscard]] std::optional<Operation> finish(std::uint16_t packet_identifier);

  enum class Route : std::uint8_t {
    kPaho,
    kReceived,  // kPaho, and JavaScript is told that `operation` was received
    kHeld,      // JavaScript is told, and Paho when release() says so
    kFinished,  // `operation` is over, and Paho knows nothing of it
    kLowered,   // PUBACK for QoS 2, from a broker that has lowered it: Paho is to be told that all
                // of its flow is over
    kDrop,
    kAnswerPubrel,  // nobody here waits for this PUBREC any more, and the broker needs a PUBREL to
                    // let go of it (MQTT 5 section 4.3.3)
    kViolation
  };
  // What to do with a PUBACK, PUBREC or PUBCOMP. One that does not fit what was sent with its
  // packet identifier is a violation; one for which there is nothing is absorbed, as it may be
  // late.
  [[nodiscard]] Route route(std::uint8_t type, const Ack& ack, std::uint32_t& operation,
                            Violation& violation);
  // What to do with a SUBACK or UNSUBACK.
  [[nodiscard]] Route route(std::uint8_t type, const SubscriptionAck& ack, int version,
                            Violation& violation);

  // The reason code of the PUBREC that was held, which is Paho's now; nothing if none was.
  [[nodiscard]] std::optional<std::uint8_t> release(std::uint16_t packet_identifier,
                                                    std::uint32_t operation);

  [[nodiscard]] std::uint16_t last_packet_identifier() const;

 private:
  void note_begun_locked(std::uint16_t packet_identifier, std::uint32_t number);

  const bool holds_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint16_t, Operation> pending_;
  // Packet identifiers by JavaScript's numbers, once one was asked for.
  std::optional<std::unordered_map<std::uint32_t, std::uint16_t>> by_number_;
  std::uint16_t last_;
};

}  // namespace aiomqtt
