#include "engine/outbound.h"

#include <algorithm>
#include <cstring>

#include "mqtt/properties.h"

namespace aiomqtt {
namespace {

// The most that a PUBLISH has beside its topic, its properties and its payload: the fixed header,
// two lengths, a packet identifier, and a new alias.
constexpr std::size_t kMostBesideContent =
    kLongestFixedHeader + 2 + 4 + 2 + TopicAliases::kPropertySize;

// So many bytes are fed before Paho works on them: until it has, the stream does not look
// congested.
constexpr std::size_t kFedAtOnce = 256 * 1024;

bool is_acknowledged_publish(CommandView command) noexcept {
  return command.kind() == command::kPublish && (command.flags() & message::kQos) != 0;
}

}  // namespace

std::uint32_t CommandView::word(std::size_t i) const noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes_.data() + 4 * i, 4);
  return value;
}

Outbound::Outbound(Operations& operations, Output& output, PublishLimits& limits,
                   std::uint16_t topic_aliases) noexcept
    : operations_(operations), output_(output), limits_(limits), aliases_(topic_aliases) {}

void Outbound::submit(CommandView command, const SharedBuffer& payload, std::vector<Done>& done) {
  if (command.kind() == command::kCancel) {
    withdraw(command.operation(), done);
  } else if (!for_stream_.empty()) {
    keep(for_stream_, command, payload);
  } else if (output_.congested()) {
    keep(for_stream_, command, payload);
    // The stream may have emptied just before, when nothing was seen to wait for it.
    if (!output_.congested()) send(take(for_stream_), done);
  } else {
    send(command, payload, done);
  }
}

bool Outbound::feed(std::vector<Done>& done) {
  std::size_t fed = 0;
  while (!output_.congested()) {
    if (fed >= kFedAtOnce) return false;
    if (!for_window_.empty() && !limits_.window_is_full()) {
      const WaitingCommands::Waiting next = take(for_window_);
      fed += next.size();
      send_publish(next, done);
    } else if (!for_stream_.empty()) {
      const WaitingCommands::Waiting next = take(for_stream_);
      fed += next.size();
      send(next, done);
    } else {
      break;
    }
  }
  return true;
}

void Outbound::stop() noexcept {
  for_stream_.clear();
  for_window_.clear();
  limits_.forget_waiting();
}

std::uint16_t Outbound::assign_packet_identifier() {
  return operations_.begin(std::move(next_operation_), next_identifier_);
}

bool Outbound::take_repeated_from(const PahoPacket& packet) noexcept {
  constexpr std::size_t kIdentifierPart = 2;
  const std::uint8_t first = packet.head[0];
  const bool has_identifier = first >> 4 == packet::kPublish && (first & 0b0110) != 0;
  if (!has_identifier || read_u16(packet.rest[kIdentifierPart].data()) != repeated_.front()) {
    return false;
  }
  repeated_.pop_front();
  return true;
}

// Paho writes what it was handed in that order, in this turn, before it is handed more.
std::uint32_t Outbound::take_departing_from(const PahoPacket& packet) noexcept {
  const std::uint8_t first = packet.head[0];
  if (first >> 4 != packet::kPublish || (first & 0b0110) != 0) return 0;
  const std::uint32_t operation = departing_.front();
  departing_.pop_front();
  return operation;
}

void Outbound::send(CommandView command, const SharedBuffer& payload, std::vector<Done>& done) {
  if (command.kind() == command::kPublish) {
    if (!is_acknowledged_publish(command)) {
      send_publish(command, payload, done);
    } else if (!for_window_.empty()) {
      keep(for_window_, command, payload);
    } else if (limits_.window_is_full()) {
      keep(for_window_, command, payload);
      // The last acknowledgement may have come just before, when nothing was seen to wait for it.
      if (!limits_.window_is_full()) send_publish(take(for_window_), done);
    } else {
      send_publish(command, payload, done);
    }
  } else {
    send_subscription(command, done);
  }
}

void Outbound::send_publish(CommandView command, const SharedBuffer& payload,
                            std::vector<Done>& done) {
  const int qos = static_cast<int>(command.flags() & message::kQos);
  const bool retain = (command.flags() & message::kRetain) != 0;
  const bool repeated = (command.flags() & message::kDup) != 0;
  const std::size_t topic_size = command.word(publish::kTopicLength);
  const std::size_t properties_size = command.word(publish::kPropertiesLength);
  const Bytes bytes = command.after(publish::kWords);
  const char* topic = reinterpret_cast<const char*>(bytes.data());
  Bytes properties = bytes.subspan(topic_size + 1, properties_size);
  TopicAliases::Choice alias;
  aliases_.allow(limits_.topic_aliases());
  if (!aliases_.is_empty()) {
    const std::size_t size = topic_size + properties_size +
                             (payload ? payload->size() : command.word(publish::kPayloadLength));
    alias = aliases_.choose({topic, topic_size},
                            size + kMostBesideContent <= limits_.maximum_packet_size());
    if (alias.alias != 0) properties = with_alias(properties, alias.alias);
    if (alias.is_known) topic = "";
  }
  if (qos > 0) {
    next_operation_ = {};
    next_operation_.kind = qos == 1 ? Operation::Kind::kPublishQos1 : Operation::Kind::kPublishQos2;
    next_operation_.number = command.operation();
    next_identifier_ = static_cast<std::uint16_t>(command.word(publish::kIdentifier));
    limits_.take_place();
  }
  const Bytes own =
      bytes.subspan(topic_size + 1 + properties_size, command.word(publish::kPayloadLength));
  const int rc = payload ? paho_.publish(topic, payload, qos, retain, properties)
                         : paho_.publish(topic, own, qos, retain, properties);
  if (rc != 0) {
    if (alias.alias != 0 && !alias.is_known) aliases_.take_back();
    if (qos > 0) limits_.give_back_place();
    done.push_back({command.operation(), refusal_code(rc)});
  } else if (qos == 0) {
    departing_.push_back(command.operation());
  } else if (repeated) {
    repeated_.push_back(next_identifier_);
  }
}

// The properties of a publish, which may be none at all, with a topic alias.
Bytes Outbound::with_alias(Bytes properties, std::uint16_t alias) {
  const Bytes own = properties.empty() ? properties : split_properties(properties).properties;
  const std::uint8_t property[] = {property::kTopicAlias, static_cast<std::uint8_t>(alias >> 8),
                                   static_cast<std::uint8_t>(alias)};
  static_assert(sizeof property == TopicAliases::kPropertySize);
  with_alias_.clear();
  append_variable_byte_integer(with_alias_, own.size() + sizeof property);
  with_alias_.append(own);
  with_alias_.append(property);
  return Bytes(with_alias_);
}

void Outbound::send_subscription(CommandView command, std::vector<Done>& done) {
  const std::size_t count = command.word(filters::kCount);
  const std::size_t properties_size = command.word(filters::kPropertiesLength);
  const Bytes bytes = command.after(filters::kWords);
  const Bytes properties = bytes.first(properties_size);
  std::vector<PahoClient::Filter> filters;
  filters.reserve(count);
  const std::uint8_t* at = bytes.data() + properties_size;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = static_cast<std::size_t>(at[1]) | static_cast<std::size_t>(at[2]) << 8;
    filters.push_back({reinterpret_cast<const char*>(at + 3), at[0]});
    at += 3 + size + 1;
  }
  const bool subscribes = command.kind() == command::kSubscribe;
  next_operation_ = {};
  next_operation_.kind = subscribes ? Operation::Kind::kSubscribe : Operation::Kind::kUnsubscribe;
  next_operation_.number = command.operation();
  next_operation_.filters = static_cast<std::uint16_t>(count);
  next_identifier_ = static_cast<std::uint16_t>(command.word(filters::kIdentifier));
  const int rc =
      subscribes ? paho_.subscribe(filters, properties) : paho_.unsubscribe(filters, properties);
  if (rc != 0) {
    done.push_back({command.operation(), refusal_code(rc)});
  }
}

void Outbound::withdraw(std::uint32_t operation, std::vector<Done>& done) {
  if (for_stream_.withdraw(operation) || for_window_.withdraw(operation)) {
    limits_.note_taken();
    done.push_back({operation, code::kWithdrawn});
  } else if (operations_.abandon(operation)) {
    limits_.abandon_place();
    const bool may_send = !for_window_.empty() && !limits_.window_is_full();
    if (may_send && !output_.congested()) send_publish(take(for_window_), done);
  }
}

void Outbound::keep(WaitingCommands& queue, CommandView command, const SharedBuffer& payload) {
  queue.put(command.operation(), command.bytes(), payload);
  limits_.note_waiting();
}

WaitingCommands::Waiting Outbound::take(WaitingCommands& queue) {
  limits_.note_taken();
  return queue.take();
}

}  // namespace aiomqtt
