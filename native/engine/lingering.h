// Streams of connections that have ended, written to their last byte, while their peers have time
// to close them: closing with unread bytes would reset the connection and might take our DISCONNECT
// with it.
//
// Guarded by its lane's turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "platform/poller.h"
#include "streams/stream.h"

namespace aiomqtt {

class Lingering {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Lingering(Poller& poller) noexcept : poller_(poller) {}

  // Ends writing, and waits for the peer to do the same.
  void add(std::uint32_t number, std::unique_ptr<Stream> stream) noexcept;
  // True: it is one of these. What has come is dropped.
  [[nodiscard]] bool on_ready(std::uint32_t number, std::span<std::uint8_t> scratch);
  // Closes those whose time is over.
  void on_time(Clock::time_point now);
  // When on_time() is due.
  [[nodiscard]] Clock::time_point due() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return streams_.empty(); }

 private:
  // How long a peer may take to close after our DISCONNECT before we close ourselves.
  static constexpr std::chrono::seconds kPatience{2};

  struct Waiting {
    std::unique_ptr<Stream> stream;
    Clock::time_point until;
  };

  Poller& poller_;
  std::unordered_map<std::uint32_t, Waiting> streams_;
};

}  // namespace aiomqtt
