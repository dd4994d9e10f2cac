// What stands in for libc and for Paho's own modules below MQTTAsync: see symbols.json for the list
// and the reasons. The functions have C linkage and Paho's names; nothing here throws into Paho.
#pragma once

#include "mqtt/raw_buffer.h"

namespace aiomqtt::seam {

// A connection is recognised by the host name in the URI that its handle was created with:
// "c<number>.invalid" (RFC 6761: such a name exists nowhere).
inline constexpr const char* kHostPrefix = "c";
inline constexpr const char* kHostSuffix = ".invalid";

// Hears Paho's trace. Called on any thread, also with Paho's lock held; may be null.
using TraceListener = void (*)(int level, const char* text) noexcept;
void set_trace_listener(TraceListener listener) noexcept;

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
