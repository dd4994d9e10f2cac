// Why a connection ended; the words of a CLOSED event.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/boundary.h"
#include "mqtt/wire.h"

namespace aiomqtt {

struct Ending {
  enum Cause : std::uint32_t {
    kLocal = cause::kLocal,
    kAborted = cause::kAborted,
    kTransport = cause::kTransport,
    kRefused = cause::kRefused,
    kServerDisconnect = cause::kServerDisconnect,
    kKeepalive = cause::kKeepalive,
    kProtocol = cause::kProtocol,
    kTls = cause::kTls
  };
  // What a transport error happened to.
  enum Step : std::uint32_t {
    kConnecting = transport::kConnect,
    kReading = transport::kRead,
    kWriting = transport::kWrite,
    kShakingHands = transport::kHandshake
  };

  Cause cause = kLocal;
  std::uint32_t code = 0;
  int error = 0;
  Bytes detail;

  // The network broke this step; `peer` outlives the ending.
  [[nodiscard]] static Ending transport(Step step, int error, std::string_view peer) noexcept {
    return {kTransport, step, error, bytes_of(peer)};
  }
};

// The server broke the protocol.
[[nodiscard]] Ending violated(const Violation& violation) noexcept;

}  // namespace aiomqtt
