// The receiving side of MQTT's three qualities of service (MQTT 5 section 4.3): messages go to the
// inbox, acknowledgements to `acks`. QoS 2 is delivered at PUBREL. Where JavaScript acknowledges
// (HeldMessages) both are delivered at once, and only PUBCOMP is ours. I/O thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/held_messages.h"
#include "engine/inbox.h"
#include "mqtt/inbound_packets.h"
#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

class Receiver {
 public:
  // `own`: what we announced in CONNECT. `held`: null unless JavaScript acknowledges.
  // `most_unreleased`: bytes of QoS 2 messages that wait for their PUBREL, 0 for any number.
  Receiver(std::uint32_t connection, int version, const PropertyValues& own, HeldMessages* held,
           std::uint64_t most_unreleased = 0)
      : connection_(connection),
        most_unreleased_(most_unreleased == 0 ? UINT64_MAX : most_unreleased),
        most_(version == kMqtt5 ? own.receive_maximum : UINT32_MAX),
        own_(own),
        held_(held) {}

  [[nodiscard]] Violation on_publish(Publish publish, Inbox::Writer& writer, RawBuffer& acks);
  [[nodiscard]] Violation on_pubrel(const Ack& pubrel, Inbox::Writer& writer, RawBuffer& acks);

  // How large the message is that this packet will deliver, or would; nothing if it delivers none.
  [[nodiscard]] std::optional<std::uint64_t> size_delivered_by(const Publish& publish) const;
  [[nodiscard]] std::optional<std::uint64_t> size_delivered_by(const Ack& pubrel) const;
  // Messages, and bytes of them, that were delivered so far.
  struct Delivered {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Delivered delivered() const noexcept { return delivered_; }
  // Bytes of the messages that wait for their PUBREL.
  [[nodiscard]] std::uint64_t unreleased_bytes() const noexcept { return unreleased_bytes_; }

  // The `acks` of a burst have left: the broker may hear of them from now on.
  void acks_left() noexcept { qos1_unacknowledged_ = 0; }

  // The broker has no session: QoS 2 messages that wait for a PUBREL of the last one are void.
  void forget_session();

  // Messages that wait for their PUBREL, for a later connection of the same session.
  void save(RawBuffer& to) const;
  // Takes what save() wrote; ignores what is cut short.
  void restore(Bytes from);

 private:
  // A QoS 2 message that waits for its PUBREL.
  struct Stored {
    bool counts = false;  // for the Receive Maximum, which each connection begins anew
    std::uint32_t flags = 0;
    std::string topic;
    std::string properties;
    std::string payload;

    [[nodiscard]] std::uint64_t size() const noexcept {
      return topic.size() + properties.size() + payload.size();
    }
  };

  [[nodiscard]] Violation store(const Publish& publish, RawBuffer& acks);
  [[nodiscard]] Violation hold(const Publish& publish, Inbox::Writer& writer, RawBuffer& acks);
  [[nodiscard]] Violation resolve_alias(Publish& publish);
  [[nodiscard]] Violation deliver(std::uint32_t flags, const Publish& publish,
                                  Inbox::Writer& writer);

  const std::uint32_t connection_;
  const std::uint64_t most_unreleased_;
  const std::uint32_t most_;  // unacknowledged at once: our Receive Maximum, which MQTT 3 has not
  const PropertyValues own_;
  HeldMessages* const held_;
  std::vector<std::string> aliases_;
  std::unordered_map<std::uint16_t, Stored> stored_;
  std::uint32_t qos1_unacknowledged_ = 0;
  std::uint32_t qos2_unfinished_ = 0;
  std::uint64_t unreleased_bytes_ = 0;
  Delivered delivered_;
};

}  // namespace aiomqtt
