// What JavaScript wants of one connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "paho/paho_client.h"
#include "platform/descriptor.h"
#include "streams/address.h"
#include "streams/tls_context.h"

namespace aiomqtt {

// How its byte stream comes about.
struct StreamOptions {
  std::vector<Address> addresses;
  SocketSetup socket;
  // A connected socket to use instead of connecting to one of the addresses; ours to close.
  Descriptor descriptor;
  std::optional<TlsOptions> tls;
};

struct ConnectionOptions : StreamOptions {
  ConnectFields fields;
  std::uint16_t max_inflight = 65535;
  // Outbound topic aliases to use at most.
  std::uint16_t topic_aliases = 0;
  // JavaScript acknowledges QoS 1 and 2 messages itself.
  bool hold_acknowledgements = false;
  // JavaScript says when the PUBREC of its publish is answered with PUBREL.
  bool hold_releases = false;
  // The most that a message may be held back so that several come together (Pace); 0: nothing is.
  std::chrono::milliseconds latency{0};
  // A message with more bytes ends the connection; 0: of any size.
  std::uint64_t largest_message = 0;
  // QoS 2 messages that the server does not release may have so many bytes together; 0: any number.
  std::uint64_t most_unreleased = 0;
  // Nothing is delivered before JavaScript grants room for it.
  bool awaits_credit = false;
  // What the last connection of the same session left behind (a SESSION event); may be empty.
  std::vector<std::uint8_t> session;
};

}  // namespace aiomqtt
