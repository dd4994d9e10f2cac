#include "engine/api_half.h"

#include <utility>

namespace aiomqtt {
namespace {

// As Paho says that the packet identifier is in use (MQTTASYNC_NO_MORE_MSGIDS).
constexpr std::uint32_t kIdentifierInUse = refusal_code(-10);

}  // namespace

ApiHalf::ApiHalf(ConnectionState& state, ConnectFields fields, std::uint16_t topic_aliases) noexcept
    : state_(state),
      fields_(std::move(fields)),
      outbound_(state.operations, state.output, state.limits, topic_aliases) {}

int ApiHalf::establish(PahoListener& listener) {
  state_.meter.note_asked();
  return outbound_.paho().connect(state_.number, fields_, listener);
}

bool ApiHalf::takes_commands() const noexcept {
  return outbound_.paho().exists() && !state_.closing;
}

ApiHalf::Submitted ApiHalf::submit(CommandView command, const SharedBuffer& payload,
                                   std::vector<Outbound::Done>& done) {
  switch (command.kind()) {
    case command::kRelease:
      return submit_release(command, done);
    case command::kAcknowledge:
      return {submit_acknowledgement(command), std::nullopt};
    case command::kAuth:
      return {submit_auth(command), std::nullopt};
    default:
      outbound_.submit(command, payload, done);
      return {};
  }
}

// That of an older connection takes no place in the window: that one was given back with the
// connection (MQTT 5 section 4.9). And it need not wait for the stream: there are at most 65,535 of
// them.
ApiHalf::Submitted ApiHalf::submit_release(CommandView command, std::vector<Outbound::Done>& done) {
  const auto packet_identifier = static_cast<std::uint16_t>(command.word(release::kIdentifier));
  if (const auto code = state_.operations.release(packet_identifier, command.operation())) {
    return {false, HeldPubrec{packet_identifier, *code}};
  }
  Operation operation;
  operation.kind = Operation::Kind::kRelease;
  operation.number = command.operation();
  if (state_.operations.begin(std::move(operation), packet_identifier) == 0) {
    done.push_back({command.operation(), kIdentifierInUse});
    return {};
  }
  return {write(packet::kPubrel << 4 | 2, packet_identifier), std::nullopt};
}

bool ApiHalf::submit_acknowledgement(CommandView command) {
  const auto packet_identifier = static_cast<std::uint16_t>(command.word(acknowledge::kIdentifier));
  const int qos = static_cast<int>(command.flags() & message::kQos);
  if (!state_.held || !state_.held->acknowledge(packet_identifier, qos)) return false;
  return write((qos == 1 ? packet::kPuback : packet::kPubrec) << 4, packet_identifier);
}

bool ApiHalf::submit_auth(CommandView command) {
  const auto code = static_cast<std::uint8_t>(command.word(auth::kCode));
  if (!state_.authentication.send(code)) return false;
  const Bytes properties = command.after(auth::kWords).first(command.word(auth::kPropertiesLength));
  RawBuffer packet;
  const std::uint8_t type[] = {packet::kAuth << 4};
  packet.append(type);
  append_variable_byte_integer(packet, 1 + properties.size());
  packet.append({&code, 1});
  packet.append(properties);
  return state_.output.reply(packet);
}

bool ApiHalf::write(std::uint8_t first, std::uint16_t packet_identifier) {
  return state_.output.reply(short_packet(first, packet_identifier));
}

void ApiHalf::disconnect(std::uint8_t reason, Bytes properties) {
  outbound_.stop();
  RawBuffer packet;
  const std::uint8_t type[] = {packet::kDisconnect << 4};
  packet.append(type);
  append_variable_byte_integer(packet, 1 + properties.size());
  packet.append({&reason, 1});
  packet.append(properties);
  (void)state_.output.reply(packet);
  state_.note_closing();
}

void ApiHalf::release() noexcept {
  outbound_.stop();
  outbound_.paho().destroy();
}

}  // namespace aiomqtt
