#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "platform/socket.h"
#include "platform/system_calls.h"

namespace aiomqtt {
namespace {

// macOS has no such flag: a socket is told when it is made (SO_NOSIGPIPE).
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
constexpr int kSendFlags = MSG_DONTWAIT;
#endif

Transfer transfer_of(ssize_t moved) noexcept {
  if (moved >= 0) return {Transfer::State::kMoved, static_cast<std::size_t>(moved), 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Transfer::State::kWouldBlock, 0, 0};
  return {Transfer::State::kFailed, 0, errno};
}

}  // namespace

void close_socket(NativeSocket socket) noexcept { ::close(socket); }

int start_connecting(NativeSocket socket, const sockaddr* to, socklen_t length) noexcept {
  return ::connect(socket, to, length) == 0 ? 0 : errno;
}

int pending_error(NativeSocket socket) noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

int bind_socket(NativeSocket socket, const sockaddr* to, socklen_t length) noexcept {
  return ::bind(socket, to, length) == 0 ? 0 : errno;
}

int set_option(NativeSocket socket, int level, int name,
               std::span<const std::uint8_t> value) noexcept {
  const int result =
      ::setsockopt(socket, level, name, value.data(), static_cast<socklen_t>(value.size()));
  return result == 0 ? 0 : errno;
}

Transfer receive(NativeSocket socket, std::span<std::uint8_t> into) noexcept {
  ssize_t moved = 0;
  do {
    count_system_call();
    moved = ::recv(socket, into.data(), into.size(), 0);
  } while (moved < 0 && errno == EINTR);
  if (moved == 0 && !into.empty()) return {Transfer::State::kEnded, 0, 0};
  return transfer_of(moved);
}

Transfer send(NativeSocket socket, std::span<const std::uint8_t> from) noexcept {
  ssize_t moved = 0;
  do {
    count_system_call();
    moved = ::send(socket, from.data(), from.size(), kSendFlags);
  } while (moved < 0 && errno == EINTR);
  return transfer_of(moved);
}

void shut_down_writing(NativeSocket socket) noexcept { ::shutdown(socket, SHUT_WR); }

std::size_t unread_bytes(NativeSocket socket) noexcept {
  int bytes = 0;
  return ::ioctl(socket, FIONREAD, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

int last_socket_error() noexcept { return errno; }

void clear_socket_error() noexcept { errno = 0; }

}  // namespace aiomqtt
