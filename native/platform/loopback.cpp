#include "platform/loopback.h"

#include <cerrno>

#ifndef _WIN32
#include <poll.h>
#endif

namespace aiomqtt {
namespace {

// The kernel answers for the listener, at once unless strangers have filled its queue.
constexpr int kPatience = 1000;  // milliseconds

// 0 or an errno.
int await_connection(NativeSocket socket) noexcept {
  pollfd wanted{};
  wanted.fd = socket;
  wanted.events = POLLOUT;
#ifdef _WIN32
  const int ready = ::WSAPoll(&wanted, 1, kPatience);
#else
  const int ready = ::poll(&wanted, 1, kPatience);
#endif
  if (ready < 0) return last_socket_error();
  return ready == 0 ? ETIMEDOUT : pending_error(socket);
}

int connect_to(NativeSocket socket, std::uint16_t port, std::uint16_t& own_port) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  int error = start_connecting(socket, where, length);
  if (error == EINPROGRESS) error = await_connection(socket);
  if (error != 0) return error;
  if (::getsockname(socket, where, &length) != 0) return last_socket_error();
  own_port = ntohs(address.sin_port);
  return 0;
}

}  // namespace

int join_loopback(std::uint16_t port, NativeSocket& socket, std::uint16_t& own_port) noexcept {
  int error = 0;
  socket = open_socket(AF_INET, error);
  if (socket == kNoSocket) return error;
  error = connect_to(socket, port, own_port);
  if (error == 0) {
    const int on = 1;
    error = set_option(socket, IPPROTO_TCP, TCP_NODELAY,
                       {reinterpret_cast<const std::uint8_t*>(&on), sizeof on});
  }
  if (error == 0) return 0;
  close_socket(socket);
  socket = kNoSocket;
  return error;
}

}  // namespace aiomqtt
