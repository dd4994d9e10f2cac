#include "engine/io_half.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "engine/clock.h"
#include "engine/session_bytes.h"

namespace aiomqtt {
namespace {

// What a server is that answers CONNECT with anything but CONNACK.
const char* stranger(Bytes bytes) noexcept {
  const auto begins_with = [&](std::string_view text) {
    return bytes.size() >= text.size() && std::equal(text.begin(), text.end(), bytes.begin());
  };
  // RFC 8446 section 5.1: a record with an alert, of which only the first bytes are a packet.
  if (begins_with("\x15\x03")) return "the server answered in TLS: is this its port for TLS?";
  if (begins_with("HTTP/")) return "the server answered in HTTP: is this its port for WebSocket?";
  return "the server sent another packet before CONNACK";
}

}  // namespace

IoHalf::IoHalf(ConnectionState& state, ConnectionOptions& options, const PropertyValues& own)
    : stream_options(std::move(static_cast<StreamOptions&>(options))),
      latency(options.latency),
      state_(state),
      clean_start_(options.fields.clean_start),
      largest_message_(options.largest_message == 0 ? UINT64_MAX : options.largest_message),
      most_queued_(options.most_unreleased == 0
                       ? UINT64_MAX
                       : options.most_unreleased -
                             std::min<std::uint64_t>(options.most_unreleased, beside::kQueue)),
      receiver_(state.number, state.version, own, state.held.get(), options.most_unreleased),
      keepalive_(state.output, state.meter, stream_options.descriptor ? state.inbox.get() : nullptr,
                 options.fields.keepalive) {
  reader_.set_maximum_packet_size(own.maximum_packet_size);
  reader_.set_largest_message(options.largest_message);
  receiver_.restore(saved_by_receiver(options.session));
}

IoHalf::Taken IoHalf::receive(const Packet& packet, Burst& burst, Ending& ending) {
  if (state_.closing) return Taken::kHere;
  if (packet.type == packet::kAuth) return on_auth(packet, ending, burst);
  if (!accepted_) {
    if (packet.type == packet::kConnack) return on_connack(packet, ending);
    return violate({reason::kProtocolError, stranger(packet.bytes)}, ending);
  }
  switch (packet.type) {
    case packet::kPublish:
      return on_publish(packet, ending, burst);
    case packet::kPubrel:
      return on_pubrel(packet, ending, burst);
    case packet::kPuback:
    case packet::kPubrec:
    case packet::kPubcomp:
      return on_acknowledgement(packet, ending, burst);
    case packet::kSuback:
    case packet::kUnsuback:
      return on_subscription_acknowledgement(packet, ending);
    case packet::kPingresp:
      if (const Violation v = parse_pingresp(packet)) return violate(v, ending);
      keepalive_.note_answered();
      return Taken::kHere;
    case packet::kDisconnect:
      return on_disconnect(packet, ending);
    default:
      return violate({reason::kProtocolError, "the server sent a packet that no server may send"},
                     ending);
  }
}

std::uint64_t IoHalf::room_for(const Receiver::Demand& demand) noexcept {
  const std::uint64_t beside = std::min<std::uint64_t>(demand.unreleased, beside::kQueue);
  return demand.unreleased - beside + demand.delivered.value_or(0);
}

std::optional<IoHalf::Taken> IoHalf::check_room(const Receiver::Demand& demand, Ending& ending) {
  if (demand.delivered.value_or(0) > largest_message_) return violate(kMessageTooLarge, ending);
  const std::uint64_t room = room_for(demand);
  if ((!demand.delivered && room == 0) || state_.credit.has_room(room)) return std::nullopt;
  // There will never be: what would make room stands behind this packet.
  if (room > most_queued_) return violate(kTooManyUnreleased, ending);
  size_without_room_ = room;
  return Taken::kNoRoom;
}

IoHalf::Taken IoHalf::on_publish(const Packet& packet, Ending& ending, Burst& burst) {
  Publish publish;
  if (const Violation v = parse_publish(packet, state_.version, publish)) return violate(v, ending);
  const Receiver::Demand demand = receiver_.demand_of(publish);
  if (const auto taken = check_room(demand, ending)) return *taken;
  publish.whole = reader_.whole(packet);
  const std::uint64_t before = receiver_.delivered().messages;
  if (const Violation v = receiver_.on_publish(publish, burst.writer(), burst.acks())) {
    return violate(v, ending);
  }
  if (receiver_.delivered().messages > before) state_.credit.take(*demand.delivered);
  return Taken::kHere;
}

IoHalf::Taken IoHalf::on_pubrel(const Packet& packet, Ending& ending, Burst& burst) {
  Ack pubrel;
  if (const Violation v = parse_ack(packet, state_.version, pubrel)) return violate(v, ending);
  const Receiver::Demand demand = receiver_.demand_of(pubrel);
  if (demand.delivered) {
    if (const auto taken = check_room(demand, ending)) return *taken;
  }
  if (const Violation v = receiver_.on_pubrel(pubrel, burst.writer(), burst.acks())) {
    return violate(v, ending);
  }
  if (demand.delivered) state_.credit.take(*demand.delivered);
  return Taken::kHere;
}

bool IoHalf::stall(const Packet& packet, Burst& burst) {
  if (!state_.credit.stall(size_without_room_)) return false;
  reader_.set_aside(packet);
  tell_stalled(burst);
  return true;
}

void IoHalf::check_announced(Burst& burst) {
  const auto announced = reader_.announced();
  if (!announced || !accepted_ || state_.closing) return;
  const Receiver::Demand demand = receiver_.demand_of(announced->qos, announced->least);
  const std::uint64_t room = room_for(demand);
  // One for which there will never be any is refused when it is there.
  if (room > most_queued_ || (!demand.delivered && room == 0)) return;
  if (state_.credit.has_room(room) || !state_.credit.stall(room)) return;
  size_without_room_ = room;
  tell_stalled(burst);
}

void IoHalf::tell_stalled(Burst& burst) {
  pause(kForRoom);
  const auto size = std::min<std::uint64_t>(size_without_room_, UINT32_MAX);
  burst.writer().append(
      make_record(event::kStalled, state_.number, static_cast<std::uint32_t>(size)));
}

bool IoHalf::finish(Burst& burst) {
  receiver_.acks_left();
  state_.account.set({reader_.kept_bytes(), receiver_.delivered().bytes,
                      receiver_.unreleased_bytes(), receiver_.alias_bytes()});
  const RawBuffer acks = burst.close();
  return !acks.empty() && state_.output.reply(acks);
}

IoHalf::Taken IoHalf::on_connack(const Packet& packet, Ending& ending) {
  Connack connack;
  if (const Violation v = parse_connack(packet, state_.version, connack)) return violate(v, ending);
  if (connack.session_present && clean_start_) {
    return violate({reason::kProtocolError, "CONNACK has a session although we asked for none"},
                   ending);
  }
  if (connack.code != 0) {
    ending = {Ending::kRefused, connack.code, 0, connack.properties};
    return Taken::kEnds;
  }
  state_.meter.note_answered();
  if (const Violation v = state_.authentication.accept(connack)) return violate(v, ending);
  accepted_ = true;
  session_present_ = connack.session_present;
  connack_properties_.assign(connack.properties.begin(), connack.properties.end());
  if (connack.values.has_server_keep_alive) {
    keepalive_.set_interval(connack.values.server_keep_alive);
  }
  state_.limits.set_receive_maximum(connack.values.receive_maximum);
  state_.limits.allow_aliases(connack.values.topic_alias_maximum,
                              connack.values.maximum_packet_size);
  // MQTT 3.1 has no Session Present flag; there the session is taken to be what was asked for.
  const bool session_is_gone = state_.version == kMqtt31 ? clean_start_ : !connack.session_present;
  if (session_is_gone) receiver_.forget_session();
  // Paho gets the bare acceptance: its handling of the properties is what we replace.
  connack_for_paho_ = {packet::kConnack << 4, 2, static_cast<std::uint8_t>(session_present_), 0, 0};
  if (state_.version == kMqtt5) connack_for_paho_[1] = 3;
  for_paho_ = Bytes(connack_for_paho_).first(2U + connack_for_paho_[1]);
  return Taken::kForPaho;
}

IoHalf::Taken IoHalf::on_acknowledgement(const Packet& packet, Ending& ending, Burst& burst) {
  Ack ack;
  if (const Violation v = parse_ack(packet, state_.version, ack)) return violate(v, ending);
  std::uint32_t operation = 0;
  Violation violation;
  switch (state_.operations.route(packet.type, ack, operation, violation)) {
    case Operations::Route::kViolation:
      return violate(violation, ending);
    case Operations::Route::kLowered:
      if (!std::exchange(told_of_lowering_, true)) {
        burst.writer().append(make_record(event::kLowered, state_.number, 0));
      }
      set_ack_for_paho(packet::kPubrec << 4, ack.packet_identifier, 0);
      pubcomp_for_paho_ = short_packet(packet::kPubcomp << 4, ack.packet_identifier);
      then_for_paho_ = pubcomp_for_paho_;
      return Taken::kForPaho;
    case Operations::Route::kFinished:
      burst.writer().append(make_record(event::kDone, state_.number, operation, 0, ack.code));
      return Taken::kHere;
    case Operations::Route::kHeld:
      burst.writer().append(make_record(event::kReceived, state_.number, operation));
      return Taken::kHere;
    case Operations::Route::kReceived:
      burst.writer().append(make_record(event::kReceived, state_.number, operation));
      [[fallthrough]];
    case Operations::Route::kPaho:
      set_ack_for_paho(packet.bytes[0], ack.packet_identifier, ack.code);
      return Taken::kForPaho;
    case Operations::Route::kAnswerPubrel:
      burst.acks().append(short_packet(packet::kPubrel << 4 | 2, ack.packet_identifier));
      return Taken::kHere;
    default:
      return Taken::kHere;
  }
}

void IoHalf::hand_pubrec_to_paho(std::uint16_t packet_identifier, std::uint8_t code) noexcept {
  set_ack_for_paho(packet::kPubrec << 4, packet_identifier, code);
}

void IoHalf::set_ack_for_paho(std::uint8_t first, std::uint16_t packet_identifier,
                              std::uint8_t code) noexcept {
  const auto packet = short_packet(first, packet_identifier);
  ack_for_paho_ = {packet[0], packet[1], packet[2], packet[3], code};
  if (code != 0) ack_for_paho_[1] = 3;
  for_paho_ = Bytes(ack_for_paho_).first(2U + ack_for_paho_[1]);
}

IoHalf::Taken IoHalf::on_subscription_acknowledgement(const Packet& packet, Ending& ending) {
  SubscriptionAck ack;
  if (const Violation v = parse_subscription_ack(packet, state_.version, ack))
    return violate(v, ending);
  Violation violation;
  switch (state_.operations.route(packet.type, ack, state_.version, violation)) {
    case Operations::Route::kViolation:
      return violate(violation, ending);
    case Operations::Route::kPaho:
      for_paho_ = packet.bytes;
      return Taken::kForPaho;
    default:
      return Taken::kHere;
  }
}

IoHalf::Taken IoHalf::on_disconnect(const Packet& packet, Ending& ending) {
  Disconnect disconnect;
  if (const Violation v = parse_disconnect(packet, state_.version, disconnect)) {
    return violate(v, ending);
  }
  ending = {Ending::kServerDisconnect, disconnect.code, 0, disconnect.properties};
  return Taken::kEnds;
}

IoHalf::Taken IoHalf::on_auth(const Packet& packet, Ending& ending, Burst& burst) {
  Auth auth;
  if (const Violation v = parse_auth(packet, state_.version, auth)) return violate(v, ending);
  if (const Violation v = state_.authentication.receive(auth)) return violate(v, ending);
  burst.writer().append(
      make_record(event::kAuth, state_.number, 0, auth.properties.size(), auth.code),
      auth.properties);
  return Taken::kHere;
}

void IoHalf::pause(Pause reason) noexcept {
  pauses_ |= reason;
  state_.output.pause_reading(true);
}

void IoHalf::resume(Pause reason) noexcept {
  if (pauses_ == 0) return;
  pauses_ &= ~static_cast<unsigned>(reason);
  if (pauses_ == 0) state_.output.pause_reading(false);
}

bool IoHalf::keep_alive(std::int64_t now) {
  return !state_.opened || state_.closing || keepalive_.look(now, paused());
}

std::int64_t IoHalf::next_look(std::int64_t now) const noexcept {
  // CONNACK may come at any time, and set another interval.
  constexpr std::int64_t kUnopened = 250;
  return state_.opened ? keepalive_.next_look() : now + kUnopened;
}

void IoHalf::take_leave(const Ending& ending) {
  if (ending.cause != Ending::kProtocol || state_.version != kMqtt5 || !accepted_) return;
  const std::uint8_t disconnect[] = {packet::kDisconnect << 4, 1,
                                     static_cast<std::uint8_t>(ending.code)};
  (void)state_.output.reply(disconnect);
  state_.output.flush();
}

void IoHalf::end(const Ending& ending) {
  if (state_.ended.exchange(true)) return;
  try {
    state_.tell_departed();
    tell_ended(ending);
  } catch (const std::bad_alloc&) {
    state_.ended = false;
    throw;
  }
}

void IoHalf::tell_ended(const Ending& ending) {
  Inbox::Writer writer(*state_.inbox);
  RawBuffer session = begin_session(state_.operations.last_packet_identifier());
  receiver_.save(session);
  const Traffic moved = state_.traffic();
  Record moved_and_session = make_record(event::kSession, state_.number, 0, session.size());
  moved_and_session[session::kReceivedLow] = static_cast<std::uint32_t>(moved.received);
  moved_and_session[session::kReceivedHigh] = static_cast<std::uint32_t>(moved.received >> 32);
  moved_and_session[session::kSentLow] = static_cast<std::uint32_t>(moved.sent);
  moved_and_session[session::kSentHigh] = static_cast<std::uint32_t>(moved.sent >> 32);
  if (session.size() >= Inbox::kLentFrom) {
    writer.append_whole(moved_and_session, std::move(session), 0);
  } else {
    writer.append(moved_and_session, session);
  }
  writer.append(make_record(event::kClosed | (state_.opened ? 1U << 8 : 0U), state_.number,
                            ending.cause, ending.detail.size(), ending.code, ending.error),
                ending.detail);
  writer.note_ended();
}

void IoHalf::tell_opened() {
  if (state_.ended) return;
  state_.opened = true;
  Inbox::Writer writer(*state_.inbox);
  writer.append(make_record(event::kOpened, state_.number, session_present_ ? 1U : 0U,
                            connack_properties_.size()),
                connack_properties_);
}

}  // namespace aiomqtt
