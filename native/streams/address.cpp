#include "streams/address.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace aiomqtt {

std::string Address::text() const {
  if (family == AF_UNIX) return host;
  const std::string shown = family == AF_INET6 ? "[" + host + "]" : host;
  return shown + ":" + std::to_string(port);
}

int to_socket_address(const Address& address, sockaddr_storage& storage,
                      socklen_t& length) noexcept {
  if (address.family == AF_UNIX) {
    auto& local = reinterpret_cast<sockaddr_un&>(storage);
    if (address.host.size() >= sizeof local.sun_path) return ENAMETOOLONG;
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, address.host.c_str(), address.host.size() + 1);
    length = sizeof local;
    return 0;
  }
  addrinfo hints{};
  hints.ai_family = address.family;
  hints.ai_socktype = SOCK_STREAM;
  // Literals only: nothing is looked up here, so nothing blocks.
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  char service[6];
  std::snprintf(service, sizeof service, "%u", static_cast<unsigned>(address.port));
  if (::getaddrinfo(address.host.c_str(), service, &hints, &found) != 0) return EINVAL;
  std::memcpy(&storage, found->ai_addr, found->ai_addrlen);
  length = static_cast<socklen_t>(found->ai_addrlen);
  ::freeaddrinfo(found);
  return 0;
}

int set_up(NativeSocket socket, int family, const SocketSetup& setup) noexcept {
  if (family != AF_UNIX) {
    const int on = 1;
    std::array<std::uint8_t, sizeof on> value{};
    std::memcpy(value.data(), &on, sizeof on);
    if (const int error = set_option(socket, IPPROTO_TCP, TCP_NODELAY, value); error != 0) {
      return error;
    }
    if (!setup.bind.host.empty() || setup.bind.port != 0) {
      Address local = setup.bind;
      local.family = family;
      if (local.host.empty()) local.host = family == AF_INET6 ? "::" : "0.0.0.0";
      sockaddr_storage storage{};
      socklen_t length = 0;
      if (to_socket_address(local, storage, length) != 0) return EADDRNOTAVAIL;
      const int error = bind_socket(socket, reinterpret_cast<const sockaddr*>(&storage), length);
      if (error != 0) return error;
    }
  }
  for (const SocketOption& option : setup.options) {
    const int error = set_option(socket, option.level, option.name, option.value);
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace aiomqtt
