#include "engine/receiver.h"

#include <cstring>
#include <new>
#include <utility>

#include "mqtt/utf8.h"

namespace aiomqtt {
namespace {

constexpr Violation kInvalidTopic{reason::kMalformedPacket, "PUBLISH has an invalid topic name"};
constexpr Violation kTooManyAliases{reason::kQuotaExceeded,
                                    "the server's topic aliases take more than 16 MiB"};
constexpr Violation kTooMany{reason::kReceiveMaximumExceeded,
                             "the server exceeded our Receive Maximum"};

// What stands before a saved message: its packet identifier and flags, and three lengths.
constexpr std::size_t kSavedHead = 16;

// The flags of a MESSAGE record.
std::uint32_t message_flags(const Publish& publish) noexcept {
  return static_cast<std::uint32_t>(publish.qos) | (publish.retain ? message::kRetain : 0U) |
         (publish.dup ? message::kDup : 0U);
}

std::string string_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void append_ack(RawBuffer& acks, std::uint8_t type, std::uint16_t packet_identifier) {
  acks.append(short_packet(static_cast<std::uint8_t>(type << 4), packet_identifier));
}

void put_u32(RawBuffer& to, std::uint32_t value) {
  std::uint8_t bytes[4];
  std::memcpy(bytes, &value, 4);
  to.append(bytes);
}

}  // namespace

Violation Receiver::on_publish(Publish publish, Inbox::Writer& writer, RawBuffer& acks) {
  if (publish.topic_alias != 0) {
    if (const Violation violation = resolve_alias(publish)) return violation;
  }
  if (publish.qos > 0 && held_ != nullptr) return hold(publish, writer, acks);
  if (publish.qos == 2) return store(publish, acks);
  if (publish.qos == 1 && ++qos1_unacknowledged_ + qos2_unfinished_ > most_) return kTooMany;
  if (const Violation v = deliver(message_flags(publish), publish, writer)) return v;
  if (publish.qos == 1) {
    append_ack(acks, packet::kPuback, publish.packet_identifier);
  }
  return {};
}

Receiver::Demand Receiver::demand_of(const Publish& publish) const {
  std::uint64_t topic = publish.topic.size();
  if (topic == 0 && publish.topic_alias < aliases_.size())
    topic = aliases_[publish.topic_alias].size();
  const std::uint64_t size = topic + publish.properties.size() + publish.payload.size();
  const Demand demand = demand_of(publish.qos, size);
  if (demand.delivered) return demand;
  const auto found = stored_.find(publish.packet_identifier);
  if (found == stored_.end()) return demand;
  if (publish.dup) return {std::nullopt, unreleased_bytes_};
  return {std::nullopt, demand.unreleased - found->second.size()};
}

Receiver::Demand Receiver::demand_of(const Ack& pubrel) const {
  const auto found = stored_.find(pubrel.packet_identifier);
  if (held_ != nullptr || found == stored_.end()) return {std::nullopt, unreleased_bytes_};
  const std::uint64_t size = found->second.size();
  return {size, unreleased_bytes_ - size};
}

Receiver::Demand Receiver::demand_of(int qos, std::uint64_t size) const {
  if (qos == 2 && held_ == nullptr) return {std::nullopt, unreleased_bytes_ + size};
  return {size, unreleased_bytes_};
}

Violation Receiver::store(const Publish& publish, RawBuffer& acks) {
  const auto [at, is_new] = stored_.try_emplace(publish.packet_identifier);
  Stored& stored = at->second;
  // What comes again has DUP [MQTT-3.3.1-1]: without it the broker has begun anew with the
  // identifier and will never release what had it.
  if (is_new || !publish.dup) {
    if (!is_topic_name(publish.topic)) return kInvalidTopic;
    unreleased_bytes_ -= stored.size();
    // A message delivered at PUBREL is delivered once, whatever DUP says.
    stored.flags = message_flags(publish) & ~message::kDup;
    stored.topic = string_of(publish.topic);
    stored.properties = string_of(publish.properties);
    stored.payload = string_of(publish.payload);
    unreleased_bytes_ += stored.size();
    if (unreleased_bytes_ > most_unreleased_) return kTooManyUnreleased;
  }
  if (!stored.counts) {
    stored.counts = true;
    if (qos1_unacknowledged_ + ++qos2_unfinished_ > most_) return kTooMany;
  }
  append_ack(acks, packet::kPubrec, publish.packet_identifier);
  return {};
}

Violation Receiver::hold(const Publish& publish, Inbox::Writer& writer, RawBuffer& acks) {
  switch (held_->arrive(publish.packet_identifier, publish.qos, publish.dup)) {
    case HeldMessages::Arrival::kNew:
      return deliver(message_flags(publish), publish, writer);
    case HeldMessages::Arrival::kDelivered:
      return {};
    case HeldMessages::Arrival::kAcknowledged:
      append_ack(acks, packet::kPubrec, publish.packet_identifier);
      return {};
    case HeldMessages::Arrival::kInUse:
      return {reason::kProtocolError, "PUBLISH has a packet identifier that is in use"};
    case HeldMessages::Arrival::kTooMany:
      break;
  }
  return kTooMany;
}

Violation Receiver::on_pubrel(const Ack& pubrel, Inbox::Writer& writer, RawBuffer& acks) {
  if (held_ != nullptr) {
    switch (held_->release(pubrel.packet_identifier)) {
      case HeldMessages::Release::kReleased:
        writer.append(make_record(event::kReleased, connection_, pubrel.packet_identifier));
        break;
      case HeldMessages::Release::kTooEarly:
        return {reason::kProtocolError, "PUBREL came before PUBREC was sent"};
      case HeldMessages::Release::kUnknown:
        break;
    }
  } else if (const auto found = stored_.find(pubrel.packet_identifier); found != stored_.end()) {
    const Stored& stored = found->second;
    Publish publish;
    publish.packet_identifier = pubrel.packet_identifier;
    publish.topic = bytes_of(stored.topic);
    publish.properties = bytes_of(stored.properties);
    publish.payload = bytes_of(stored.payload);
    if (const Violation violation = deliver(stored.flags, publish, writer)) return violation;
    if (stored.counts) --qos2_unfinished_;
    unreleased_bytes_ -= stored.size();
    stored_.erase(found);
  }
  // An unknown identifier is completed all the same: the broker must be able to let go of it.
  append_ack(acks, packet::kPubcomp, pubrel.packet_identifier);
  return {};
}

void Receiver::forget_session() {
  stored_.clear();
  unreleased_bytes_ = 0;
  if (held_ != nullptr) held_->forget();
}

Violation Receiver::resolve_alias(Publish& publish) {
  if (publish.topic_alias > own_.topic_alias_maximum) {
    return {reason::kTopicAliasInvalid, "PUBLISH has a topic alias above our Topic Alias Maximum"};
  }
  if (aliases_.empty()) aliases_.resize(std::size_t{own_.topic_alias_maximum} + 1);
  std::string& topic = aliases_[publish.topic_alias];
  if (!publish.topic.empty()) {
    if (!is_topic_name(publish.topic)) return kInvalidTopic;
    alias_bytes_ += publish.topic.size() - topic.size();
    if (alias_bytes_ > kMostAliasBytes) return kTooManyAliases;
    topic = string_of(publish.topic);
  } else if (topic.empty()) {
    return {reason::kProtocolError, "PUBLISH uses a topic alias that was never set"};
  }
  publish.topic = bytes_of(topic);
  return {};
}

Violation Receiver::deliver(std::uint32_t flags, const Publish& publish, Inbox::Writer& writer) {
  const Bytes topic = publish.topic;
  const Bytes properties = publish.properties;
  const Bytes payload = publish.payload;
  ++delivered_.messages;
  delivered_.bytes += topic.size() + properties.size() + payload.size();
  TopicTable::Result found;
  if (!writer.topics().look_up(topic, is_topic_name, found)) return kInvalidTopic;
  if (found.found == TopicTable::Found::kDefine) {
    try {
      writer.append(make_record(event::kTopic, connection_, found.number, topic.size()), topic);
    } catch (const std::bad_alloc&) {
      // No number may be in use of which JavaScript has not heard.
      writer.topics().clear();
      throw;
    }
  }
  const bool is_inline = found.found == TopicTable::Found::kInline;
  Record record = make_record(event::kMessage | flags << 8, connection_, found.number,
                              is_inline ? topic.size() : 0);
  record[message::kPropertiesLength] = static_cast<std::uint32_t>(properties.size());
  record[message::kPayloadLength] = static_cast<std::uint32_t>(payload.size());
  record[message::kIdentifier] = publish.packet_identifier;
  if (publish.whole != nullptr && !is_inline && payload.size() >= Inbox::kLentFrom) {
    // On the wire the payload follows the properties, as in a record.
    const auto offset = payload.data() - properties.size() - publish.whole->data();
    writer.append_whole(record, std::move(*publish.whole), static_cast<std::size_t>(offset));
  } else {
    writer.append(record, is_inline ? topic : Bytes(), properties, payload);
  }
  return {};
}

void Receiver::save(RawBuffer& to) {
  if (held_ != nullptr) {
    held_->save(to);
    return;
  }
  to.reserve(to.size() + stored_.size() * kSavedHead + unreleased_bytes_);
  while (!stored_.empty()) {
    // Freed one by one, so that what is saved is never there twice.
    const auto message = stored_.extract(stored_.begin());
    const Stored& stored = message.mapped();
    put_u32(to, static_cast<std::uint32_t>(message.key()) | stored.flags << 16);
    for (const std::string* part : {&stored.topic, &stored.properties, &stored.payload}) {
      put_u32(to, static_cast<std::uint32_t>(part->size()));
    }
    for (const std::string* part : {&stored.topic, &stored.properties, &stored.payload}) {
      to.append(bytes_of(*part));
    }
  }
  unreleased_bytes_ = 0;
}

void Receiver::restore(Bytes from) {
  if (held_ != nullptr) {
    held_->restore(from);
    return;
  }
  while (from.size() >= kSavedHead) {
    std::uint32_t head[4];
    std::memcpy(head, from.data(), kSavedHead);
    const std::size_t sizes[] = {head[1], head[2], head[3]};
    const std::size_t total = sizes[0] + sizes[1] + sizes[2];
    from = from.subspan(kSavedHead);
    if (from.size() < total) return;
    const auto [at, is_new] =
        stored_.emplace(static_cast<std::uint16_t>(head[0]),
                        Stored{false, head[0] >> 16, string_of(from.first(sizes[0])),
                               string_of(from.subspan(sizes[0], sizes[1])),
                               string_of(from.subspan(sizes[0] + sizes[1], sizes[2]))});
    if (is_new) unreleased_bytes_ += at->second.size();
    from = from.subspan(total);
  }
}

}  // namespace aiomqtt
