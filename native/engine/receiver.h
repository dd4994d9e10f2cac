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

// QoS 2 messages that the server does not release take more than there can be room for.
inline constexpr Violation kTooManyUnreleased{
    reason::kQuotaExceeded,
    "the server does not release its QoS 2 messages, and they take more "
    "than may be queued (maxQueuedIncomingBytes)"};

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

  // What a packet needs room for.
  struct Demand {
    // The message that it delivers, or would; nothing if it delivers none.
    std::optional<std::uint64_t> delivered;
    // All that waits for its PUBREL afterwards.
    std::uint64_t unreleased = 0;
  };
  [[nodiscard]] Demand demand_of(const Publish& publish) const;
  [[nodiscard]] Demand demand_of(const Ack& pubrel) const;
  // Of a message of which no more is known yet than that it has at least so many bytes.
  [[nodiscard]] Demand demand_of(int qos, std::uint64_t size) const;
  // Messages, and bytes of them, that were delivered so far.
  struct Delivered {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Delivered delivered() const noexcept { return delivered_; }
  // Bytes of the messages that wait for their PUBREL.
  [[nodiscard]] std::uint64_t unreleased_bytes() const noexcept { return unreleased_bytes_; }
  // Bytes of the topics that the server gave an alias.
  [[nodiscard]] std::uint64_t alias_bytes() const noexcept { return alias_bytes_; }

  // The `acks` of a burst have left: the broker may hear of them from now on.
  void acks_left() noexcept { qos1_unacknowledged_ = 0; }

  // The broker has no session: QoS 2 messages that wait for a PUBREL of the last one are void.
  void forget_session();

  // Messages that wait for their PUBREL, for a later connection of the same session. They are
  // moved, not copied: the receiver has none afterwards.
  void save(RawBuffer& to);
  // Takes what save() wrote; ignores what is cut short.
  void restore(Bytes from);

 private:
  // Of a server that names so many bytes of topics, more are not remembered.
  static constexpr std::uint64_t kMostAliasBytes = 16 * 1024 * 1024;

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
  std::uint64_t alias_bytes_ = 0;
  Delivered delivered_;
};

}  // namespace aiomqtt
