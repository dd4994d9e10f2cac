// How many bytes a connection has moved, how long its broker takes to answer, and what is held of
// what it sent.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/account.h"
#include "engine/clock.h"

namespace aiomqtt {

struct Traffic {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  // Of the last PINGREQ that was answered; before the first one, of CONNECT. -1: nothing was yet.
  std::int64_t round_trip_us = -1;
  Account held;
  // Bytes of replies that the peer has not taken.
  std::uint64_t replies = 0;
};

// The half of it that the connection counts itself. Any thread; all of it is atomic.
class TrafficMeter {
 public:
  void note_received(std::uint64_t bytes) noexcept {
    received_.fetch_add(bytes, std::memory_order_relaxed);
  }
  // CONNECT or PINGREQ was written.
  void note_asked() noexcept { asked_us_ = now_us(); }
  void note_answered() noexcept { round_trip_us_ = now_us() - asked_us_; }

  [[nodiscard]] std::uint64_t received() const noexcept {
    return received_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t round_trip_us() const noexcept { return round_trip_us_; }

 private:
  std::atomic<std::uint64_t> received_{0};
  std::atomic<std::int64_t> asked_us_{0};
  std::atomic<std::int64_t> round_trip_us_{-1};
};

}  // namespace aiomqtt
