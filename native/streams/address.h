// Where to connect to, resolved; and what to do to the socket before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/socket.h"

namespace aiomqtt {

struct Address {
  // A literal, as name lookup gave it, with its scope id if it has one; the path of a unix socket.
  std::string host;
  std::uint16_t port = 0;
  int family = AF_INET;  // or AF_INET6, AF_UNIX

  // "127.0.0.1:1883", "[::1]:1883", "/run/mosquitto.sock"
  [[nodiscard]] std::string text() const;
};

// Fills `storage`; 0 or an errno.
[[nodiscard]] int to_socket_address(const Address& address, sockaddr_storage& storage,
                                    socklen_t& length) noexcept;

struct SocketOption {
  int level = 0;
  int name = 0;
  std::vector<std::uint8_t> value;
};

struct SocketSetup {
  Address bind;  // no host: not bound to an address; port 0: to any
  std::vector<SocketOption> options;
};

// Applies it to a socket of this family; 0 or an errno.
[[nodiscard]] int set_up(NativeSocket socket, int family, const SocketSetup& setup) noexcept;

}  // namespace aiomqtt
