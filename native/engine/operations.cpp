#include "engine/operations.h"

namespace aiomqtt {
namespace {
constexpr std::uint16_t kMostIdentifiers = 65535;
}

std::uint16_t Operations::begin(Operation operation, std::uint16_t chosen) {
  const std::lock_guard lock(mutex_);
  if (chosen != 0) {
    operation.chosen = true;
    if (!pending_.emplace(chosen, std::move(operation)).second) return 0;
    last_ = chosen;
    return chosen;
  }
  if (pending_.size() == kMostIdentifiers) return 0;
  do {
    last_ = last_ == kMostIdentifiers ? std::uint16_t{1} : static_cast<std::uint16_t>(last_ + 1);
  } while (pending_.contains(last_));
  pending_.emplace(last_, std::move(operation));
  return last_;
}

std::optional<Operation> Operations::finish(std::uint16_t packet_identifier) {
  const std::lock_guard lock(mutex_);
  auto node = pending_.extract(packet_identifier);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

Operations::Route Operations::route(std::uint8_t type, const Ack& ack, std::uint32_t& number) {
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(ack.packet_identifier);
  Operation* const operation = found == pending_.end() ? nullptr : &found->second;
  const bool is_qos2 = operation != nullptr && operation->kind == Operation::Kind::kPublishQos2;
  switch (type) {
    case packet::kPuback:
      if (operation == nullptr || operation->kind != Operation::Kind::kPublishQos1) {
        return Route::kDrop;
      }
      operation->code = ack.code;
      return Route::kPaho;
    case packet::kPubrec:
      if (is_qos2 && operation->held) return Route::kDrop;
      if (!is_qos2 || operation->received) {
        return ack.code < 0x80 ? Route::kAnswerPubrel : Route::kDrop;
      }
      operation->received = true;
      operation->code = ack.code;
      if (!operation->chosen || ack.code >= 0x80) return Route::kPaho;
      number = operation->number;
      operation->held = holds_;
      return holds_ ? Route::kHeld : Route::kReceived;
    default:  // PUBCOMP
      if (operation != nullptr && operation->kind == Operation::Kind::kRelease) {
        number = operation->number;
        pending_.erase(found);
        return Route::kFinished;
      }
      if (!is_qos2 || !operation->received || operation->held) return Route::kDrop;
      operation->code = ack.code;
      return Route::kPaho;
  }
}

Operations::Route Operations::route(std::uint8_t type, const SubscriptionAck& ack, int version,
                                    Violation& violation) {
  const auto kind =
      type == packet::kSuback ? Operation::Kind::kSubscribe : Operation::Kind::kUnsubscribe;
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(ack.packet_identifier);
  if (found == pending_.end() || found->second.kind != kind) return Route::kDrop;
  Operation& operation = found->second;
  const bool has_codes = type == packet::kSuback || version == kMqtt5;
  if (has_codes && ack.codes.size() != operation.filters) {
    violation = {reason::kProtocolError, type == packet::kSuback
                                             ? "SUBACK has the wrong number of return codes"
                                             : "UNSUBACK has the wrong number of reason codes"};
    return Route::kViolation;
  }
  operation.codes.assign(ack.codes.begin(), ack.codes.end());
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
