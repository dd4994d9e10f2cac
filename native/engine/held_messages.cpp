#include "engine/held_messages.h"

#include <cstring>

namespace aiomqtt {

HeldMessages::Arrival HeldMessages::arrive(std::uint16_t packet_identifier, int qos, bool dup) {
  const std::lock_guard lock(mutex_);
  auto [at, is_new] = held_.try_emplace(packet_identifier);
  Held& held = at->second;
  // What comes again has DUP [MQTT-3.3.1-1]: without it this is another message, and the broker has
  // forgotten the one that was acknowledged.
  if (!is_new && !(held.acknowledged && !dup)) {
    if (held.qos == qos && !held.acknowledged) return Arrival::kDelivered;
    if (held.qos == qos) return count(held) ? Arrival::kAcknowledged : Arrival::kTooMany;
    // A broker that uses the identifier for QoS 1 has forgotten the QoS 2 message that it
    // never released; that message was delivered.
    if (!held.acknowledged) return Arrival::kInUse;
  }
  held.qos = qos;
  held.acknowledged = false;
  return count(held) ? Arrival::kNew : Arrival::kTooMany;
}

bool HeldMessages::acknowledge(std::uint16_t packet_identifier, int qos) {
  const std::lock_guard lock(mutex_);
  const auto at = held_.find(packet_identifier);
  if (at == held_.end() || at->second.acknowledged || at->second.qos != qos) return false;
  if (qos == 1) {
    erase(at);
  } else {
    at->second.acknowledged = true;
  }
  return true;
}

HeldMessages::Release HeldMessages::release(std::uint16_t packet_identifier) {
  const std::lock_guard lock(mutex_);
  const auto at = held_.find(packet_identifier);
  if (at == held_.end()) return Release::kUnknown;
  if (!at->second.acknowledged) return Release::kTooEarly;
  erase(at);
  return Release::kReleased;
}

void HeldMessages::forget() {
  const std::lock_guard lock(mutex_);
  held_.clear();
  counted_ = 0;
}

void HeldMessages::save(RawBuffer& to) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [packet_identifier, held] : held_) {
    if (!held.acknowledged) continue;
    const std::uint32_t word = packet_identifier;
    to.append({reinterpret_cast<const std::uint8_t*>(&word), sizeof word});
  }
}

void HeldMessages::restore(Bytes from) {
  const std::lock_guard lock(mutex_);
  std::uint32_t word = 0;
  for (; from.size() >= sizeof word; from = from.subspan(sizeof word)) {
    std::memcpy(&word, from.data(), sizeof word);
    held_[static_cast<std::uint16_t>(word)] = {2, true, false};
  }
}

bool HeldMessages::count(Held& held) noexcept {
  if (held.counts) return true;
  held.counts = true;
  return ++counted_ <= most_;
}

void HeldMessages::erase(std::unordered_map<std::uint16_t, Held>::iterator at) {
  if (at->second.counts) --counted_;
  held_.erase(at);
}

}  // namespace aiomqtt
