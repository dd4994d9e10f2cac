#include "streams/address.h"

#include <netdb.h>

#include <cerrno>
#include <cstring>

namespace aiomqtt {

std::string Address::text() const {
  const std::string shown = family == AF_INET6 ? "[" + host + "]" : host;
  return shown + ":" + std::to_string(port);
}

int to_socket_address(const Address& address, sockaddr_storage& storage,
                      socklen_t& length) noexcept {
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

}  // namespace aiomqtt
