#pragma once

#include <chrono>
#include <cstdint>

namespace aiomqtt {

// Milliseconds of the steady clock: for intervals, never for dates.
inline std::int64_t now_ms() noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The same in microseconds.
inline std::int64_t now_us() noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace aiomqtt
