// In place of Paho's StackTrace and Log modules: no function history, and text is made only when
// somebody listens.
#include <atomic>
#include <cstdarg>
#include <cstdio>

#include "paho/hooks.h"

namespace {

std::atomic<aiomqtt::TraceListener> listener{nullptr};

}  // namespace

namespace aiomqtt {

void set_trace_listener(TraceListener heard_by) noexcept { listener = heard_by; }

}  // namespace aiomqtt

extern "C" {

// Of Paho's Messages module, which stays.
const char* Messages_get(int message, int level);

void StackTrace_entry(const char*, int, int) {}
void StackTrace_exit(const char*, int, void*, int) {}

int Log_initialize(void*) { return 0; }
void Log_terminate() {}
void Log_setTraceLevel(int) {}
void Log_setTraceCallback(void*) {}

void Log(int level, int message, const char* format, ...) {
  const auto heard_by = listener.load(std::memory_order_relaxed);
  if (heard_by == nullptr) return;
  if (format == nullptr) format = Messages_get(message, level);
  if (format == nullptr) return;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  heard_by(level, text);
}

}  // extern "C"
