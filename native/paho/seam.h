// What stands in for libc and for Paho's own modules below MQTTAsync: see symbols.json for the list
// and the reasons. The functions have C linkage and Paho's names; nothing here throws into Paho.
// Included by this folder's files only; the engine's side of it is hooks.h.
#pragma once

#include "mqtt/raw_buffer.h"
#include "paho/hooks.h"

namespace aiomqtt::seam {

// Set once, before Paho's threads start (PahoClient::start_threads()).
inline constinit PahoHooks* hooks = nullptr;

// Makes those of Paho's threads that could not be made when Paho asked for them. 0, or the errno of
// the first that cannot be made yet.
[[nodiscard]] int make_missing_threads() noexcept;

// A connection is recognised by the host name in the URI that its handle was created with:
// "c<number>.invalid" (RFC 6761: such a name exists nowhere).
inline constexpr const char* kHostPrefix = "c";
inline constexpr const char* kHostSuffix = ".invalid";

// Lends a payload to the call of Paho's that this thread makes while it lives: the payload is not
// copied, and stays until Paho frees it. Null lends nothing.
class Offer {
 public:
  explicit Offer(const SharedBuffer& buffer) noexcept;
  ~Offer();
  Offer(const Offer&) = delete;
  Offer& operator=(const Offer&) = delete;
};
// What begins at this address and was lent to Paho; null for everything else.
[[nodiscard]] SharedBuffer borrowed(const void* block);

}  // namespace aiomqtt::seam
