// A local stream whose other end is a listener of this process's own, on 127.0.0.1: for runtimes of
// JavaScript that cannot make a socket of a descriptor, as one end of a pair would be.
#pragma once

#include <cstdint>

#include "platform/socket.h"

namespace aiomqtt {

// Connects to the listener. `own_port` is the port that its other end sees: what else connects
// there is a stranger. 0 or an errno.
[[nodiscard]] int join_loopback(std::uint16_t port, NativeSocket& socket,
                                std::uint16_t& own_port) noexcept;

}  // namespace aiomqtt
