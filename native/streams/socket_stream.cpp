#include "streams/socket_stream.h"

namespace aiomqtt {

Transfer SocketStream::read(std::span<std::uint8_t> into) noexcept {
  const Transfer transfer = receive(socket_.get(), into);
  if (transfer.state != Transfer::State::kEnded) acknowledge_at_once();
  return transfer;
}

Transfer SocketStream::write(std::span<const std::uint8_t> from) noexcept {
  return send(socket_.get(), from);
}

void SocketStream::acknowledge_at_once() noexcept {
  if (kind_ == Kind::kTcp) aiomqtt::acknowledge_at_once(socket_.get());
}

void SocketStream::end_writing() noexcept { shut_down_writing(socket_.get()); }

}  // namespace aiomqtt
