#include "engine/operations.h"

#include <algorithm>
#include <utility>

namespace aiomqtt {
namespace {
constexpr std::uint16_t kMostIdentifiers = 65535;

bool is_failure(std::uint8_t code) noexcept { return code >= 0x80; }

// An acknowledgement whose packet identifier is that of something else.
const char* does_not_fit(std::uint8_t type) noexcept {
  switch (type) {
    case packet::kPuback:
      return "PUBACK answers what is no publish of QoS 1";
    case packet::kPubrec:
      return "PUBREC answers what is no publish of QoS 2";
    case packet::kPubcomp:
      return "PUBCOMP answers what is no PUBREL";
    case packet::kSuback:
      return "SUBACK answers what is no SUBSCRIBE";
    default:
      return "UNSUBACK answers what is no UNSUBSCRIBE";
  }
}

}  // namespace

void Operation::note_answer(const Ack& ack) {
  code = ack.code;
  if (is_failure(code)) properties.assign(ack.properties.begin(), ack.properties.end());
}

std::uint16_t Operations::begin(Operation operation, std::uint16_t chosen) {
  const std::lock_guard lock(mutex_);
  if (chosen != 0) {
    operation.chosen = true;
    const std::uint32_t number = operation.number;
    if (!pending_.emplace(chosen, std::move(operation)).second) return 0;
    note_begun_locked(chosen, number);
    last_ = chosen;
    return chosen;
  }
  if (pending_.size() == kMostIdentifiers) return 0;
  do {
    last_ = last_ == kMostIdentifiers ? std::uint16_t{1} : static_cast<std::uint16_t>(last_ + 1);
  } while (pending_.contains(last_));
  note_begun_locked(last_, operation.number);
  pending_.emplace(last_, std::move(operation));
  return last_;
}

void Operations::note_begun_locked(std::uint16_t packet_identifier, std::uint32_t number) {
  if (by_number_) by_number_->emplace(number, packet_identifier);
}

std::optional<Operation> Operations::finish(std::uint16_t packet_identifier) {
  const std::lock_guard lock(mutex_);
  auto node = pending_.extract(packet_identifier);
  if (node.empty()) return std::nullopt;
  if (by_number_) by_number_->erase(node.mapped().number);
  return std::move(node.mapped());
}

bool Operations::abandon(std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  if (!by_number_) {
    by_number_.emplace();
    for (const auto& [packet_identifier, operation] : pending_) {
      by_number_->emplace(operation.number, packet_identifier);
    }
  }
  const auto found = by_number_->find(number);
  if (found == by_number_->end()) return false;
  Operation& operation = pending_.at(found->second);
  return operation.is_publish() && !std::exchange(operation.abandoned, true);
}

Operations::Route Operations::route(std::uint8_t type, const Ack& ack, std::uint32_t& number,
                                    Violation& violation) {
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(ack.packet_identifier);
  if (found == pending_.end()) {
    return type == packet::kPubrec && ack.code < 0x80 ? Route::kAnswerPubrel : Route::kDrop;
  }
  Operation& operation = found->second;
  const bool is_qos2 = operation.kind == Operation::Kind::kPublishQos2;
  const bool is_release = operation.kind == Operation::Kind::kRelease;
  if (type == packet::kPuback && operation.kind == Operation::Kind::kPublishQos1) {
    operation.note_answer(ack);
    return Route::kPaho;
  }
  if (type == packet::kPuback && is_qos2 && !operation.received) {
    operation.received = true;
    operation.note_answer(ack);
    return Route::kLowered;
  }
  // A second PUBREC of the same flow.
  if (type == packet::kPubrec && (is_release || (is_qos2 && operation.received))) {
    return operation.held || ack.code >= 0x80 ? Route::kDrop : Route::kAnswerPubrel;
  }
  if (type == packet::kPubrec && is_qos2) {
    operation.received = true;
    operation.note_answer(ack);
    if (!operation.chosen || ack.code >= 0x80) return Route::kPaho;
    number = operation.number;
    operation.held = holds_;
    return holds_ ? Route::kHeld : Route::kReceived;
  }
  if (type == packet::kPubcomp && is_release) {
    number = operation.number;
    if (by_number_) by_number_->erase(number);
    pending_.erase(found);
    return Route::kFinished;
  }
  if (type == packet::kPubcomp && is_qos2 && operation.received && !operation.held) {
    operation.note_answer(ack);
    return Route::kPaho;
  }
  violation = {reason::kProtocolError, does_not_fit(type)};
  return Route::kViolation;
}

Operations::Route Operations::route(std::uint8_t type, const SubscriptionAck& ack, int version,
                                    Violation& violation) {
  const auto kind =
      type == packet::kSuback ? Operation::Kind::kSubscribe : Operation::Kind::kUnsubscribe;
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(ack.packet_identifier);
  if (found == pending_.end()) return Route::kDrop;
  Operation& operation = found->second;
  if (operation.kind != kind) {
    violation = {reason::kProtocolError, does_not_fit(type)};
    return Route::kViolation;
  }
  const bool has_codes = type == packet::kSuback || version == kMqtt5;
  if (has_codes && ack.codes.size() != operation.filters) {
    violation = {reason::kProtocolError, type == packet::kSuback
                                             ? "SUBACK has the wrong number of return codes"
                                             : "UNSUBACK has the wrong number of reason codes"};
    return Route::kViolation;
  }
  operation.codes.assign(ack.codes.begin(), ack.codes.end());
  if (std::ranges::any_of(ack.codes, is_failure)) {
    operation.properties.assign(ack.properties.begin(), ack.properties.end());
  }
  return Route::kPaho;
}

std::optional<std::uint8_t> Operations::release(std::uint16_t packet_identifier,
                                                std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(packet_identifier);
  if (found == pending_.end() || !found->second.held || found->second.number != number) {
    return std::nullopt;
  }
  found->second.held = false;
  return found->second.code;
}

std::uint16_t Operations::last_packet_identifier() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace aiomqtt
