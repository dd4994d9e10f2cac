// What stands in for libc and for Paho's own modules below MQTTAsync: see symbols.json for the list
// and the reasons. The functions have C linkage and Paho's names; nothing here throws into Paho.
#pragma once

namespace aiomqtt::seam {

// A connection is recognised by the host name in the URI that its handle was created with:
// "c<number>.invalid" (RFC 6761: such a name exists nowhere).
inline constexpr const char* kHostPrefix = "c";
inline constexpr const char* kHostSuffix = ".invalid";

// Hears Paho's trace. Called on any thread, also with Paho's lock held; may be null.
using TraceListener = void (*)(int level, const char* text) noexcept;
void set_trace_listener(TraceListener listener) noexcept;

}  // namespace aiomqtt::seam
