#pragma once

#include <algorithm>
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

// How long poll() is to wait until then: -1 for ever, 0 if it has passed.
inline int milliseconds_until(std::chrono::steady_clock::time_point until) noexcept {
  using std::chrono::milliseconds;
  using Clock = std::chrono::steady_clock;
  if (until == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace aiomqtt
