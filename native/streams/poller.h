// Waits for descriptors: epoll on Linux. wait() on the I/O thread; everything else from any thread.
#pragma once

#include <cstdint>
#include <span>

#include "streams/descriptor.h"

namespace aiomqtt {

class Poller {
 public:
  static constexpr std::uint32_t kReadable = 1;
  static constexpr std::uint32_t kWritable = 2;
  // Reported whether asked for or not, and together with both others.
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

  Poller();

  void add(int fd, Token token, std::uint32_t interest) noexcept;
  void change(int fd, Token token, std::uint32_t interest) noexcept;
  void remove(int fd) noexcept;

  // Fills `events` and returns their number; a negative timeout waits until something happens.
  [[nodiscard]] std::size_t wait(int timeout_ms, std::span<Event> events) noexcept;
  // Ends the current or the next wait(). Sticky.
  void wake() noexcept;

 private:
  Descriptor epoll_;
  Descriptor wake_;
};

}  // namespace aiomqtt
