// The receiving side of MQTT's three qualities of service (MQTT 5 section 4.3): messages go to the
// inbox, acknowledgements to `acks`. QoS 2 is delivered at PUBREL. I/O thread only.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/inbound_packets.h"
#include "engine/inbox.h"
#include "engine/raw_buffer.h"
#include "engine/wire.h"

namespace aiomqtt {

class Receiver {
 public:
  // `own`: what we announced in CONNECT.
  Receiver(std::uint32_t connection, int version, const PropertyValues& own)
      : connection_(connection), version_(version), own_(own) {}

  [[nodiscard]] Violation on_publish(Publish publish, Inbox::Writer& writer, RawBuffer& acks);
  [[nodiscard]] Violation on_pubrel(const Ack& pubrel, Inbox::Writer& writer, RawBuffer& acks);

  // The broker has no session: QoS 2 messages that wait for a PUBREL of the last one are void.
  void forget_session() { stored_.clear(); }

  // Messages that wait for their PUBREL, for a later connection of the same session.
  void save(RawBuffer& to) const;
  // Takes what save() wrote; ignores what is cut short.
  void restore(Bytes from);

 private:
  struct Stored {
    std::uint32_t flags = 0;
    std::string topic;
    std::string properties;
    std::string payload;
  };

  [[nodiscard]] Violation resolve_alias(Publish& publish);
  [[nodiscard]] Violation deliver(std::uint32_t flags, const Publish& publish,
                                  Inbox::Writer& writer) const;

  const std::uint32_t connection_;
  const int version_;
  const PropertyValues own_;
  std::vector<std::string> aliases_;
  std::unordered_map<std::uint16_t, Stored> stored_;
};

}  // namespace aiomqtt
