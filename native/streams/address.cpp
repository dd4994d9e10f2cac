#include "streams/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

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
  length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return 0;
}

int set_up(int socket, int family, const SocketSetup& setup) noexcept {
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!setup.bind.host.empty() || setup.bind.port != 0) {
      Address local = setup.bind;
      local.family = family;
      if (local.host.empty()) local.host = family == AF_INET6 ? "::" : "0.0.0.0";
      sockaddr_storage storage{};
      socklen_t length = 0;
      const int error = to_socket_address(local, storage, length);
      if (error != 0) return EADDRNOTAVAIL;
      if (::bind(socket, reinterpret_cast<const sockaddr*>(&storage), length) != 0) return errno;
    }
  }
  for (const SocketOption& option : setup.options) {
    if (::setsockopt(socket, option.level, option.name, option.value.data(),
                     static_cast<socklen_t>(option.value.size())) != 0) {
      return errno;
    }
  }
  return 0;
}

}  // namespace aiomqtt
