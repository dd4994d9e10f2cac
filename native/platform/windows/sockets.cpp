#include <algorithm>
#include <cerrno>
#include <climits>

#include "platform/socket.h"
#include "platform/system_calls.h"

namespace aiomqtt {
namespace {

// Winsock is switched on with the addon, and never off: the engine's threads outlive everything.
const int started = [] {
  WSADATA data;
  return ::WSAStartup(MAKEWORD(2, 2), &data);
}();

int errno_of(int error) noexcept {
  switch (error) {
    case WSAEWOULDBLOCK:
      return EWOULDBLOCK;
    case WSAEINPROGRESS:
      return EINPROGRESS;
    case WSAEACCES:
      return EACCES;
    case WSAEADDRINUSE:
      return EADDRINUSE;
    case WSAEADDRNOTAVAIL:
      return EADDRNOTAVAIL;
    case WSAEAFNOSUPPORT:
      return EAFNOSUPPORT;
    case WSAEBADF:
    case WSAENOTSOCK:
      return EBADF;
    case WSAECONNABORTED:
      return ECONNABORTED;
    case WSAECONNREFUSED:
      return ECONNREFUSED;
    case WSAECONNRESET:
    case WSAENETRESET:
      return ECONNRESET;
    case WSAEHOSTUNREACH:
    case WSAEHOSTDOWN:
      return EHOSTUNREACH;
    case WSAEINTR:
      return EINTR;
    case WSAEINVAL:
      return EINVAL;
    case WSAEMFILE:
      return EMFILE;
    case WSAENETDOWN:
      return ENETDOWN;
    case WSAENETUNREACH:
      return ENETUNREACH;
    case WSAENOBUFS:
      return ENOBUFS;
    case WSAENOPROTOOPT:
      return ENOPROTOOPT;
    case WSAENOTCONN:
      return ENOTCONN;
    case WSAESHUTDOWN:
      return EPIPE;
    case WSAETIMEDOUT:
      return ETIMEDOUT;
    default:
      return error == 0 ? 0 : EIO;
  }
}

int last_error() noexcept { return errno_of(::WSAGetLastError()); }

int int_size(std::size_t size) noexcept {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

Transfer transfer_of(int moved) noexcept {
  if (moved >= 0) return {Transfer::State::kMoved, static_cast<std::size_t>(moved), 0};
  const int error = last_error();
  if (error == EWOULDBLOCK) return {Transfer::State::kWouldBlock, 0, 0};
  return {Transfer::State::kFailed, 0, error};
}

}  // namespace

NativeSocket open_socket(int family, int& error) noexcept {
  if (started != 0) {
    error = errno_of(started);
    return kNoSocket;
  }
  const NativeSocket socket = ::WSASocketW(family, SOCK_STREAM, 0, nullptr, 0,
                                           WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  u_long on = 1;
  if (socket == kNoSocket) {
    error = last_error();
  } else {
    ::ioctlsocket(socket, FIONBIO, &on);
  }
  return socket;
}

int open_pair(std::array<NativeSocket, 2>&) noexcept { return ENOTSUP; }

void close_socket(NativeSocket socket) noexcept { ::closesocket(socket); }

int start_connecting(NativeSocket socket, const sockaddr* to, socklen_t length) noexcept {
  if (::connect(socket, to, length) == 0) return 0;
  const int error = last_error();
  return error == EWOULDBLOCK ? EINPROGRESS : error;
}

int pending_error(NativeSocket socket) noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  char* const into = reinterpret_cast<char*>(&error);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, into, &length) != 0) return last_error();
  return errno_of(error);
}

int bind_socket(NativeSocket socket, const sockaddr* to, socklen_t length) noexcept {
  return ::bind(socket, to, length) == 0 ? 0 : last_error();
}

int set_option(NativeSocket socket, int level, int name,
               std::span<const std::uint8_t> value) noexcept {
  const int result = ::setsockopt(socket, level, name, reinterpret_cast<const char*>(value.data()),
                                  static_cast<socklen_t>(value.size()));
  return result == 0 ? 0 : last_error();
}

Transfer receive(NativeSocket socket, std::span<std::uint8_t> into) noexcept {
  count_system_call();
  const int moved = ::recv(socket, reinterpret_cast<char*>(into.data()), int_size(into.size()), 0);
  if (moved == 0 && !into.empty()) return {Transfer::State::kEnded, 0, 0};
  return transfer_of(moved);
}

Transfer send(NativeSocket socket, std::span<const std::uint8_t> from) noexcept {
  count_system_call();
  return transfer_of(
      ::send(socket, reinterpret_cast<const char*>(from.data()), int_size(from.size()), 0));
}

void shut_down_writing(NativeSocket socket) noexcept { ::shutdown(socket, SD_SEND); }

// The system decides by itself.
void acknowledge_at_once(NativeSocket) noexcept {}

// What the system knows of it, it tells since Windows 10 only, and not of unix sockets.
std::size_t unsent_bytes(NativeSocket) noexcept { return 0; }

std::uint32_t peer_window(NativeSocket) noexcept { return 0; }

std::size_t unread_bytes(NativeSocket socket) noexcept {
  u_long bytes = 0;
  return ::ioctlsocket(socket, FIONREAD, &bytes) == 0 ? bytes : 0;
}

bool can_receive(NativeSocket socket) noexcept { return unread_bytes(socket) < kCertainRoom; }

int last_socket_error() noexcept { return last_error(); }

void clear_socket_error() noexcept { ::WSASetLastError(0); }

}  // namespace aiomqtt
