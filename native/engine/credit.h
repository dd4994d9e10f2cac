// How much of what a broker sends one connection may take in: JavaScript grants room, in messages
// and in bytes of their topics, properties and payloads, as totals since the connection began. What
// there is no room for is neither delivered nor acknowledged; reading stops before it.
//
// JavaScript's thread grants; the I/O thread takes, and alone knows how much it has taken.
#pragma once

#include <atomic>
#include <cstdint>

namespace aiomqtt {

class Credit {
 public:
  static constexpr std::uint64_t kUnlimited = UINT64_MAX;

  // True: the connection had stopped for want of room, and must be told to go on.
  [[nodiscard]] bool grant(std::uint64_t messages, std::uint64_t bytes) noexcept {
    granted_messages_ = messages;
    granted_bytes_ = bytes;
    return stalled_.exchange(false);
  }

  // I/O thread: whether there is room for a message of this size.
  [[nodiscard]] bool has_room(std::uint64_t size) const noexcept {
    return messages_ < granted_messages_.load() && bytes_ + size <= granted_bytes_.load();
  }
  // I/O thread: a message was delivered.
  void take(std::uint64_t size) noexcept {
    ++messages_;
    bytes_ += size;
  }
  // I/O thread: there was no room. False: there is by now. Whoever grants looks for one that has
  // stalled, and whoever stalls looks at the grants once more, so that one of the two sees it.
  [[nodiscard]] bool stall(std::uint64_t size) noexcept {
    stalled_ = true;
    return !(has_room(size) && stalled_.exchange(false));
  }

 private:
  std::atomic<std::uint64_t> granted_messages_{kUnlimited};
  std::atomic<std::uint64_t> granted_bytes_{kUnlimited};
  std::atomic<bool> stalled_{false};
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace aiomqtt
