#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "platform/socket.h"

namespace aiomqtt {
namespace {

// What Linux's flags of socket(2) and send(2) do at once.
void prepare(NativeSocket socket) noexcept {
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  ::fcntl(socket, F_SETFL, O_NONBLOCK);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

}  // namespace

NativeSocket open_socket(int family, int& error) noexcept {
  const NativeSocket socket = ::socket(family, SOCK_STREAM, 0);
  if (socket == kNoSocket) {
    error = errno;
  } else {
    prepare(socket);
  }
  return socket;
}

int open_pair(std::array<NativeSocket, 2>& ends) noexcept {
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return errno;
  for (const NativeSocket end : ends) prepare(end);
  return 0;
}

// The system decides by itself.
void acknowledge_at_once(NativeSocket) noexcept {}

std::size_t unsent_bytes(NativeSocket socket) noexcept {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  const bool told = ::getsockopt(socket, SOL_SOCKET, SO_NWRITE, &bytes, &length) == 0;
  return told ? static_cast<std::size_t>(bytes) : 0;
}

std::uint32_t peer_window(NativeSocket) noexcept { return 0; }

bool can_receive(NativeSocket socket) noexcept { return unread_bytes(socket) < kCertainRoom; }

}  // namespace aiomqtt
