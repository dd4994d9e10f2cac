#include <linux/sock_diag.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

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

std::size_t unsent_bytes(NativeSocket socket) noexcept {
  int bytes = 0;
  return ::ioctl(socket, TIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

// The C library's tcp_info ends before tcpi_snd_wnd, which Linux has since 5.4; its own header
// cannot be included beside the C library's.
std::uint32_t peer_window(NativeSocket socket) noexcept {
  constexpr std::size_t kWindowAt = 228;
  std::array<std::uint8_t, kWindowAt + sizeof(std::uint32_t)> info{};
  socklen_t length = sizeof info;
  std::uint32_t window = 0;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, info.data(), &length) == 0) {
    std::memcpy(&window, info.data() + kWindowAt, sizeof window);
  }
  return window;
}

// TCP closes its window when half of the memory is used, of which a small segment takes much more
// than its bytes. What waits in a local stream is accounted to its sender.
bool can_receive(NativeSocket socket) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t length = sizeof memory;
  if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory.data(), &length) != 0) return false;
  const std::uint32_t used = memory[SK_MEMINFO_RMEM_ALLOC];
  if (used == 0) return unread_bytes(socket) < kCertainRoom;
  return used < memory[SK_MEMINFO_RCVBUF] / 4;
}

}  // namespace aiomqtt
