#include <cerrno>

#include "platform/socket.h"

namespace aiomqtt {

NativeSocket open_socket(int family, int& error) noexcept {
  const NativeSocket socket = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket == kNoSocket) error = errno;
  return socket;
}

int open_pair(std::array<NativeSocket, 2>& ends) noexcept {
  return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0
             ? 0
             : errno;
}

void acknowledge_at_once(NativeSocket socket) noexcept {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace aiomqtt
