// A resolved address to connect to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace aiomqtt {

struct Address {
  std::string host;  // a literal, as name lookup gave it, with its scope id if it has one
  std::uint16_t port = 0;
  int family = AF_INET;

  // "127.0.0.1:1883", "[::1]:1883"
  [[nodiscard]] std::string text() const;
};

// Fills `storage`; 0 or an errno.
[[nodiscard]] int to_socket_address(const Address& address, sockaddr_storage& storage,
                                    socklen_t& length) noexcept;

}  // namespace aiomqtt
