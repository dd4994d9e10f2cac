// How many bytes a connection has moved, and how long its broker takes to answer.
#pragma once

#include <cstdint>

namespace aiomqtt {

struct Traffic {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  // Of the last PINGREQ that was answered; before the first one, of CONNECT. -1: nothing was yet.
  std::int64_t round_trip_us = -1;
};

}  // namespace aiomqtt
