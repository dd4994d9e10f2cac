#include "engine/connection.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "engine/clock.h"
#include "engine/engine.h"

namespace aiomqtt {
namespace {

// A saved session: the last packet identifier, then what the receiver keeps.
constexpr std::size_t kSessionHead = 4;

constexpr std::size_t kAuthWords = 6;

std::uint16_t saved_packet_identifier(const std::vector<std::uint8_t>& session) noexcept {
  if (session.size() < kSessionHead) return 0;
  std::uint32_t value = 0;
  std::memcpy(&value, session.data(), sizeof value);
  return static_cast<std::uint16_t>(value);
}

PropertyValues announced(const ConnectFields& fields) noexcept {
  if (fields.properties.empty()) return {};
  return read_own_properties(split_properties(fields.properties).properties);
}

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

Bytes bytes_of(const char* text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)};
}

}  // namespace

Connection::Connection(std::uint32_t number, ConnectionOptions options,
                       std::shared_ptr<Inbox> inbox, Poller& poller)
    : number_(number),
      options_(std::move(options)),
      inbox_(std::move(inbox)),
      output_(poller, {number, kStreamPart}),
      operations_(saved_packet_identifier(options_.session), options_.hold_releases),
      outbound_(operations_, output_, options_.max_inflight, options_.topic_aliases),
      authentication_(announced(options_.fields)),
      held_(options_.hold_acknowledgements
                ? std::make_unique<HeldMessages>(announced(options_.fields).receive_maximum)
                : nullptr),
      receiver_(number, options_.fields.version, announced(options_.fields), held_.get()),
      keepalive_ms_(std::int64_t{options_.fields.keepalive} * 1000) {
  reader_.set_maximum_packet_size(announced(options_.fields).maximum_packet_size);
  if (options_.session.size() > kSessionHead) {
    receiver_.restore(Bytes(options_.session).subspan(kSessionHead));
  }
}

int Connection::establish() {
  note_asked();
  return outbound_.paho().connect(number_, options_.fields, *this);
}

Traffic Connection::traffic() const noexcept {
  return {total_received_.load(std::memory_order_relaxed), output_.total_sent(), round_trip_us_};
}

void Connection::submit(CommandView command, const SharedBuffer& payload,
                        std::vector<Outbound::Done>& done) {
  switch (command.kind()) {
    case command::kRelease:
      submit_release(command, done);
      break;
    case command::kAcknowledge:
      submit_acknowledgement(command);
      break;
    case command::kAuth:
      submit_auth(command);
      break;
    default:
      outbound_.submit(command, payload, done);
  }
}

// That of an older connection takes no place in the window: that one was given back with the
// connection (MQTT 5 section 4.9). And it need not wait for the stream: there are at most 65,535 of
// them.
void Connection::submit_release(CommandView command, std::vector<Outbound::Done>& done) {
  const auto packet_identifier = static_cast<std::uint16_t>(command.word(4));
  if (const auto code = operations_.release(packet_identifier, command.operation())) {
    Engine::instance().io().hand_pubrec(shared_from_this(), packet_identifier, *code);
    return;
  }
  Operation operation;
  operation.kind = Operation::Kind::kRelease;
  operation.number = command.operation();
  if (operations_.begin(std::move(operation), packet_identifier) == 0) {
    done.push_back({command.operation(), command::kIdentifierInUse});
    return;
  }
  write(packet::kPubrel << 4 | 2, packet_identifier);
}

void Connection::submit_acknowledgement(CommandView command) {
  const auto packet_identifier = static_cast<std::uint16_t>(command.word(4));
  const int qos = static_cast<int>(command.flags() & 3);
  if (!held_ || !held_->acknowledge(packet_identifier, qos)) return;
  write((qos == 1 ? packet::kPuback : packet::kPubrec) << 4, packet_identifier);
}

void Connection::submit_auth(CommandView command) {
  const auto code = static_cast<std::uint8_t>(command.word(4));
  if (!authentication_.send(code)) return;
  const Bytes properties = command.after(kAuthWords).first(command.word(5));
  RawBuffer packet;
  const std::uint8_t type[] = {packet::kAuth << 4};
  packet.append(type);
  append_variable_byte_integer(packet, 1 + properties.size());
  packet.append({&code, 1});
  packet.append(properties);
  if (output_.reply(packet)) Engine::instance().api().note_unflushed(shared_from_this());
}

void Connection::disconnect(std::uint8_t reason) {
  outbound_.stop();
  const std::uint8_t packet[] = {packet::kDisconnect << 4, 1, reason};
  (void)output_.reply(packet);
  note_closing();
}

void Connection::write(std::uint8_t first, std::uint16_t packet_identifier) {
  if (output_.reply(short_packet(first, packet_identifier))) {
    Engine::instance().api().note_unflushed(shared_from_this());
  }
}

void Connection::release() noexcept {
  outbound_.stop();
  const auto paho_waits = Engine::instance().io().hold_off_paho();
  outbound_.paho().destroy();
}

Ending Connection::violated(const Violation& violation) noexcept {
  return {Ending::kProtocol, violation.reason, 0, bytes_of(violation.text)};
}

void Connection::take_leave(const Ending& ending) {
  if (ending.cause != Ending::kProtocol || version() != kMqtt5 || !accepted_) return;
  const std::uint8_t disconnect[] = {packet::kDisconnect << 4, 1,
                                     static_cast<std::uint8_t>(ending.code)};
  (void)output_.reply(disconnect);
  output_.flush();
}

Connection::Taken Connection::receive(const Packet& packet, Burst& burst, Ending& ending) {
  if (closing_) return Taken::kHere;
  if (packet.type == packet::kAuth) return on_auth(packet, ending, burst);
  if (!accepted_) {
    if (packet.type == packet::kConnack) return on_connack(packet, ending);
    return violate({reason::kProtocolError, stranger(packet.bytes)}, ending);
  }
  switch (packet.type) {
    case packet::kPublish: {
      Publish publish;
      if (const Violation v = parse_publish(packet, version(), publish)) return violate(v, ending);
      publish.whole = reader_.whole(packet);
      if (const Violation v = receiver_.on_publish(publish, burst.writer(), burst.acks())) {
        return violate(v, ending);
      }
      return Taken::kHere;
    }
    case packet::kPubrel: {
      Ack pubrel;
      if (const Violation v = parse_ack(packet, version(), pubrel)) return violate(v, ending);
      if (const Violation v = receiver_.on_pubrel(pubrel, burst.writer(), burst.acks())) {
        return violate(v, ending);
      }
      return Taken::kHere;
    }
    case packet::kPuback:
    case packet::kPubrec:
    case packet::kPubcomp:
      return on_acknowledgement(packet, ending, burst);
    case packet::kSuback:
    case packet::kUnsuback:
      return on_subscription_acknowledgement(packet, ending);
    case packet::kPingresp:
      if (const Violation v = parse_pingresp(packet)) return violate(v, ending);
      if (ping_sent_ != 0) note_answered();
      ping_sent_ = 0;
      return Taken::kHere;
    case packet::kDisconnect:
      return on_disconnect(packet, ending);
    default:
      return violate({reason::kProtocolError, "the server sent a packet that no server may send"},
                     ending);
  }
}

bool Connection::finish(Burst& burst) {
  receiver_.acks_left();
  const RawBuffer acks = burst.close();
  return !acks.empty() && output_.reply(acks);
}

Connection::Taken Connection::on_connack(const Packet& packet, Ending& ending) {
  Connack connack;
  if (const Violation v = parse_connack(packet, version(), connack)) return violate(v, ending);
  if (connack.session_present && options_.fields.clean_start) {
    return violate({reason::kProtocolError, "CONNACK has a session although we asked for none"},
                   ending);
  }
  if (connack.code != 0) {
    ending = {Ending::kRefused, connack.code, 0, connack.properties};
    return Taken::kEnds;
  }
  note_answered();
  if (const Violation v = authentication_.accept(connack)) return violate(v, ending);
  accepted_ = true;
  session_present_ = connack.session_present;
  connack_properties_.assign(connack.properties.begin(), connack.properties.end());
  if (connack.values.has_server_keep_alive) {
    keepalive_ms_ = std::int64_t{connack.values.server_keep_alive} * 1000;
  }
  outbound_.lower_window(connack.values.receive_maximum);
  outbound_.allow_aliases(connack.values.topic_alias_maximum, connack.values.maximum_packet_size);
  // MQTT 3.1 has no Session Present flag; there the session is taken to be what was asked for.
  const bool session_is_gone =
      version() == kMqtt31 ? options_.fields.clean_start : !connack.session_present;
  if (session_is_gone) receiver_.forget_session();
  // Paho gets the bare acceptance: its handling of the properties is what we replace.
  connack_for_paho_ = {packet::kConnack << 4, 2, static_cast<std::uint8_t>(session_present_), 0, 0};
  if (version() == kMqtt5) connack_for_paho_[1] = 3;
  for_paho_ = Bytes(connack_for_paho_).first(2U + connack_for_paho_[1]);
  return Taken::kForPaho;
}

Connection::Taken Connection::on_acknowledgement(const Packet& packet, Ending& ending,
                                                 Burst& burst) {
  Ack ack;
  if (const Violation v = parse_ack(packet, version(), ack)) return violate(v, ending);
  std::uint32_t operation = 0;
  switch (operations_.route(packet.type, ack, operation)) {
    case Operations::Route::kFinished:
      burst.writer().append({event::kDone, number_, operation, 0, 0, ack.code});
      return Taken::kHere;
    case Operations::Route::kHeld:
      burst.writer().append({event::kReceived, number_, operation});
      return Taken::kHere;
    case Operations::Route::kReceived:
      burst.writer().append({event::kReceived, number_, operation});
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

void Connection::hand_pubrec_to_paho(std::uint16_t packet_identifier, std::uint8_t code) noexcept {
  set_ack_for_paho(packet::kPubrec << 4, packet_identifier, code);
}

void Connection::set_ack_for_paho(std::uint8_t first, std::uint16_t packet_identifier,
                                  std::uint8_t code) noexcept {
  const auto packet = short_packet(first, packet_identifier);
  ack_for_paho_ = {packet[0], packet[1], packet[2], packet[3], code};
  if (code != 0) ack_for_paho_[1] = 3;
  for_paho_ = Bytes(ack_for_paho_).first(2U + ack_for_paho_[1]);
}

Connection::Taken Connection::on_subscription_acknowledgement(const Packet& packet,
                                                              Ending& ending) {
  SubscriptionAck ack;
  if (const Violation v = parse_subscription_ack(packet, version(), ack)) return violate(v, ending);
  Violation violation;
  switch (operations_.route(packet.type, ack, version(), violation)) {
    case Operations::Route::kViolation:
      return violate(violation, ending);
    case Operations::Route::kPaho:
      for_paho_ = packet.bytes;
      return Taken::kForPaho;
    default:
      return Taken::kHere;
  }
}

Connection::Taken Connection::on_disconnect(const Packet& packet, Ending& ending) {
  Disconnect disconnect;
  if (const Violation v = parse_disconnect(packet, version(), disconnect)) {
    return violate(v, ending);
  }
  ending = {Ending::kServerDisconnect, disconnect.code, 0, disconnect.properties};
  return Taken::kEnds;
}

Connection::Taken Connection::on_auth(const Packet& packet, Ending& ending, Burst& burst) {
  Auth auth;
  if (const Violation v = parse_auth(packet, version(), auth)) return violate(v, ending);
  if (const Violation v = authentication_.receive(auth)) return violate(v, ending);
  burst.writer().append(
      {event::kAuth, number_, 0, 0, static_cast<std::uint32_t>(auth.properties.size()), auth.code},
      auth.properties);
  return Taken::kHere;
}

void Connection::pause(Pause reason) noexcept {
  pauses_ |= reason;
  output_.pause_reading(true);
}

void Connection::resume(Pause reason, std::int64_t now) noexcept {
  if (pauses_ == 0) return;
  pauses_ &= ~static_cast<unsigned>(reason);
  if (pauses_ != 0) return;
  last_received_ = now;
  output_.pause_reading(false);
}

bool Connection::keep_alive(std::int64_t now) {
  if (keepalive_ms_ == 0 || !opened_) return true;
  // While nothing is read, answers are not either: the broker hears of us, and that is all.
  if (paused()) {
    ping_sent_ = 0;
    last_received_ = now;
  }
  if (ping_sent_ != 0) {
    // Half a keepalive for the answer, as the server grants us (section 3.1.2.10); whatever else
    // arrives shows that the broker lives.
    const std::int64_t grace = std::max<std::int64_t>(keepalive_ms_ / 2, 1000);
    return now - std::max(ping_sent_, last_received_) < grace;
  }
  const std::int64_t silent_since = std::min(output_.last_sent(), last_received_);
  if (now - silent_since < keepalive_ms_) return true;
  note_asked();
  const std::uint8_t pingreq[] = {packet::kPingreq << 4, 0};
  if (output_.reply(pingreq)) output_.flush();
  ping_sent_ = now;
  return true;
}

void Connection::end(const Ending& ending) {
  if (ended_.exchange(true)) return;
  Inbox::Writer writer(*inbox_);
  RawBuffer session;
  const std::uint32_t last = operations_.last_packet_identifier();
  const std::uint8_t* const head = reinterpret_cast<const std::uint8_t*>(&last);
  session.assign({head, kSessionHead});
  receiver_.save(session);
  const Traffic moved = traffic();
  writer.append(
      {event::kSession, number_, static_cast<std::uint32_t>(moved.received), 0,
       static_cast<std::uint32_t>(session.size()), static_cast<std::uint32_t>(moved.received >> 32),
       static_cast<std::uint32_t>(moved.sent), static_cast<std::uint32_t>(moved.sent >> 32)},
      session);
  writer.append({event::kClosed | (opened_ ? 1U << 8 : 0U), number_, ending.cause, 0,
                 static_cast<std::uint32_t>(ending.detail.size()), ending.code,
                 static_cast<std::uint32_t>(ending.error)},
                ending.detail);
}

void Connection::on_paho_connected() noexcept {
  if (ended_) return;
  opened_ = true;
  Inbox::Writer writer(*inbox_);
  writer.append({event::kOpened, number_, session_present_ ? 1U : 0U, 0,
                 static_cast<std::uint32_t>(connack_properties_.size())},
                connack_properties_);
}

void Connection::on_paho_finished(std::uint16_t packet_identifier) noexcept {
  const auto operation = operations_.finish(packet_identifier);
  if (!operation || ended_) return;
  {
    // On the I/O thread it is in the middle of a burst, whose end rings.
    Inbox::Writer writer(*inbox_,
                         ApiThread::is_current() ? Inbox::Ring::kAtEnd : Inbox::Ring::kLater);
    writer.append({event::kDone, number_, operation->number, 0,
                   static_cast<std::uint32_t>(operation->codes.size()), operation->code},
                  operation->codes);
  }
  if (operation->is_publish() && outbound_.release_window()) {
    Engine::instance().api().feed(shared_from_this());
  }
}

}  // namespace aiomqtt
