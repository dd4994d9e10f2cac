// The sockets of the operating system under one set of names. What differs between the systems is
// in the folders beside this file; errors are errno values everywhere.
#pragma once

#ifdef _WIN32
#include <winsock2.h>
// After winsock2.h.
#include <afunix.h>
#include <ws2tcpip.h>
#else
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include <array>
#include <cstdint>
#include <span>

namespace aiomqtt {

#ifdef _WIN32
using NativeSocket = SOCKET;
inline constexpr NativeSocket kNoSocket = INVALID_SOCKET;
#else
using NativeSocket = int;
inline constexpr NativeSocket kNoSocket = -1;
#endif

// What a read or write did: bytes moved, or why not.
struct Transfer {
  enum class State : std::uint8_t { kMoved, kWouldBlock, kEnded, kFailed };
  State state = State::kMoved;
  std::size_t bytes = 0;
  int error = 0;  // errno, for kFailed
};

// A stream socket that does not block and that no child process inherits; kNoSocket and `error`.
[[nodiscard]] NativeSocket open_socket(int family, int& error) noexcept;
// The two ends of a local stream, both of that kind. 0 or an errno; ENOTSUP where Node cannot adopt
// a socket, which is what pairs are for.
[[nodiscard]] int open_pair(std::array<NativeSocket, 2>& ends) noexcept;
void close_socket(NativeSocket socket) noexcept;

// 0 when it is connected, EINPROGRESS when it is under way, another errno when it failed.
[[nodiscard]] int start_connecting(NativeSocket socket, const sockaddr* to,
                                   socklen_t length) noexcept;
// How connecting went, once the socket is writable: 0 or an errno.
[[nodiscard]] int pending_error(NativeSocket socket) noexcept;
// 0 or an errno.
[[nodiscard]] int bind_socket(NativeSocket socket, const sockaddr* to, socklen_t length) noexcept;
[[nodiscard]] int set_option(NativeSocket socket, int level, int name,
                             std::span<const std::uint8_t> value) noexcept;

[[nodiscard]] Transfer receive(NativeSocket socket, std::span<std::uint8_t> into) noexcept;
[[nodiscard]] Transfer send(NativeSocket socket, std::span<const std::uint8_t> from) noexcept;
void shut_down_writing(NativeSocket socket) noexcept;
// Has TCP acknowledge what has come without delay, where the system can be told.
void acknowledge_at_once(NativeSocket socket) noexcept;

// Bytes that were written and that the peer has not acknowledged (of a local stream: read); 0 where
// the system does not tell. Of local streams Linux counts more than their bytes.
[[nodiscard]] std::size_t unsent_bytes(NativeSocket socket) noexcept;
// Bytes that TCP's peer says to have room for; 0 where the system does not tell.
[[nodiscard]] std::uint32_t peer_window(NativeSocket socket) noexcept;
// Bytes that have come and were not read.
[[nodiscard]] std::size_t unread_bytes(NativeSocket socket) noexcept;
// Whether so little waits to be read that the peer may certainly send.
inline constexpr std::size_t kCertainRoom = 4096;
[[nodiscard]] bool can_receive(NativeSocket socket) noexcept;

// The error of this thread's last socket call that was not made here: OpenSSL's. Cleared before.
[[nodiscard]] int last_socket_error() noexcept;
void clear_socket_error() noexcept;

}  // namespace aiomqtt
