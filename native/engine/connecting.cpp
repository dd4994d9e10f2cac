#include "engine/connecting.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace aiomqtt {

void Connecting::start(const std::shared_ptr<Connection>& connection) {
  IoHalf& half = connection->io();
  connections_.emplace(connection->number(), connection);
  StreamOptions& options = half.stream_options;
  if (options.descriptor) {
    on_socket(connection, std::make_unique<SocketStream>(std::move(options.descriptor),
                                                         SocketStream::Kind::kLocal));
    return;
  }
  half.connector = std::make_unique<Connector>(
      std::move(options.addresses), std::move(options.socket), poller_, connection->number());
  on_connector(connection, half.connector->start(Clock::now()));
}

std::shared_ptr<Connection> Connecting::find(std::uint32_t number) const {
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second;
}

void Connecting::on_ready(const std::shared_ptr<Connection>& connection, std::uint32_t part) {
  IoHalf& half = connection->io();
  if (half.handshaking) {
    on_handshake(connection);
    return;
  }
  on_connector(connection, half.connector->on_ready(part, Clock::now()));
}

void Connecting::on_time(Clock::time_point now) {
  std::vector<std::shared_ptr<Connection>> due;
  for (const auto& [number, connection] : connections_) {
    const Connector* const connector = connection->io().connector.get();
    if (connector != nullptr && now >= connector->next_attempt_at()) due.push_back(connection);
  }
  for (const auto& connection : due) {
    on_connector(connection, connection->io().connector->on_time(now));
  }
}

Connecting::Clock::time_point Connecting::due() const noexcept {
  auto due = Clock::time_point::max();
  for (const auto& [number, connection] : connections_) {
    const Connector* const connector = connection->io().connector.get();
    if (connector != nullptr) due = std::min(due, connector->next_attempt_at());
  }
  return due;
}

void Connecting::forget(Connection& connection) {
  IoHalf& half = connection.io();
  half.connector.reset();
  if (half.handshaking) poller_.remove(half.handshaking->descriptor());
  half.handshaking.reset();
  connections_.erase(connection.number());
}

void Connecting::on_connector(const std::shared_ptr<Connection>& connection,
                              Connector::State state) {
  IoHalf& half = connection->io();
  if (state == Connector::State::kConnecting) return;
  Connector& connector = *half.connector;
  half.peer = connector.address();
  if (state == Connector::State::kFailed) {
    listener_.on_stream_failed(connection, Ending::transport(Ending::kConnecting, connector.error(),
                                                             connection->io().peer));
    return;
  }
  std::unique_ptr<Stream> socket = connector.take_stream();
  half.connector.reset();
  on_socket(connection, std::move(socket));
}

void Connecting::on_socket(const std::shared_ptr<Connection>& connection,
                           std::unique_ptr<Stream> socket) {
  IoHalf& half = connection->io();
  const std::optional<TlsOptions>& tls = half.stream_options.tls;
  if (!tls) {
    listener_.on_stream_up(connection, std::move(socket));
    return;
  }
  TlsError error;
  half.handshaking = TlsStream::make(std::move(socket), *tls, error);
  if (!half.handshaking) {
    listener_.on_stream_failed(connection, {Ending::kTls, 0, 0, bytes_of(error.text)});
    return;
  }
  poller_.add(half.handshaking->descriptor(), {connection->number(), kStreamPart}, 0);
  on_handshake(connection);
}

void Connecting::on_handshake(const std::shared_ptr<Connection>& connection) {
  IoHalf& half = connection->io();
  TlsStream& stream = *half.handshaking;
  const Poller::Token token{connection->number(), kStreamPart};
  TlsError error;
  int system_error = 0;
  switch (stream.shake_hands(error, system_error)) {
    case TlsStream::Handshake::kWantsRead:
      poller_.change(stream.descriptor(), token, Poller::kReadable);
      return;
    case TlsStream::Handshake::kWantsWrite:
      poller_.change(stream.descriptor(), token, Poller::kWritable);
      return;
    case TlsStream::Handshake::kFailed:
      listener_.on_stream_failed(
          connection, error.text.empty() && error.verify_result == 0
                          ? Ending::transport(Ending::kShakingHands, system_error, half.peer)
                          : Ending{Ending::kTls, static_cast<std::uint32_t>(error.verify_result), 0,
                                   bytes_of(error.text)});
      return;
    case TlsStream::Handshake::kDone:
      poller_.remove(stream.descriptor());
      listener_.on_stream_up(connection, std::move(half.handshaking));
      return;
  }
}

}  // namespace aiomqtt
