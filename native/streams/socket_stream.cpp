#include "streams/socket_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "streams/system_calls.h"

namespace aiomqtt {
namespace {

Transfer transfer_of(ssize_t moved) noexcept {
  if (moved >= 0) return {Transfer::State::kMoved, static_cast<std::size_t>(moved), 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Transfer::State::kWouldBlock, 0, 0};
  return {Transfer::State::kFailed, 0, errno};
}

}  // namespace

Transfer SocketStream::read(std::span<std::uint8_t> into) noexcept {
  ssize_t moved = 0;
  do {
    count_system_call();
    moved = ::recv(socket_.get(), into.data(), into.size(), 0);
  } while (moved < 0 && errno == EINTR);
  if (moved == 0 && !into.empty()) return {Transfer::State::kEnded, 0, 0};
  // Its errno is read first.
  const Transfer transfer = transfer_of(moved);
  acknowledge_at_once();
  return transfer;
}

Transfer SocketStream::write(std::span<const std::uint8_t> from) noexcept {
  ssize_t moved = 0;
  do {
    count_system_call();
    moved = ::send(socket_.get(), from.data(), from.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (moved < 0 && errno == EINTR);
  return transfer_of(moved);
}

void SocketStream::acknowledge_at_once() noexcept {
#ifdef TCP_QUICKACK
  if (kind_ != Kind::kTcp) return;
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#endif
}

void SocketStream::end_writing() noexcept { ::shutdown(socket_.get(), SHUT_WR); }

}  // namespace aiomqtt
