#include "engine/packet_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace aiomqtt {
namespace {
// What is not written to costs no memory yet.
constexpr std::size_t kGrowBy = 1024 * 1024;

// The most that a PUBLISH has beside what counts as its message: the fixed header, the topic's
// length, the packet identifier, the properties' length.
constexpr std::size_t kMostBesideMessage = kLongestFixedHeader + 2 + 2 + 4;

// Whether a packet of a server's can start with this byte: its type, and the flags that this type
// must have.
constexpr bool can_start_packet(std::uint8_t first) noexcept {
  switch (first >> 4) {
    case packet::kPublish:
      return true;
    case packet::kPubrel:
      return (first & 0x07) == 0x02;  // MQTT 3.1 resends it with DUP
    case packet::kConnack:
    case packet::kPuback:
    case packet::kPubrec:
    case packet::kPubcomp:
    case packet::kSuback:
    case packet::kUnsuback:
    case packet::kPingresp:
    case packet::kDisconnect:
    case packet::kAuth:
      return (first & 0x0f) == 0;
    default:
      return false;
  }
}
}  // namespace

Transfer PacketReader::fill(Stream& stream, std::span<std::uint8_t> scratch) {
  if (kept_total_ >= kAssembleFrom) {
    const std::size_t have = kept_.size();
    // Doubling, so that growing costs a constant factor and never more than twice what arrived.
    const std::size_t room = std::min(kept_total_ - have, std::max(kGrowBy, have));
    kept_.resize(have + room);
    const Transfer got = stream.read(std::span(kept_).subspan(have));
    kept_.resize(have + got.bytes);
    window_ = kept_.size() == kept_total_ ? Bytes(kept_) : Bytes();
    return got;
  }
  const std::size_t have = kept_.size();
  if (have > 0) std::memcpy(scratch.data(), kept_.data(), have);
  const std::size_t room = expects_large_ ? kAssembleFrom : scratch.size() - have;
  const Transfer got = stream.read(scratch.subspan(have, room));
  if (got.state == Transfer::State::kMoved) {
    kept_.clear();
    window_ = Bytes(scratch).first(have + got.bytes);
  }
  return got;
}

PacketReader::Next PacketReader::next(Packet& packet, Violation& violation) noexcept {
  if (window_.size() < 2) return Next::kNothing;
  const auto length = read_variable_byte_integer(window_.subspan(1));
  if (length.state == VariableByteInteger::State::kMalformed) {
    violation = {reason::kMalformedPacket, "a packet has a malformed remaining length"};
    return Next::kViolation;
  }
  if (length.state == VariableByteInteger::State::kShort) return Next::kNothing;
  const std::size_t head = 1 + length.length;
  const std::size_t total = head + length.value;
  if (maximum_packet_size_ != 0 && total > maximum_packet_size_) {
    violation = {reason::kPacketTooLarge, "a packet is larger than our Maximum Packet Size"};
    return Next::kViolation;
  }
  if (largest_message_ != 0 && window_[0] >> 4 == packet::kPublish &&
      total > largest_message_ + kMostBesideMessage) {
    violation = kMessageTooLarge;
    return Next::kViolation;
  }
  if (window_[0] >> 4 != packet::kPublish && total > kLargestOther) {
    violation = {reason::kPacketTooLarge, "a packet that is no message is larger than 4 MiB"};
    return Next::kViolation;
  }
  if (window_.size() < total) {
    // Who talks HTTP to us announces a packet that never comes.
    if (can_start_packet(window_[0])) return Next::kNothing;
    violation = {reason::kMalformedPacket, "a packet has a type or flags that no server's has"};
    return Next::kViolation;
  }
  packet.type = window_[0] >> 4;
  packet.flags = window_[0] & 0x0f;
  packet.bytes = window_.first(total);
  packet.body = packet.bytes.subspan(head);
  window_ = window_.subspan(total);
  return Next::kPacket;
}

std::optional<PacketReader::Announced> PacketReader::announced() const noexcept {
  const bool is_partial = !kept_.empty() && kept_.size() < kept_total_;
  if (!is_partial || kept_total_ < kAnnouncedFrom || *kept_.begin() >> 4 != packet::kPublish) {
    return std::nullopt;
  }
  return Announced{*kept_.begin() >> 1 & 3, kept_total_ - kMostBesideMessage};
}

void PacketReader::set_aside(const Packet& packet) {
  put_back(packet);
  const Bytes left = window_;
  if (left.data() >= aside_.begin() && left.data() < aside_.end()) {
    aside_from_ = static_cast<std::size_t>(left.data() - aside_.data());
  } else if (left.data() == kept_.data()) {
    // It is alone there, so nothing follows it.
    aside_ = std::move(kept_);
    aside_from_ = 0;
  } else {
    aside_.reserve(left.size());
    aside_.assign(left);
    aside_from_ = 0;
  }
  window_ = {};
}

void PacketReader::settle() {
  if (!kept_.empty()) {
    if (kept_.size() < kept_total_) return;  // the rest is still to come
    kept_ = {};
  }
  expects_large_ = kept_total_ >= kLarge;
  if (!window_.empty()) {
    if (window_.size() > kept_.capacity()) kept_.reserve(std::min(kept_total_, 2 * window_.size()));
    kept_.assign(window_);
    const auto length = read_variable_byte_integer(window_.subspan(1));
    kept_total_ = length.state == VariableByteInteger::State::kComplete
                      ? 1 + length.length + length.value
                      : 0;
  } else {
    kept_total_ = 0;
  }
  window_ = {};
  aside_ = {};
  aside_from_ = 0;
}

}  // namespace aiomqtt
