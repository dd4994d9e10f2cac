// Waits for descriptors, as the system does it best (platform/*/poller.cpp). wait() on one thread
// at a time; everything else from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "platform/descriptor.h"

namespace aiomqtt {

class Poller {
 public:
  static constexpr std::uint32_t kReadable = 1;
  static constexpr std::uint32_t kWritable = 2;
  // Reported together with both others, also when only one or, by epoll and WSAPoll, none of them
  // was asked for.
  static constexpr std::uint32_t kBroken = 4;

  // Who a descriptor belongs to: a connection, and which of its descriptors.
  struct Token {
    std::uint32_t connection = 0;
    std::uint32_t part = 0;
  };
  struct Event {
    Token token;
    std::uint32_t ready = 0;
  };

  // Whether another poller, or an event loop, can watch this one's descriptor().
#ifdef _WIN32
  static constexpr bool kNests = false;
#else
  static constexpr bool kNests = true;
#endif

  Poller();
  ~Poller();
  // Before anything else. 0, or an errno: there is no descriptor for it, and another call tries
  // again.
  [[nodiscard]] int open() noexcept;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(NativeSocket fd, Token token, std::uint32_t interest) noexcept;
  void change(NativeSocket fd, Token token, std::uint32_t interest) noexcept;
  void remove(NativeSocket fd) noexcept;

  // Fills `events` and returns their number; a negative timeout waits until something happens.
  [[nodiscard]] std::size_t wait(int timeout_ms, std::span<Event> events) noexcept;
  // Ends the current or the next wait(). Sticky.
  void wake() noexcept;

  // Readable while wait() would not wait.
  [[nodiscard]] NativeSocket descriptor() const noexcept;
  [[nodiscard]] bool has_events() const noexcept;

 private:
  struct System;
  std::unique_ptr<System> system_;
};

}  // namespace aiomqtt
